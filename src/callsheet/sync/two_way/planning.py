"""Planning a two-way sync: what changed is read on both sides, and compared.

Theory. Each side reports what changed since the last run; only those rows, their partners, and the rows that were left
open are read. Everything is read in the first run, with ``whole=True``, and of a side that cannot report changes. The
positions are taken before anything is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from callsheet.sync.registry import ForeignLink, count_links, registry_type
from callsheet.sync.side import Side, SideReference, SideRow
from callsheet.sync.two_way.comparing import OTHER, compared
from callsheet.sync.two_way.conversation import Conversation, Turn
from callsheet.sync.two_way.notes import SyncState, learn, load, load_state
from callsheet.sync.two_way.outcome import PairPlan
from callsheet.sync.two_way.pairing import SideName, TypePair, mapping_names
from callsheet.sync.two_way.terms import Pairs, references

__all__ = ["Findings", "TwoWayPlanning"]

Changed = Mapping[str, Collection[str]]
FAR = 10
"""Commits after which a position is noted though nothing changed: noting it is a commit, too."""


@define(eq=False)
class Findings:
    """What planning found: the plans of all pairs, the links, and what the state will be."""

    plans: list[PairPlan]
    pairs: Pairs
    positions: tuple[Any, Any]
    state: SyncState
    state_link: ForeignLink | None
    #: Whether anything was read, so that the positions are worth noting.
    moved: bool


@define(eq=False)
class TwoWayPlanning:
    """One plan in the making."""

    left: Side
    right: Side
    registry: Any
    mapping: Sequence[TypePair]
    name: str
    #: What the origin of this sync's own changes begins with.
    origin: str
    whole: bool = False
    rows: dict[tuple[SideName, str], dict[str, SideRow]] = field(factory=dict)

    def plan(self) -> Conversation[Findings]:
        """Read both sides and compare them."""
        state, link = yield Turn(self.registry, self._state())
        if state.mapping != mapping_names(self.mapping):
            state = SyncState()
        changed, positions = yield from self._changes(state)
        types = [pair.right for pair in self.mapping]
        if changed is None:
            pairs = yield Turn(self.registry, load(self.registry, self.right.name, None, None, types))
            for side in ("left", "right"):
                for pair in self.mapping:
                    yield from self._read(side, pair, None)
        else:
            pairs = yield Turn(self.registry, load(self.registry, self.right.name, *changed, types))
            yield from self._read_changed(pairs, *changed)
        yield from self._learn_partners(pairs)
        plans = compared(self.right.name, pairs, (self._of(pair) for pair in self.mapping))
        if changed is not None:
            plans = yield from self._counted(plans)
        moved = changed is None or any(ids for each in changed for ids in each.values())
        moved = moved or _is_far(state.left, positions[0]) or _is_far(state.right, positions[1])
        return Findings(plans, pairs, positions, state, link, moved)

    def _counted(self, plans: list[PairPlan]) -> Conversation[list[PairPlan]]:
        """The plans with how many pairs there are, where rows would go: only some were read."""
        found = []
        for plan in plans:
            if any(each.kind in ("delete", "omit") for each in plan.writes):
                living = yield Turn(self.registry, count_links(self.registry, self.right.name, plan.pair.right))
                plan = evolve(plan, living=living)
            found.append(plan)
        return found

    def _state(self) -> Any:
        registry_type(self.registry.schema)
        return (yield from load_state(self.registry, self.name))

    def _side(self, side: SideName) -> Side:
        return self.left if side == "left" else self.right

    def _of(self, pair: TypePair) -> tuple[TypePair, dict[str, SideRow], dict[str, SideRow]]:
        return pair, self.rows.get(("left", pair.left), {}), self.rows.get(("right", pair.right), {})

    def _changes(self, state: SyncState) -> Conversation[tuple[tuple[Changed, Changed] | None, tuple[Any, Any]]]:
        """What changed on both sides, None where all has to be read; and the positions now."""
        found = {}
        for side in ("left", "right"):
            types = [pair.type(side) for pair in self.mapping]
            party, since = self._side(side), getattr(state, side)
            found[side] = yield Turn(party, party.changes(types, since, self.origin))
        positions = (found["left"].position, found["right"].position)
        lefts, rights = found["left"].ids, found["right"].ids
        if self.whole or state.left is None or state.right is None or lefts is None or rights is None:
            return None, positions
        return (_joined(lefts, state.open_left), _joined(rights, state.open_right)), positions

    def _read(self, side: SideName, pair: TypePair, ids: Sequence[str] | None) -> Conversation[None]:
        if ids is not None and not ids:
            return
        party, type = self._side(side), pair.type(side)
        rows = yield Turn(party, party.read(type, pair.names(side), ids))
        self.rows.setdefault((side, type), {}).update({row.id: row for row in rows})

    def _read_changed(self, pairs: Pairs, lefts: Changed, rights: Changed) -> Conversation[None]:
        """Read what changed, and the partners of what changed."""
        for pair in self.mapping:
            mine, theirs = set(lefts.get(pair.left, ())), set(rights.get(pair.right, ()))
            partners = [pairs.right_of(SideReference(pair.left, each)) for each in mine]
            others = [pairs.left_of(SideReference(pair.right, each)) for each in theirs]
            mine |= {each.id for each in others if each is not None and each.type == pair.left}
            theirs |= {each.id for each in partners if each is not None and each.type == pair.right}
            yield from self._read("left", pair, sorted(mine))
            yield from self._read("right", pair, sorted(theirs))
            yield from self._read_candidates(pairs, pair)

    def _read_candidates(self, pairs: Pairs, pair: TypePair) -> Conversation[None]:
        """Rows that were never made on the other side may be what a new row is paired with."""
        for side in ("left", "right"):
            known = pairs.right_of if side == "left" else pairs.left_of
            ids = self.rows.get((side, pair.type(side)), {})
            unpaired = any(known(SideReference(pair.type(side), each)) is None for each in ids)
            if unpaired and pair.adopt and not pair.creates_on(side):
                yield from self._read(OTHER[side], pair, None)
                found = [
                    SideReference(pair.type(OTHER[side]), each)
                    for each in self.rows[OTHER[side], pair.type(OTHER[side])]
                ]
                yield Turn(self.registry, learn(self.registry, self.right.name, pairs, found, OTHER[side]))

    def _learn_partners(self, pairs: Pairs) -> Conversation[None]:
        """Learn the partners of what the rows refer to."""
        for side in ("left", "right"):
            rows = (row for (own, _), found in self.rows.items() if own == side for row in found.values())
            wanted = {each for row in rows for value in row.values.values() for each in references(value)}
            yield Turn(self.registry, learn(self.registry, self.right.name, pairs, wanted, side))


def _is_far(noted: Any, now: Any) -> bool:
    """Whether a log has so much new (the own changes, those of other types) that it is not read again each time."""
    return isinstance(noted, int) and isinstance(now, int) and now - noted > FAR


def _joined(changed: Changed, left_open: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    names = [*changed, *left_open]
    return {name: {*changed.get(name, ()), *left_open.get(name, ())} for name in names}
