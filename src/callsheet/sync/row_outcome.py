"""What becomes of each row: a new entity, a changed one, or one that is as the row says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field

from callsheet.core.core import Core
from callsheet.core.required import needed
from callsheet.model.operation import Operation
from callsheet.model.record import NOT_SET, Identity
from callsheet.sync.cells import Cells
from callsheet.sync.finding import Found
from callsheet.sync.judging import Judge, same
from callsheet.sync.layout import RowLayout
from callsheet.sync.linking import RowLinks
from callsheet.sync.listed_values import lost_members, spread
from callsheet.sync.row_intake import KeyTuple, RowIntake
from callsheet.sync.row_values import RowValues
from callsheet.sync.steps import Addition, Difference, Modification, Same

__all__ = ["RowOutcome", "own_key"]


@define(eq=False)
class RowOutcome:
    """Compares rows with the entities of their keys, and keeps what was found."""

    core: Core
    layout: RowLayout
    intake: RowIntake
    linking: RowLinks | None = None
    judge: Judge | None = None
    #: The names of the attributes that are written.
    names: tuple[str, ...] = field(init=False)
    #: The attributes that a new entity needs a value for.
    needed: tuple[str, ...] = field(init=False)
    #: The places of collections and mappings from which what a row does not list is taken away, by name.
    replaced: dict[str, int] = field(init=False)
    #: How many members and items these have.
    held_members: int = 0
    #: Whether rows may give the primary key.
    _gives_keys: bool = field(init=False)
    #: Whether there are mappings as a whole, or what keeps its members.
    _lists: bool = field(init=False)
    additions: list[Addition] = field(factory=list)
    modifications: list[Modification] = field(factory=list)
    unchanged: list[Same] = field(factory=list)
    #: What the registry is to have of a row's entity: the key, the entity, and the base.
    bases: dict[int, tuple[KeyTuple, Identity, Mapping[str, Any] | None]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.names = tuple(target.name for target in self.layout.written)
        many = [place for place, each in enumerate(self.layout.written) if each.writes in ("members", "items")]
        self.replaced = {self.names[place]: place for place in many if self.names[place] not in self.layout.added_to}
        self._gives_keys = all(name in self.layout.targets for name in self.layout.entity_type.key)
        self._lists = bool(self.layout.whole or self.layout.added_to)
        self.needed = () if self.core.features.fills else needed(self.layout.entity_type)

    def compare_all(
        self,
        present: Mapping[KeyTuple, list[Found]],
        identities: Mapping[KeyTuple, Identity],
        values_of: RowValues,
    ) -> None:
        """Decide on all rows: ``present`` has the entities that are there, ``identities`` those that are to be made."""
        layout = self.layout
        agrees = None if self.judge is not None or self._gives_keys else values_of.agreement(self.names)
        for key, cells in self.intake.keys.items():
            found = present.get(key, ())
            if agrees is not None and len(found) == 1 and agrees(cells.values, found[0].values):
                # Most rows are what their entity is.
                if self.linking is not None:
                    self.bases[cells.number] = (key, found[0].identity, None)
                self.unchanged.append(Same(cells.number, key, found[0].identity))
                continue
            if len(found) > 1:
                what = f"{len(found)} entities of type {layout.entity_type.name} have this key"
                reason = f"{what}; a longer key tells them apart"
                self.intake.refuse(cells.number, layout.keys[-1], key[-1], reason)
                continue
            values = values_of.of(cells)
            if values is None:
                continue
            if found:
                self._compare(key, cells, values, found[0])
            else:
                self._add(key, cells, values, identities[key])

    def _add(self, key: KeyTuple, cells: Cells, values: dict[str, Any], identity: Identity) -> None:
        self.spread(values, {})
        members = {name: tuple(sorted(each)) for name, each in values.items() if each and isinstance(each, frozenset)}
        attributes = self.layout.entity_type.attributes
        plain = {
            # An empty cell stays empty where a default would step in.
            n: each
            for n, each in values.items()
            if not isinstance(each, frozenset)
            and (each is not None or (n in attributes and attributes[n].default is not None))
        }
        missing = [name for name in self.needed if plain.get(name) is None]
        if missing:
            self.intake.refuse(cells.number, ", ".join(missing), NOT_SET, "has no value, and a new entity needs one")
            return
        self.additions.append(Addition(cells.number, key, identity, plain, members))
        self.bases[cells.number] = (key, identity, None if self.judge is None else values)

    def _compare(self, key: KeyTuple, cells: Cells, values: dict[str, Any], found: Found) -> None:
        own = own_key(self.layout, cells) if self._gives_keys else None
        if own is not None and own != found.identity.key:
            reason = f"cannot change: the entity has {found.identity.key!r:.60} for good"
            self.intake.refuse(cells.number, self.layout.entity_type.key[0], own, reason)
            return
        for place in self.replaced.values():
            self.held_members += len(found.values[place] or ())
        judged = self._judged(key, cells, values, found)
        differences = tuple(self._differences(values, found)) if judged is None else judged
        for each in differences:
            attribute = self.layout.entity_type.attributes.get(each.attribute)
            if attribute is not None and attribute.immutable:
                reason = f"cannot change: the entity has {each.before!r:.60} for good"
                self.intake.refuse(cells.number, each.attribute, each.after, reason)
                return
        if differences:
            changed = Modification(cells.number, key, found.identity, found.version, differences)
            self.modifications.append(changed)
        else:
            self.unchanged.append(Same(cells.number, key, found.identity))

    def _judged(
        self, key: KeyTuple, cells: Cells, values: dict[str, Any], found: Found
    ) -> tuple[Difference, ...] | None:
        """What changes by the policies, and what is noted; None where the row decides."""
        if self.judge is None or self.linking is None:
            self.bases[cells.number] = (key, found.identity, None)
            return None
        base = self.linking.base(key, found.identity)
        there = self.beside(values, found)
        judged = self.judge.judge(cells, key, found, base, values, there)
        self.bases[cells.number] = (key, found.identity, judged.base)
        return judged.differences

    def beside(self, values: dict[str, Any], found: Found) -> dict[str, Any]:
        """What is there, by the names of the row's values; these get a value for each item of a mapping."""
        there = dict(zip(self.names, found.values))
        self.spread(values, there)
        return there

    def spread(self, values: dict[str, Any], there: dict[str, Any]) -> None:
        """Give each item of mappings a value of its own."""
        if self._lists:
            spread(self.layout.entity_type, self.layout.whole, self.layout.added_to, values, there)

    def _differences(self, values: dict[str, Any], found: Found) -> Iterable[Difference]:
        for name, now in self.beside(values, found).items() if self._lists else zip(self.names, found.values):
            then = values.get(name, NOT_SET)
            if then is NOT_SET or (now == then and type(now) is type(then)):
                continue
            if isinstance(then, frozenset):
                now = now or frozenset()
            if not same(now, then):
                yield Difference(name, now, then)

    def drop(self, rows: set[int]) -> None:
        """These rows were refused after all."""
        self.additions = [each for each in self.additions if each.row not in rows]
        self.modifications = [each for each in self.modifications if each.row not in rows]
        self.unchanged = [each for each in self.unchanged if each.row not in rows]

    @property
    def lost_members(self) -> int:
        """How many members and items of these go that no others replace."""
        return lost_members(self.modifications, self.replaced) if self.replaced else 0

    @property
    def taken(self) -> set[int]:
        """The rows that were not refused."""
        taken = {each.row for each in self.additions}
        return taken | {each.row for each in self.modifications} | {each.row for each in self.unchanged}

    def links(self, rows: set[int]) -> dict[Identity, Operation]:
        """What the registry gets for the rows that go in."""
        if self.linking is None:
            return {}
        noted = (self.bases[row] for row in rows if row in self.bases)
        links = {identity: self.linking.link(key, identity, base) for key, identity, base in noted}
        return {identity: operation for identity, operation in links.items() if operation is not None}


def own_key(layout: RowLayout, cells: Cells) -> Any:
    """The primary key that a row gives, None if it gives none or not all of it."""
    names = layout.entity_type.key
    if any(name not in layout.targets for name in names):
        return None
    parts = tuple(cells.values.get(name) for name in names)
    return None if None in parts else parts if len(parts) > 1 else parts[0]
