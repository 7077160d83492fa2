"""Kitsu's rows as rows of a side: whole lists of a project in one request each, or rows by id, 80 at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from attrs import define

from callsheet.chunks import chunks
from callsheet.flow import Flow
from callsheet.sync.side import SideReference, SideRow
from kitsu_sync.account import KitsuAccount
from kitsu_sync.studio import NOT_ASSETS, StudioLists
from kitsu_sync.tables import KitsuColumn, KitsuType, columns_of, type_named

__all__ = ["CARRIED", "IDS", "MAIN", "ProjectReader", "halves"]

ENTITY = "entity type of the side"
"""What is added to a task: the type of what it belongs to."""

MAIN = "main"
"""What Kitsu calls a task that is the only one of its type."""

CARRIED = {"callsheet": "preview"}
"""The data of comments that the sync made to have previews: they are no notes, and are not read."""

IDS = 80
"""Ids in one request: Kitsu's web server refuses request lines above 4,094 bytes."""


@define(eq=False)
class ProjectReader:
    """Reads the rows of one project.

    Lists are read whole: Kitsu's pages tear while others write. What is cancelled is gone.
    """

    account: KitsuAccount
    lists: StudioLists
    project: str

    def rows(self, type: str, attributes: Sequence[str], ids: Sequence[str] | None) -> Flow[list[SideRow]]:
        """The rows of a type with these attributes; of all the project, or of these ids."""
        kind = type_named(type)
        if kind.name == "Assignment":
            return (yield from self._assignments(ids))
        columns = columns_of(kind, attributes)
        raw = yield from self.raw(kind, ids)
        context = yield from self._context(columns.values(), raw)
        return [_row(each, kind, columns, context) for each in raw]

    def _assignments(self, ids: Sequence[str] | None) -> Flow[list[SideRow]]:
        """Who is assigned to which task: a row for each, whose id is those of task and person."""
        tasks = None if ids is None else sorted({halves(each)[0] for each in ids})
        raw = yield from self.raw(type_named("Task"), tasks)
        found = [_assignment(task["id"], person) for task in raw for person in task["assignees"]]
        wanted = None if ids is None else set(ids)
        return [row for row in found if wanted is None or row.id in wanted]

    def raw(self, kind: KitsuType, ids: Sequence[str] | None) -> Flow[list[dict[str, Any]]]:
        """The rows as Kitsu serves them, without those that are gone or of another project or type."""
        if ids is None:
            found = yield from self._all(kind)
        else:
            found = []
            for some in chunks(ids, IDS):
                found += yield from self.account.rows(f"/data/{kind.plural}", id=list(some), **_options(kind))
        types = (yield from self.lists.load("entity-types")) if kind.entity else {}
        rows = [row for row in found if self._belongs(row, kind, types)]
        if kind.name != "Task" or not rows:
            return rows
        # What belongs to a cancelled entity is gone with it.
        entities = yield from self._entities({row["entity_id"] for row in rows})
        return [{**row, ENTITY: entities[row["entity_id"]]} for row in rows if row["entity_id"] in entities]

    def _all(self, kind: KitsuType) -> Flow[list[dict[str, Any]]]:
        if kind.name == "Person":
            return (yield from self.account.rows("/data/persons"))
        if kind.name == "Project":
            return (yield from self.account.rows("/data/projects", id=[self.project]))
        if kind.name == "Asset":
            return (yield from self.account.rows(f"/data/projects/{self.project}/assets"))
        if kind.entity:
            types = yield from self.lists.load("entity-types")
            own = [id for id, name in types.items() if name == kind.name]
            options = {"project_id": self.project, "entity_type_id": own[0]}
            return (yield from self.account.rows("/data/entities", **options))
        if kind.name in ("Comment", "Playlist"):
            some = "comments" if kind.name == "Comment" else "playlists/all"
            return (yield from self.account.rows(f"/data/projects/{self.project}/{some}"))
        return (yield from self.account.rows(f"/data/{kind.plural}", project_id=self.project, **_options(kind)))

    def _belongs(self, row: Mapping[str, Any], kind: KitsuType, types: Mapping[str, str]) -> bool:
        if row.get("canceled") or row.get("project_id", self.project) != self.project:
            return False
        if kind.name == "Person":
            return not row.get("is_bot")
        if kind.name == "Project":
            return bool(row["id"] == self.project)
        if kind.name == "Comment":
            return bool(row.get("object_type") == "Task" and row.get("data") != CARRIED)
        if not kind.entity:
            return True
        name = types.get(row["entity_type_id"], "")
        return name not in NOT_ASSETS if kind.name == "Asset" else name == kind.name

    def _context(self, columns: Iterable[KitsuColumn], raw: Sequence[Mapping[str, Any]]) -> Flow[_ReadingContext]:
        """What is needed to say values in the side's words."""
        names: dict[str, dict[str, str]] = {}
        casting: dict[str, set[str]] = {}
        for column in columns:
            if column.kind in ("name", "label"):
                for row in raw:
                    # An id that the list does not have yet is read again, once.
                    yield from self.lists.name(column.target, row.get(_named_by(column)))
                names[column.target] = yield from self.lists.load(column.target)
            elif column.kind == "casting":
                links = yield from self.links()
                for link in links:
                    casting.setdefault(link["entity_in_id"], set()).add(link["entity_out_id"])
        return _ReadingContext(self.project, names, casting)

    def links(self) -> Flow[list[dict[str, Any]]]:
        """The casting of the project: which asset is seen in which shot, how often."""
        return (yield from self.account.rows(f"/data/projects/{self.project}/entity-links"))

    def _entities(self, ids: set[str]) -> Flow[dict[str, str]]:
        """The side's type of each entity that is not gone: few by id, many by one list of the project."""
        names = yield from self.lists.load("entity-types")
        wanted = {"id": sorted(ids)} if len(ids) <= IDS else {"project_id": self.project}
        rows = yield from self.account.rows("/data/entities", **wanted, fields="id,entity_type_id,canceled")
        return {row["id"]: _side_type(names.get(row["entity_type_id"], "")) for row in rows if not row["canceled"]}


