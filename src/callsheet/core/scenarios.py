"""Scenarios as a session uses them: the actions of the server as flows, and what they give as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from attrs import field, frozen

from callsheet.core.core import Core
from callsheet.display import html_table, plain_table
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.history import EntityChange, change_from_plain
from callsheet.model.operation import Change
from callsheet.model.record import Identity

__all__ = ["Rebase", "ScenarioCommit", "ScenarioDifference", "ScenarioFacts", "act", "facts_of", "point_of"]

WIDTH = 100


@frozen
class ScenarioFacts:
    """What the server says of a scenario.

    ``label`` is the name by which this account finds it. ``origin`` is the scenario it stands on, None for the base;
    ``position`` that of the log when it was made or rebased; ``revision`` how often something was committed into it;
    ``readers`` the accounts it is shared with (``*``: all), which only its owner gets to know.
    """

    name: str
    label: str
    owner: str
    uid: str
    origin: str | None
    description: str
    created: datetime
    expires: datetime | None
    position: int
    revision: int
    readers: tuple[str, ...] | None


@frozen
class ScenarioDifference:
    """What a scenario changes, entity by entity; ``complete`` is false if the server left some out.

    Each change has an ``identity``, a ``kind`` (``create``, ``update``, ``delete``), the values ``before`` and
    ``after``, and the members ``added`` to collections and ``removed`` from them.
    """

    changes: tuple[EntityChange, ...] = ()
    complete: bool = True

    def __iter__(self) -> Iterator[EntityChange]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    @property
    def created(self) -> list[Identity]:
        """The entities that are only in the scenario."""
        return self._of("create")

    @property
    def deleted(self) -> list[Identity]:
        """The entities that are gone in the scenario."""
        return self._of("delete")

    @property
    def updated(self) -> dict[Identity, dict[str, tuple[Any, Any]]]:
        """The changed values of the others: before and after, by attribute."""
        return {
            change.identity: {name: (change.before.get(name), value) for name, value in change.after.items()}
            for change in self.changes
            if change.kind == "update"
        }

    def _of(self, kind: str) -> list[Identity]:
        return [change.identity for change in self.changes if change.kind == kind]

    def __str__(self) -> str:
        if not self.changes:
            return "The scenario changes nothing."
        rest = "" if self.complete else "\n… and more."
        return plain_table(("change", "entity", "values"), self._rows(), WIDTH) + rest

    def _repr_html_(self) -> str:
        return html_table(("change", "entity", "values"), self._rows())

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        for change in self.changes:
            kind, key = change.identity
            yield change.kind, f"{kind} …{str(key)[-8:]}", ", ".join(_values(change))


def _values(change: EntityChange) -> Iterator[str]:
    for name, value in change.after.items():
        was = f"{change.before.get(name)!r:.60} → " if change.kind == "update" else ""
        yield f"{name}: {was}{value!r:.60}"
    for sign, members in (("+", change.added), ("-", change.removed)):
        yield from (f"{name}: {sign}{len(found)}" for name, found in members.items())


@frozen
class Rebase:
    """What a rebase found: the entities that ``moved`` below the scenario, and whether it was ``done``.

    ``moved`` says of each entity whether it was ``changed``, ``deleted`` or ``created`` there. With ``conflicts`` and
    the policy ``raise``, nothing was done. ``position`` is the one that the scenario is based on now.
    """

    done: bool
    position: int | None
    moved: Mapping[Identity, str] = field(factory=dict)
    conflicts: tuple[Change, ...] = ()


@frozen
class ScenarioCommit:
    """The commit of a scenario: its id (the scenario's), its position, and how many operations it had.

    If the scenario stood on another one, its operations are in that one now, and ``position`` is the other's.
    """

    commit_id: str
    position: int
    time: datetime
    operations: int
    replayed: bool


def act(core: Core, action: str, **arguments: Any) -> Flow[Any]:
    """Call an action of scenarios; `UsageError` for a server without them."""
    if not core.features.scenarios:
        raise UsageError("this server has no scenarios")
    core.check_present()
    if core.scenario_name is not None:
        raise UsageError(
            f"this session is in the scenario {core.scenario_name!r}; use the session that it was made from"
        )
    core.statistics.count("call")
    return (yield from core._dialect.call(f"scenarios.{action}", arguments))


def facts_of(plain: Mapping[str, Any]) -> ScenarioFacts:
    """The facts as the server sent them."""
    readers = plain["readers"]
    return ScenarioFacts(**{**plain, "readers": None if readers is None else tuple(readers)})


def point_of(core: Core, expires: datetime | timedelta | None) -> datetime | None:
    """The time at which something expires; a duration counts from now, by the server's clock."""
    if isinstance(expires, timedelta):
        return core.server_now() + expires
    if expires is not None and (not isinstance(expires, datetime) or expires.tzinfo is None):
        raise UsageError(f"`expires` is a datetime with a time zone, a timedelta or None, not {expires!r:.80}")
    return expires


def difference(core: Core, label: str, base: bool) -> Flow[ScenarioDifference]:
    """What a scenario changes."""
    answer = yield from act(core, "diff", name=label, base=base)
    return ScenarioDifference(tuple(map(change_from_plain, answer["changes"])), not answer["more"])


def rebase(core: Core, label: str, conflicts: Literal["raise", "ours", "theirs"]) -> Flow[Rebase]:
    """Bring a scenario up to what it stands on now."""
    answer = yield from act(core, "rebase", name=label, conflicts=conflicts)
    moved = {Identity(each["type"], each["key"]): each["kind"] for each in answer["moved"]}
    return Rebase(answer["done"], answer["position"], moved, conflicts_of(answer["conflicts"]))


def conflicts_of(plain: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Conflicts as the server sent them."""
    return tuple(
        Change(Identity(*each["entity"]), each["attribute"], each["base"], each["ours"], each["theirs"])
        for each in plain
    )


def commit(core: Core, facts: ScenarioFacts, conflicts: str) -> Flow[ScenarioCommit]:
    """Commit what a scenario holds; safe to repeat, because the scenario's id is the commit's."""
    answer = yield from act(core, "commit", name=facts.label, conflicts=conflicts, uid=facts.uid)
    return ScenarioCommit(**answer)
