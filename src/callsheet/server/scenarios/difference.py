"""What a scenario changes, entity by entity: the changes of its stages as one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from attrs import define, evolve, field
from sqlalchemy import Connection, select

from callsheet.model.history import EntityChange, Kind
from callsheet.model.operation import Operation
from callsheet.model.record import Identity, equal
from callsheet.model.schema import Schema
from callsheet.server.log import commits as log
from callsheet.server.log import receipts
from callsheet.server.scenarios.scenario import ScenarioRow
from callsheet.server.store.store import Store

__all__ = ["changes_in", "folded", "operations_in", "shown", "unstamped"]

STAMPS = ("created_at", "created_by", "updated_at", "updated_by")
"""What the computed attributes are made of that each change writes."""


def changes_in(store: Store, connection: Connection, scenarios: Iterable[ScenarioRow]) -> Iterator[EntityChange]:
    """All changes of scenarios, in the order of their stages; of several scenarios, those of the last one first."""
    stages = store.table("_scenario_stage")
    for scenario in reversed(list(scenarios)):
        here = select(stages.c.changes).where(stages.c.scenario == scenario.id).order_by(stages.c.number)
        for (data,) in connection.execute(here).all():
            yield from log.decode_changes(data)


def operations_in(store: Store, connection: Connection, scenario: ScenarioRow) -> Iterator[Operation]:
    """All operations of a scenario, in order."""
    stages = store.table("_scenario_stage")
    here = select(stages.c.operations).where(stages.c.scenario == scenario.id).order_by(stages.c.number)
    for (data,) in connection.execute(here).all():
        yield from receipts.operations_of(data)


@define
class _Fold:
    """What became of one entity."""

    first: EntityChange
    last: EntityChange
    before: dict[str, Any] = field(factory=dict)
    after: dict[str, Any] = field(factory=dict)
    members: dict[tuple[str, Identity], bool] = field(factory=dict)
    """Whether a member is in a collection afterwards; whether it was, is the opposite of the first change."""
    there: dict[tuple[str, Identity], bool] = field(factory=dict)

    def take(self, change: EntityChange) -> None:
        """Add a later change."""
        for name, value in change.before.items():
            self.before.setdefault(name, value)
        if change.kind == "delete":
            self.after = dict.fromkeys(self.after)
        for name in change.after:
            self.before.setdefault(name, None)
        self.after.update(change.after)
        for collections, present in ((change.removed, False), (change.added, True)):
            for name, found in collections.items():
                for member in found:
                    self.there.setdefault((name, member), not present)
                    self.members[name, member] = present
        self.last = change

    def change(self) -> EntityChange | None:
        """All of it as one change; None if nothing is left of it."""
        created, deleted = self.first.kind == "create", self.last.kind == "delete"
        if created and deleted:
            return None
        kind: Kind = "delete" if deleted else "create" if created else "update"
        before = {} if created else self.before
        after = {} if deleted else self.after
        if kind == "update":
            names = [name for name in before if name in after and not equal(before[name], after[name])]
            before, after = {name: before[name] for name in names}, {name: after[name] for name in names}
        elif kind == "create":
            after = {name: value for name, value in after.items() if value is not None}
        added, removed = self._net(True), self._net(False)
        if kind == "update" and not (after or added or removed):
            return None
        return EntityChange(
            self.last.identity, kind, self.first.previous, before, after, added, removed, self.last.version
        )

    def _net(self, present: bool) -> dict[str, tuple[Identity, ...]]:
        found: dict[str, tuple[Identity, ...]] = {}
        for (name, member), now in self.members.items():
            if now is present and self.there[name, member] is not present:
                found[name] = (*found.get(name, ()), member)
        return found


def folded(root_of: Callable[[str], str], changes: Iterable[EntityChange]) -> list[EntityChange]:
    """Successive changes as one for each entity; an entity that ends as it was is left out.

    >>> one = EntityChange(Identity("Task", "a"), "update", 3, {"bid": 1.0}, {"bid": 2.0}, version=2)
    >>> two = EntityChange(Identity("Task", "a"), "update", 3, {"bid": 2.0}, {"bid": 5.0}, version=3)
    >>> [(change.before, change.after) for change in folded(str, [one, two])]
    [({'bid': 1.0}, {'bid': 5.0})]
    """
    found: dict[tuple[str, str], _Fold] = {}
    for each in changes:
        place = root_of(each.identity.entity_type), str(each.identity.key)
        if place not in found:
            found[place] = _Fold(each, each)
        found[place].take(each)
    return [change for change in map(_Fold.change, found.values()) if change is not None]


def unstamped(schema: Schema, change: EntityChange) -> EntityChange:
    """A change without what the server writes at every one: when, and by whom."""
    attributes = schema.types[change.identity.entity_type].attributes
    stamps = {name for name, attribute in attributes.items() if attribute.computed in STAMPS}
    before, after = (
        {name: value for name, value in values.items() if name not in stamps}
        for values in (change.before, change.after)
    )
    return evolve(change, before=before, after=after)


def shown(
    changes: Iterable[EntityChange], readable: Callable[[Collection[Identity]], set[Identity]]
) -> list[EntityChange]:
    """The changes of entities that may be read, without references to others."""
    found = list(changes)
    visible = readable([change.identity for change in found])
    mine = [change for change in found if change.identity in visible]
    named = readable([identity for change in mine for identity in _mentioned(change)])

    def value(held: Any) -> Any:
        return None if isinstance(held, Identity) and held not in named else held

    return [
        evolve(
            change,
            before={name: value(held) for name, held in change.before.items()},
            after={name: value(held) for name, held in change.after.items()},
            added={name: tuple(named.intersection(members)) for name, members in change.added.items()},
            removed={name: tuple(named.intersection(members)) for name, members in change.removed.items()},
        )
        for change in mine
    ]


def _mentioned(change: EntityChange) -> Iterator[Identity]:
    for values in (change.before, change.after):
        yield from (value for value in values.values() if isinstance(value, Identity))
    for members in (change.added, change.removed):
        yield from (member for found in members.values() for member in found)
