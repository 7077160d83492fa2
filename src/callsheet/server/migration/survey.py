"""What a change of the schema means for the rows of a database: which values are lost, and which do not fit.

Only rows that a change concerns are read, each value with the function that will change it (`cells.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import Column, Connection, Table, func, select

from callsheet.server.migration.cells import Cures, Misfit, cell_of, cure_of
from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.migration.families import concrete_origins, is_other
from callsheet.server.migration.links import link_plans
from callsheet.server.migration.targets import loses_rows, old_kinds
from callsheet.server.store.alike import alike_form
from callsheet.server.store.layout import Layout, layout_of, stored
from callsheet.server.store.rules import Combination, rules_of

__all__ = ["NAMED", "Survey", "UnfitEntity", "survey"]

NAMED = 20
"""The most entities of one attribute that are named."""


@frozen
class UnfitEntity:
    """An entity that does not fit, by its old type and key, and why."""

    entity_type: str
    key: str
    why: str


@define
class Survey:
    """Numbers by type and attribute, in the new names; of what is dropped, in the old ones.

    ``lost`` are values (of a type: entities) that are gone afterwards; ``changed`` those that become others; ``unfit``
    do not fit, of which `NAMED` are kept as ``examples``.
    """

    rows: Counter[str] = field(factory=Counter)
    lost: Counter[tuple[str, str | None]] = field(factory=Counter)
    changed: Counter[tuple[str, str | None]] = field(factory=Counter)
    unfit: Counter[tuple[str, str | None]] = field(factory=Counter)
    examples: dict[tuple[str, str | None], list[UnfitEntity]] = field(factory=dict)

    def misfit(self, place: tuple[str, str | None], found: UnfitEntity) -> None:
        """Count an entity that does not fit."""
        self.unfit[place] += 1
        held = self.examples.setdefault(place, [])
        if len(held) < NAMED:
            held.append(found)


def survey(connection: Connection, both: Correspondence, cures: Cures, now: datetime) -> Survey:
    """Read what the change concerns."""
    return _Surveying(connection, both, cures, now).done()


@define(eq=False)
class _Surveying:
    connection: Connection
    both: Correspondence
    cures: Cures
    now: datetime
    old: Layout = field(init=False)
    found: Survey = field(factory=Survey)

    def __attrs_post_init__(self) -> None:
        self.old = layout_of(self.both.old)

    def done(self) -> Survey:
        both = self.both
        for name, each in both.old.types.items():
            if not each.abstract:
                self.found.rows[name] = self._count(self._table(name), name)
        for name in both.lost_types:
            if lost := self.found.rows[name]:
                self.found.lost[name, None] = lost
        for root in (name for name, each in both.new.types.items() if not each.parent):
            for name, origin in concrete_origins(both, root).items():
                self._type(name, origin)
        self._links()
        for combination in self._combinations():
            self._unique(combination)
        return self.found

    def _table(self, old_type: str) -> Table:
        return self.old.tables[self.both.old.types[old_type].root]

    def _count(self, table: Table, old_type: str, column: Column[Any] | None = None) -> int:
        wanted = select(func.count()).select_from(table).where(table.c._type == old_type)
        if column is not None:
            wanted = wanted.where(column.is_not(None))
        return int(self.connection.execute(wanted).scalar_one())

    def _type(self, name: str, origin: str) -> None:
        there, here, table = self.both.old.types[origin], self.both.new.types[name], self._table(origin)
        if not self.found.rows[origin]:
            return
        if here.abstract:
            for key in self.connection.execute(select(table.c.id).where(table.c._type == origin)).scalars():
                self.found.misfit((name, None), UnfitEntity(origin, key, f"{name} is abstract and has no entities"))
        kept = {
            carried.name
            for attribute in here.attributes
            if (carried := self.both.carried(name, attribute)) is not None and stored(carried)
        }
        for attribute in there.attributes.values():
            if stored(attribute) and attribute.name not in kept and attribute.name != "id":
                lost = self._count(table, origin, table.c[attribute.name])
                new_name = self.both.names.get((origin, attribute.name))
                if lost:
                    self.found.lost[name, new_name or attribute.name] += lost
        for attribute in here.attributes.values():
            if stored(attribute) and attribute.name != "id":
                self._values(name, origin, attribute.name)

    def _values(self, name: str, origin: str, attribute: str) -> None:
        """Convert the values of one attribute of a type that may become others."""
        here, there = self.both.new.types[name].attributes[attribute], self.both.carried(name, attribute)
        cure, table = cure_of(self.cures, self.both.new, name, attribute), self._table(origin)
        reference = here.kind == "reference" and there is not None
        moved = reference and not self._leads(str(there and there.target), str(here.target))
        if not (is_other(there, here) or moved or (name, attribute) in self.cures or cure.clear):
            return
        cell = cell_of(name, there, here, cure, self.now)
        column = table.c.id if there is None else table.c[there.name]
        wanted = select(table.c.id, column).where(table.c._type == origin)
        place, held = (name, attribute), self._held(str(here.target)) if moved else None
        for key, read in self.connection.execute(wanted).all():
            value = None if there is None else read
            try:
                made = cell(value)
                if held is not None and made is not None and made not in held:
                    if not self._gone(str(there and there.target), made) and not cure.clear:
                        raise Misfit(f"it refers to {made}, which is no {here.target}")
                    made = None
                    if here.required:
                        raise Misfit(f"it refers to {value}, which is gone, and a value is required")
            except Misfit as misfit:
                self.found.misfit(place, UnfitEntity(origin, key, str(misfit)))
                continue
            if made is None and value is not None:
                self.found.lost[place] += 1
            elif made != value or type(made) is not type(value):
                self.found.changed[place] += 1

    def _leads(self, old_target: str, target: str) -> bool:
        """Whether a reference may hold all that it could."""
        return set(self.both.old.concrete(old_target)) <= old_kinds(self.both, target)

    def _held(self, target: str) -> set[str]:
        """The keys of all entities that are of a type afterwards."""
        found: set[str] = set()
        for kind in old_kinds(self.both, target):
            table = self._table(kind)
            found.update(self.connection.execute(select(table.c.id).where(table.c._type == kind)).scalars())
        return found

    def _gone(self, old_target: str, key: str) -> bool:
        """Whether what a reference holds goes with its type."""
        table = self._table(old_target)
        kind = self.connection.execute(select(table.c._type).where(table.c.id == key)).scalar()
        return kind is None or kind in self.both.lost_types

    def _links(self) -> None:
        """Pairs that go with their relation, or with one of their ends."""
        plans = link_plans(self.both)
        kept = {plan.source: plan for plan in plans.values() if plan.source is not None}
        places: dict[str, tuple[str, str]] = {}
        for (name, attribute), link in self.old.links.items():
            top = self.both.old.declarer(name, attribute)
            places.setdefault(link.table.name, (self.both.successors.get(top, top), attribute))
        for name, attribute in self.old.links:
            link = self.old.links[name, attribute]
            if places.get(link.table.name, ("", ""))[1] != attribute:
                continue
            if self.both.successors.get(name) is None and places[link.table.name][0] not in self.both.new.types:
                # Its entities are gone, and counted, as a whole.
                continue
            plan = kept.get(link.table.name)
            mine = link.near.in_(self._staying(name, attribute))
            lost = select(func.count()).select_from(link.table).where(mine)
            if plan is not None:
                if not loses_rows(self.both, plan.near) and not loses_rows(self.both, plan.far):
                    continue
                ends = (plan.far, plan.near) if plan.turned else (plan.near, plan.far)
                whole = link.table.c.owner.in_(self._keys(ends[0])) & link.table.c.member.in_(self._keys(ends[1]))
                lost = lost.where(~whole)
            place = places.pop(link.table.name)
            if count := int(self.connection.execute(lost).scalar_one()):
                self.found.lost[place] += count

    def _staying(self, name: str, attribute: str) -> Any:
        """The keys of the entities that have an old attribute and are still there."""
        kinds = self.both.old.concrete(self.both.old.declarer(name, attribute))
        return self._of_kinds({kind for kind in kinds if kind in self.both.successors})

    def _keys(self, target: str) -> Any:
        return self._of_kinds(old_kinds(self.both, target))

    def _of_kinds(self, kinds: set[str]) -> Any:
        parts = [
            select(table.c.id).where(table.c._type.in_(sorted(kinds)))
            for table in {self._table(kind).name: self._table(kind) for kind in kinds}.values()
        ]
        if not parts:
            return ()
        return parts[0] if len(parts) == 1 else parts[0].union_all(*parts[1:])

    def _combinations(self) -> Iterator[Combination]:
        """The unique combinations of the new schema that rows may break."""
        rules, old_rules = rules_of(self.both.new), rules_of(self.both.old)
        known = {
            each for name, kind in self.both.old.types.items() if not kind.abstract
            for each in old_rules.of(self.both.old, name).unique
        }  # fmt: skip
        seen: set[Combination] = set()
        for name, kind in self.both.new.types.items():
            if kind.abstract:
                continue
            for each in rules.of(self.both.new, name).unique:
                if each not in seen and self._concerns(each, known):
                    yield each
                seen.add(each)

    def _concerns(self, combination: Combination, known: set[Combination]) -> bool:
        scope, names = combination.scope, combination.names
        origin = self.both.origins.get(scope)
        if origin is None:
            return True
        before = Combination(origin, tuple(self.both.sources.get((scope, n), n) for n in names), combination.alike)
        if before not in known or not old_kinds(self.both, scope) <= set(self.both.old.concrete(origin)):
            return True
        return any(
            is_other(self.both.carried(kind, name), self.both.new.types[kind].attributes[name])
            or cure_of(self.cures, self.both.new, kind, name) != cure_of({}, self.both.new, kind, "")
            for kind in self.both.new.concrete(scope)
            if kind in self.both.origins
            for name in names
            if name in self.both.new.types[kind].attributes
        )

    def _unique(self, combination: Combination) -> None:
        """Find entities that would have the same values."""
        seen: dict[tuple[Any, ...], str] = {}
        place = (combination.scope, combination.names[-1])
        for name in self.both.new.concrete(combination.scope):
            origin = self.both.origins.get(name)
            if origin is None or self.both.old.types[origin].abstract:
                continue
            for key, values in self._combined(name, origin, combination):
                if all(value is None for value in values):
                    continue
                if values in seen:
                    words = ", ".join(f"{n} {v!r:.80}" for n, v in zip(combination.names, values))
                    self.found.misfit(place, UnfitEntity(origin, key, f"{words} is also that of {seen[values]}"))
                else:
                    seen[values] = key

    def _combined(self, name: str, origin: str, combination: Combination) -> Iterator[tuple[str, tuple[Any, ...]]]:
        table, entity_type = self._table(origin), self.both.new.types[name]
        columns, cells = [], []
        for attribute in combination.names:
            there, cure = self.both.carried(name, attribute), cure_of(self.cures, self.both.new, name, attribute)
            columns.append(table.c.id if there is None else table.c[there.name])
            cell = cell_of(name, there, entity_type.attributes[attribute], cure, self.now)
            cells.append((there is None, cell))
        rows = select(table.c.id, *columns).where(table.c._type == origin)
        for key, *read in self.connection.execute(rows).all():
            try:
                values = [cell(None if empty else value) for (empty, cell), value in zip(cells, read)]
            except Misfit:
                continue
            if combination.alike:
                values = [alike_form(value) if isinstance(value, str) else value for value in values]
            yield key, tuple(values)