@define(eq=False)
class _ReadingContext:
    """Names of the studio's lists, assets of each shot, and the project."""

    project: str
    names: Mapping[str, Mapping[str, str]]
    casting: Mapping[str, set[str]]


def _options(kind: KitsuType) -> dict[str, Any]:
    """A task has its assignees only if relations are requested."""
    return {"relations": True} if kind.name == "Task" else {}


def _side_type(entity_type: str) -> str:
    return entity_type if entity_type in NOT_ASSETS else "Asset"


def _row(
    raw: Mapping[str, Any], kind: KitsuType, columns: Mapping[str, KitsuColumn], context: _ReadingContext
) -> SideRow:
    values = {name: _value(raw, column, context) for name, column in columns.items()}
    label = raw.get("name") or raw.get("full_name") or raw.get("text") or raw["id"]
    return SideRow(raw["id"], values, _moment(raw.get("updated_at")), raw["id"], str(label))


def _value(raw: Mapping[str, Any], column: KitsuColumn, context: _ReadingContext) -> Any:
    if column.kind == "data":
        return (raw.get("data") or {}).get(column.column)
    if column.kind == "number":
        return _number((raw.get("data") or {}).get(column.column))
    if column.kind == "casting":
        return frozenset(SideReference(column.target, each) for each in context.casting.get(raw["id"], ()))
    if column.kind == "entries":
        entries = raw.get(column.column) or ()
        return frozenset(SideReference(column.target, each["entity_id"]) for each in entries)
    value = raw.get(column.column)
    if column.kind == "parent":
        return SideReference("Project", context.project) if value is None else SideReference(column.target, value)
    if column.kind == "members":
        return frozenset(SideReference(column.target, each) for each in value or ())
    if value is None or column.kind == "plain":
        return value
    if column.kind == "day":
        return date.fromisoformat(value[:10])
    if column.kind == "label":
        return context.names[column.target].get(raw["task_type_id"], value) if value == MAIN else value
    if column.kind == "name":
        return context.names[column.target].get(value, value)
    if column.kind == "entity":
        return SideReference(raw[ENTITY], value)
    return SideReference(column.target, value)


def _named_by(column: KitsuColumn) -> str:
    """The column that has the id of what names a value."""
    return "task_type_id" if column.kind == "label" else column.column


def halves(assignment: str) -> tuple[str, str]:
    """The ids of task and person of an assignment's id."""
    task, _, person = assignment.partition(":")
    return task, person


def _assignment(task: str, person: str) -> SideRow:
    values = {"task": SideReference("Task", task), "person": SideReference("Person", person)}
    return SideRow(f"{task}:{person}", values)


def _number(value: Any) -> Any:
    """Numbers that were typed into a page are texts there."""
    if not isinstance(value, str):
        return value
    try:
        return float(value) if "." in value else int(value)
    except ValueError:
        return value or None


def _moment(text: str | None) -> datetime | None:
    """Kitsu's times are UTC without saying so."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
