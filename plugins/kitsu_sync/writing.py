"""Changes as requests, with an outcome for each: Kitsu has no transactions and no versions.

Theory. Rows are created by the import route, which keeps the ids that are sent: a create that is sent again makes
nothing twice. The route stops at its first bad row and does not say which; so what is there is read back, and the
rest goes in one by one. It needs an administrator, and for another account it answers that nothing was done; then rows
are created by the ordinary route and looked up by name after a lost answer. Before an update the row is read again and
compared; between that and the update lies one request, in which somebody else's change of the same value is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from attrs import define

from callsheet.chunks import chunks
from callsheet.errors import Disconnected, Invalid, NotFound, ServerError, Timeout
from callsheet.flow import Flow
from callsheet.sync.side import SideChange, SideOutcome, SideReference
from kitsu_sync.account import KitsuAccount
from kitsu_sync.reading import MAIN, ProjectReader, halves
from kitsu_sync.studio import NOT_ASSETS, StudioLists
from kitsu_sync.tables import KitsuType, columns_of, type_named

__all__ = ["ProjectWriter"]

RUN = 25
"""Changes between two comparisons with what is there."""

CREATES = 80
"""Rows in one import, and ids in one look-up."""


@define(eq=False)
class ProjectWriter:
    """Writes the rows of one project."""

    account: KitsuAccount
    lists: StudioLists
    reader: ProjectReader
    project: str

    def write(self, changes: Sequence[SideChange]) -> Flow[list[SideOutcome]]:
        """An outcome for each change, in the same order."""
        outcomes: list[SideOutcome] = []
        for (kind, type), group in groupby(changes, key=lambda each: (each.kind == "create", each.type)):
            for some in chunks(list(group), CREATES if kind else RUN):
                if type == "Assignment":
                    outcomes += yield from self._assign(some)
                elif kind:
                    outcomes += yield from self._create(type_named(type), some)
                else:
                    outcomes += yield from self._change(type_named(type), some)
        return outcomes

    # -- assigning -------------------------------------------------------------------------------------------

    def _assign(self, changes: Sequence[SideChange]) -> Flow[list[SideOutcome]]:
        """People of tasks, each task's written once. Assigning who is assigned, or nobody, is done already."""
        wanted = [_assignment_of(change) for change in changes]
        tasks = yield from self.reader.raw(type_named("Task"), sorted({task for task, _ in wanted}))
        now = {task["id"]: set(task["assignees"]) for task in tasks}
        then = {id: set(people) for id, people in now.items()}
        for change, (task, person) in zip(changes, wanted):
            if task in then:
                (then[task].add if change.kind == "create" else then[task].discard)(person)
        refused: dict[str, str] = {}
        for task, people in then.items():
            if people != now[task]:
                try:
                    yield from self.account.put(f"/data/tasks/{task}", {"assignees": sorted(people)})
                except ServerError as error:
                    refused[task] = str(error)
        if then != now:
            # Kitsu drops people that it does not have without a word.
            tasks = yield from self.reader.raw(type_named("Task"), list(then))
            then = {task["id"]: set(task["assignees"]) for task in tasks}
        return [
            _assigned(change, pair, then.get(pair[0]), refused.get(pair[0])) for change, pair in zip(changes, wanted)
        ]

    # -- creating --------------------------------------------------------------------------------------------

    def _create(self, kind: KitsuType, changes: Sequence[SideChange]) -> Flow[list[SideOutcome]]:
        """Rows that are not there yet, imported as one request; those that are there are done."""
        there = yield from self._there(kind, [change.token for change in changes])
        refused = yield from self._doubles(kind, [change for change in changes if change.token not in there])
        rows: dict[str, dict[str, Any]] = {}
        for change in changes:
            if change.token in there or change.token in refused:
                continue
            try:
                rows[change.token] = yield from self._new_row(kind, change)
            except Invalid as error:
                refused[change.token] = str(error)
        created = yield from self._import(kind, rows, refused)
        members = [each for each in changes if each.token in created and _casting(kind, each.values) is not None]
        for change in members:
            yield from self._cast(change.token, _casting(kind, change.values) or frozenset())
        return [_created(change, there, refused, created) for change in changes]

    def _there(self, kind: KitsuType, ids: Sequence[str]) -> Flow[set[str]]:
        """Those ids that have a row, cancelled ones included."""
        if kind.name in ("Person", "Project"):
            return set()
        found: set[str] = set()
        for some in chunks(ids, CREATES):
            rows = yield from self.account.get(f"/data/{kind.plural}", id=list(some))
            found |= {row["id"] for row in rows}
        return found

    def _doubles(self, kind: KitsuType, changes: Sequence[SideChange]) -> Flow[dict[str, str]]:
        """Why some must not be created: Kitsu takes two sequences or assets of one name."""
        if not kind.entity or not changes:
            return {}
        names = ["name", *(name for name in ("parent", "type") if name in kind.columns)]
        rows = yield from self.reader.rows(kind.name, names, None)
        taken = {tuple(row.values.get(name) for name in names) for row in rows}
        reasons: dict[str, str] = {}
        for change in changes:
            given = {"parent": SideReference("Project", self.project), **change.values}
            key = tuple(given.get(name) for name in names)
            if key in taken:
                reasons[change.token] = f"Kitsu has a {kind.name} {change.values.get('name')!r} here already"
            taken.add(key)
        return reasons

    def _new_row(self, kind: KitsuType, change: SideChange) -> Flow[dict[str, Any]]:
        if kind.name == "Project":
            raise Invalid("a Kitsu project is made by hand, since it comes with a team and settings")
        row: dict[str, Any] = {"id": change.token, "type": kind.name}
        if kind.name not in ("Person", "Comment"):
            row["project_id"] = self.project
        if kind.entity:
            types = yield from self.lists.load("entity-types")
            named = {name: id for id, name in types.items()}
            some_asset = next(name for name in named if name not in NOT_ASSETS)
            row |= {"entities_out": [], "data": {}, "entity_type_id": named.get(kind.name, named[some_asset])}
        if kind.name == "Task":
            row |= {"name": MAIN, "assignees": [], "task_status_id": (yield from self.lists.first_status())}
        if kind.name == "Comment":
            row |= {"object_type": "Task", "checklist": [], "mentions": [], "acknowledgements": [], "data": None}
            task = change.values.get("task")
            if isinstance(task, SideReference):
                found = yield from self.account.get("/data/tasks", id=[task.id])
                row["task_status_id"] = found[0]["task_status_id"] if found else None
        if kind.name == "Playlist":
            row["shots"] = []
        if kind.name == "Person":
            row |= {"first_name": "", "last_name": ""}
        own = yield from self._columns(kind, change.values, {}, dict(row.get("data") or {}))
        return row | {name: value for name, value in own.items() if value is not None or name not in row}

    def _columns(
        self, kind: KitsuType, values: Mapping[str, Any], now: Mapping[str, Any], data: dict[str, Any]
    ) -> Flow[dict[str, Any]]:
        """Values as Kitsu's columns, of a row that has other values ``now``. The server merges ``data``, key by key."""
        columns = columns_of(kind, values)
        found: dict[str, Any] = {}
        for name, column in columns.items():
            value = values[name]
            if column.kind in ("data", "number"):
                data[column.column] = value
            elif column.kind == "label":
                found[column.column] = MAIN if value in (None, values.get("type", now.get("type"))) else value
            elif column.kind == "entries":
                found[column.column] = [{"entity_id": each.id} for each in sorted(value)]
            elif column.kind == "parent":
                found[column.column] = None if value is None or value.type == "Project" else value.id
            elif column.kind == "name":
                found[column.column] = yield from self.lists.id(column.target, value)
            elif column.kind == "members":
                found[column.column] = sorted(each.id for each in value)
            elif isinstance(value, SideReference):
                found[column.column] = value.id
            elif column.kind == "day":
                found[column.column] = None if value is None else value.isoformat()[:10]
            elif column.kind != "casting":
                found[column.column] = value
        if data:
            found["data"] = data
        return found

    def _import(
        self, kind: KitsuType, rows: Mapping[str, dict[str, Any]], refused: dict[str, str]
    ) -> Flow[dict[str, str]]:
        """The rows' ids by token, for those that are there afterwards; ``refused`` gets the others' reasons."""
        if not rows:
            return {}
        if kind.name == "Person":
            return (yield from self._singly(rows, refused, self._new_person))
        try:
            yield from self.account.post(f"/import/kitsu/{kind.plural}", list(rows.values()))
        except (ServerError, Timeout, Disconnected):
            # Rows before the bad one are in; an answer that was lost says nothing. What is there decides.
            pass
        done = dict.fromkeys((yield from self._there(kind, list(rows))))
        left = {token: row for token, row in rows.items() if token not in done}
        created = {token: token for token in done}
        if left:
            created |= yield from self._singly(left, refused, lambda row: self._one(kind, row))
        return created

    def _singly(
        self,
        rows: Mapping[str, dict[str, Any]],
        refused: dict[str, str],
        create: Callable[[dict[str, Any]], Flow[str]],
    ) -> Flow[dict[str, str]]:
        created: dict[str, str] = {}
        for token, row in rows.items():
            try:
                created[token] = yield from create(row)
            except ServerError as error:
                refused[token] = str(error)
        return created

    def _one(self, kind: KitsuType, row: dict[str, Any]) -> Flow[str]:
        """One row: imported under its id, or made by the ordinary route where the account may not import."""
        answer = yield from self.account.post(f"/import/kitsu/{kind.plural}", [row])
        if answer:
            return str(row["id"])
        plain = {name: value for name, value in row.items() if name not in ("id", "type", "entities_out")}
        made = yield from self.account.post(f"/data/{kind.plural}", plain)
        return str(made["id"])

    def _new_person(self, row: dict[str, Any]) -> Flow[str]:
        """A person, known by the address: Kitsu gives people ids of its own."""
        people = yield from self.account.get("/data/persons")
        for person in people:
            if person["email"] == row.get("email"):
                return str(person["id"])
        made = yield from self.account.post("/data/persons", {n: v for n, v in row.items() if n not in ("id", "type")})
        return str(made["id"])

    # -- changing --------------------------------------------------------------------------------------------

    def _change(self, kind: KitsuType, changes: Sequence[SideChange]) -> Flow[list[SideOutcome]]:
        """Updates, deletes and omissions, each after a look at what is there now."""
        names = {name for change in changes for name in (*change.values, *change.before)}
        if kind.name == "Task":
            names.add("type")
        rows = yield from self.reader.rows(kind.name, sorted(names), [str(change.id) for change in changes])
        now = {row.id: row.values for row in rows}
        outcomes = []
        for change in changes:
            outcomes.append((yield from self._change_one(kind, change, now.get(str(change.id)))))
        return outcomes

    def _change_one(self, kind: KitsuType, change: SideChange, now: Mapping[str, Any] | None) -> Flow[SideOutcome]:
        id = str(change.id)
        if now is None:
            ended = change.kind != "update"
            return SideOutcome("done" if ended else "conflict", id, "" if ended else "the row is gone")
        if change.kind == "update" and all(now[name] == value for name, value in change.values.items()):
            return SideOutcome("done", id)
        differing = [name for name, value in change.before.items() if now[name] != value]
        if differing:
            return SideOutcome("conflict", id, f"`{differing[0]}` is {now[differing[0]]!r:.80} now")
        try:
            if change.kind == "update":
                yield from self._update(kind, id, change.values, now)
            elif change.kind == "delete":
                yield from self._delete(kind, id)
            elif kind.archives:
                yield from self.account.put(f"/data/{kind.plural}/{id}", {"canceled": True})
            else:
                return SideOutcome("refused", id, f"Kitsu cannot set a {kind.name} aside; it can be deleted")
        except NotFound:
            return SideOutcome("conflict" if change.kind == "update" else "done", id, "the row is gone")
        except ServerError as error:
            return SideOutcome("refused", id, str(error))
        return SideOutcome("done", id)

    def _update(self, kind: KitsuType, id: str, values: Mapping[str, Any], now: Mapping[str, Any]) -> Flow[None]:
        columns = yield from self._columns(kind, values, now, {})
        if columns:
            yield from self.account.put(f"/data/{kind.plural}/{id}", columns)
        assets = _casting(kind, values)
        if assets is not None:
            yield from self._cast(id, assets)

    def _cast(self, shot: str, assets: frozenset[SideReference]) -> Flow[None]:
        """The assets of a shot; those that stay keep their count and label."""
        links = yield from self.account.get(f"/data/projects/{self.project}/entities/{shot}/casting")
        known = {link["asset_id"]: link for link in links}
        wanted = []
        for asset in sorted(assets):
            link = known.get(asset.id, {})
            count, label = link.get("nb_occurences", 1), link.get("label") or ""
            wanted.append({"asset_id": asset.id, "nb_occurences": count, "label": label})
        yield from self.account.put(f"/data/projects/{self.project}/entities/{shot}/casting", wanted)

    def _delete(self, kind: KitsuType, id: str) -> Flow[None]:
        """Delete a row with what belongs to it: without ``force`` Kitsu sets it aside or refuses."""
        plural = f"{kind.name.lower()}s" if kind.entity else kind.plural
        yield from self.account.delete(f"/data/{plural}/{id}", force=True)


def _casting(kind: KitsuType, values: Mapping[str, Any]) -> frozenset[SideReference] | None:
    """The assets among the values, if they are."""
    for name, column in kind.columns.items():
        if column.kind == "casting" and name in values:
            return frozenset(values[name])
    return None


def _assignment_of(change: SideChange) -> tuple[str, str]:
    """The ids of task and person."""
    if change.id is not None:
        return halves(change.id)
    return change.values["task"].id, change.values["person"].id


def _assigned(change: SideChange, pair: tuple[str, str], people: set[str] | None, reason: str | None) -> SideOutcome:
    id = ":".join(pair)
    if reason is not None:
        return SideOutcome("refused", id, reason)
    if change.kind == "create" and (people is None or pair[1] not in people):
        what = "the task is gone" if people is None else "Kitsu does not have this person"
        return SideOutcome("refused", None, what)
    return SideOutcome("done", id)


def _created(
    change: SideChange, there: set[str], refused: Mapping[str, str], created: Mapping[str, str]
) -> SideOutcome:
    if change.token in there:
        return SideOutcome("done", change.token)
    if change.token in created:
        return SideOutcome("done", created[change.token])
    if change.token in refused:
        return SideOutcome("refused", None, refused[change.token])
    return SideOutcome("unknown")
