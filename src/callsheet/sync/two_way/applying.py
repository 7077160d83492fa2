"""Applying a two-way plan: chunks to each side, an outcome for each change, and what the registry notes of it.

Theory. Rows are made before what refers to them; a reference that has to wait (in a circle) is written once its row is
there. After each chunk the registry notes the links of what was made and the values that are now equal. What was
refused, is in conflict or has no known outcome is noted as open, and read again by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field, frozen

from callsheet.chunks import chunks
from callsheet.errors import StateError
from callsheet.model.operation import Delete, Operation
from callsheet.model.record import Identity
from callsheet.sync.registry import ForeignLink, link_operation
from callsheet.sync.side import Side, SideChange, SideOutcome, SideReference
from callsheet.sync.two_way.conversation import Conversation, Turn
from callsheet.sync.two_way.notes import SyncState, note, state_operation
from callsheet.sync.two_way.outcome import PairPlan, SideWrite
from callsheet.sync.two_way.pairing import SideName, mapping_names
from callsheet.sync.two_way.planning import Findings
from callsheet.sync.two_way.terms import RightOnly, Unpaired, from_base, references, to_base

__all__ = ["SideResult", "TwoWayApplying", "TwoWayResult", "check"]

SIDES: tuple[SideName, SideName] = ("left", "right")


@frozen
class SideResult:
    """One change to a side, and what became of it."""

    write: SideWrite
    outcome: SideOutcome


@frozen
class TwoWayResult:
    """What applying did: the changes of each side with their outcomes, and how many pairs were linked."""

    left: tuple[SideResult, ...] = ()
    right: tuple[SideResult, ...] = ()
    linked: int = 0

    @property
    def refused(self) -> tuple[SideResult, ...]:
        """The changes that were not done, or whose outcome is unknown."""
        return tuple(each for each in (*self.left, *self.right) if each.outcome.status != "done")


@define(eq=False)
class TwoWayApplying:
    """The progress of applying a two-way plan."""

    left: Side
    right: Side
    registry: Any
    found: Findings
    name: str
    origin: str
    chunk: int = 100
    progress: Callable[[int, int], Any] | None = None
    done: int = 0
    linked: int = 0
    results: dict[SideName, list[SideResult]] = field(factory=lambda: {"left": [], "right": []})
    #: Bases by the left row, as far as they are known to be equal.
    bases: dict[SideReference, dict[str, Any]] = field(factory=dict)
    #: The links as the registry has them.
    noted: dict[Identity, ForeignLink] = field(init=False)

    def __attrs_post_init__(self) -> None:
        known = self.found.pairs.links.values()
        self.noted = {link.identity: evolve(link, version=None) for link in known if link.version is not None}

    def apply(self) -> Conversation[TwoWayResult]:
        """Write to both sides, and note what is equal."""
        plans = self.found.plans
        yield from self._note(self._known(plans))
        for side in SIDES:
            writes = [write for plan in plans for write in plan.on(side)]
            yield from self._write_all(side, [each for each in writes if each.kind in ("create", "update")])
        for side in SIDES:
            writes = [write for plan in plans for write in plan.on(side)]
            yield from self._write_all(side, [each for each in writes if each.kind in ("delete", "omit")])
        if self.found.moved:
            operation = state_operation(self.name, self._state(), self.found.state_link)
            if operation is not None:
                yield Turn(self.registry, note(self.registry, [operation], self.origin))
        return TwoWayResult(tuple(self.results["left"]), tuple(self.results["right"]), self.linked)

    # -- writing ---------------------------------------------------------------------------------------------

    def _write_all(self, side: SideName, writes: Sequence[SideWrite]) -> Conversation[None]:
        waiting: list[SideWrite] = []
        for run in self._runs(side, writes):
            ready = [self._ready(side, each, waiting) for each in run]
            yield from self._write(side, ready)
        if waiting:
            yield from self._write(side, waiting)

    def _runs(self, side: SideName, writes: Sequence[SideWrite]) -> Iterator[list[SideWrite]]:
        """Runs of at most a chunk, in which no row refers to one that is made in the same run."""
        ordered = list(_in_order(writes))
        run: list[SideWrite] = []
        made: set[Any] = set()
        for write in ordered:
            if len(run) >= self.chunk or any(
                each in made for value in write.values.values() for each in references(value)
            ):
                yield run
                run, made = [], set()
            run.append(write)
            if write.kind == "create":
                made.add(_source(write))
        if run:
            yield run

    def _ready(self, side: SideName, write: SideWrite, waiting: list[SideWrite]) -> SideWrite:
        """The change without references whose rows are not there yet; these are written afterwards."""
        late = {name: value for name, value in write.values.items() if self._is_late(side, write, name)}
        if not late:
            return write
        waiting.append(evolve(write, kind="update", values=late, before=dict.fromkeys(late), token=""))
        return evolve(write, values={name: value for name, value in write.values.items() if name not in late})

    def _is_late(self, side: SideName, write: SideWrite, name: str) -> bool:
        try:
            self._translated(side, write, {name: write.values[name]})
        except Unpaired:
            return True
        return False

    def _translated(self, side: SideName, write: SideWrite, values: Mapping[str, Any]) -> dict[str, Any]:
        pairs, columns = self.found.pairs, write.pair.columns
        if side == "left":
            return {name: pairs.to_left(value) for name, value in values.items()}
        return {columns[name].to: pairs.to_right(columns[name], value) for name, value in values.items()}

    def _write(self, side: SideName, writes: Sequence[SideWrite]) -> Conversation[None]:
        party = self.left if side == "left" else self.right
        for run in chunks(writes, self.chunk):
            changes: list[SideChange] = []
            sent: list[SideWrite] = []
            for write in run:
                change = self._change(side, write)
                if isinstance(change, SideOutcome):
                    self.results[side].append(SideResult(write, change))
                else:
                    changes.append(change)
                    sent.append(write)
            outcomes = (yield Turn(party, party.write(changes, self.origin))) if changes else ()
            operations: list[Operation] = []
            for write, outcome in zip(sent, outcomes, strict=True):
                self.results[side].append(SideResult(write, outcome))
                if outcome.status == "done":
                    operations += self._noted(side, write, outcome)
            yield from self._note(operations)
            self.done += len(run)
            yield from self._announce()

    def _change(self, side: SideName, write: SideWrite) -> SideChange | SideOutcome:
        """What the side is sent; an outcome where it cannot be."""
        own = write.left if side == "left" else write.right
        if write.kind == "update" and own is None:
            # The rest of a row that was made just now.
            own = self._partner(side, write)
            if own is None:
                return SideOutcome("refused", None, "the row itself was refused")
        given = write.values
        if write.kind == "create":
            # What is empty there may have a default here, which then is an edit of this side.
            given = {name: value for name, value in given.items() if value is not None}
        try:
            values = self._translated(side, write, given)
        except Unpaired as unpaired:
            return SideOutcome("refused", own, str(unpaired))
        before = self._before(side, write)
        return SideChange(
            write.kind, write.pair.type(side), None if write.kind == "create" else own, values, before, write.token
        )

    def _before(self, side: SideName, write: SideWrite) -> dict[str, Any]:
        """What the side has, as far as it can be said in its terms."""
        found: dict[str, Any] = {}
        for name, value in write.before.items():
            try:
                found |= self._translated(side, write, {name: value})
            except Unpaired:
                continue
        return found

    def _partner(self, side: SideName, write: SideWrite) -> str | None:
        pairs, pair = self.found.pairs, write.pair
        if side == "left":
            found = pairs.left_of(SideReference(pair.right, write.right or ""))
        else:
            found = pairs.right_of(SideReference(pair.left, write.left or ""))
        return None if found is None else found.id

    def _announce(self) -> Conversation[None]:
        if self.progress is not None:
            total = sum(len(plan.writes) for plan in self.found.plans)
            self.progress(min(self.done, total), total)
        yield from ()

    # -- noting ----------------------------------------------------------------------------------------------

    def _known(self, plans: Iterable[PairPlan]) -> list[Operation]:
        """What is known before anything is written: rows that were paired, and values that are equal."""
        operations: list[Operation] = []
        for plan in plans:
            self.linked += len(plan.linked)
            lefts = [SideReference(plan.pair.left, each.left) for each in plan.linked]
            settled = [SideReference(plan.pair.left, left) for left, _ in plan.settled]
            for (left, _), values in plan.settled.items():
                self._add(SideReference(plan.pair.left, left), values)
            operations += [each for left in dict.fromkeys((*lefts, *settled)) for each in self._linked(left)]
        return operations

    def _add(self, left: SideReference, values: Mapping[str, Any]) -> dict[str, Any]:
        link = self.found.pairs.links[left]
        base = self.bases.setdefault(left, from_base(link.base))
        base.update(values)
        return base

    def _linked(self, left: SideReference, ended: bool = False) -> list[Operation]:
        """What makes the registry have a link with the base that is known now."""
        link = self.found.pairs.links[left]
        base = None if ended else to_base(self.bases.get(left, from_base(link.base)))
        # The values that are replaced are the condition, not the version: what this run wrote moved it.
        new, old = evolve(link, base=base, version=None), self.noted.get(link.identity)
        operation = link_operation(new, old)
        self.noted[new.identity] = new
        self.found.pairs.add(new)
        return [] if operation is None else [operation]

    def _unlinked(self, left: SideReference) -> list[Operation]:
        link = self.found.pairs.links.pop(left)
        old = self.noted.pop(link.identity, None)
        return [] if old is None else [Delete(old.identity)]

    def _noted(self, side: SideName, write: SideWrite, outcome: SideOutcome) -> list[Operation]:
        """What the registry notes of a change that is done."""
        pair = write.pair
        if write.kind == "create":
            left = SideReference(pair.left, str(outcome.id) if side == "left" else str(write.left))
            right = str(write.right) if side == "left" else str(outcome.id)
            replaced = self._link(left, SideReference(pair.right, right))
        else:
            replaced = []
            found = self.found.pairs.left_of(SideReference(pair.right, write.right)) if write.right else None
            left = found or SideReference(pair.left, str(write.left))
        if write.kind == "delete":
            # A row that comes back is made again.
            return self._unlinked(left)
        if write.kind == "omit":
            return self._linked(left, ended=True)
        values = {}
        for name, value in write.values.items():
            try:
                values[name] = self.found.pairs.to_left(value)
            except Unpaired:
                continue
        self._add(left, values)
        return [*replaced, *self._linked(left)]

    def _link(self, left: SideReference, right: SideReference) -> list[Operation]:
        """Link two rows; the link to a row of the right that is gone, in whose place this one was made, ends."""
        pairs = self.found.pairs
        entity = Identity(left.type, left.id)
        old_left = pairs.left_of(right)
        old = pairs.links.get(left) or (pairs.links.get(old_left) if old_left else None)
        if old is not None and old.foreign_id == right.id:
            pairs.add(evolve(old, entity=entity, base=None))
            return []
        ended = self._unlinked(left) if left in pairs.links else []
        pairs.add(ForeignLink(self.right.name, right.type, right.id, entity))
        return ended

    def _note(self, operations: Sequence[Operation]) -> Conversation[None]:
        if operations:
            yield Turn(self.registry, note(self.registry, operations, self.origin))

    def _state(self) -> SyncState:
        """Where both sides were read up to, and what the next run has to read again."""
        lefts: dict[str, set[str]] = {}
        rights: dict[str, set[str]] = {}

        def leave(left_type: str, left: str | None, right_type: str, right: str | None) -> None:
            if left:
                lefts.setdefault(left_type, set()).add(left)
            if right:
                rights.setdefault(right_type, set()).add(right)

        for plan in self.found.plans:
            pair = plan.pair
            for conflict in plan.conflicts:
                leave(pair.left, conflict.left, pair.right, conflict.right)
            for refusal in plan.refused:
                leave(pair.left, refusal.left, pair.right, refusal.right)
        for result in (*self.results["left"], *self.results["right"]):
            if result.outcome.status != "done":
                write = result.write
                leave(write.pair.left, write.left, write.pair.right, write.right)
        left, right = self.found.positions
        names = mapping_names([plan.pair for plan in self.found.plans])
        return SyncState(left, right, _sorted(lefts), _sorted(rights), names)


def check(plans: Iterable[PairPlan]) -> None:
    """Raise where a plan is not applied: too much would go."""
    for plan in plans:
        for side in SIDES:
            if plan.too_many_end(side):
                ended = sum(each.kind in ("delete", "omit") for each in plan.on(side))
                raise StateError(
                    f"{ended:,} of {plan.living:,} rows of {plan.pair.type(side)} would go on the {side}: "
                    f"{ended / max(plan.living, 1):.0%}, and at most {plan.pair.max_deleted:.0%} may (max_deleted); "
                    "is the other side complete?"
                )


def _source(write: SideWrite) -> Any:
    """The reference by which others refer to the row of a create."""
    pair = write.pair
    return (
        RightOnly(pair.right, write.right)
        if write.side == "left" and write.right
        else SideReference(pair.left, write.left or "")
    )


def _in_order(writes: Sequence[SideWrite]) -> Iterator[SideWrite]:
    """Creates after what they refer to; then changes; and what ends before what it refers to."""
    yield from _needed_first({_source(each): each for each in writes if each.kind == "create"}, "values")
    yield from (each for each in writes if each.kind == "update")
    ends = {SideReference(each.pair.left, each.left or ""): each for each in writes if each.kind in ("delete", "omit")}
    yield from reversed(list(_needed_first(ends, "before")))


def _needed_first(left: dict[Any, SideWrite], held: str) -> Iterator[SideWrite]:
    """Each change after those of the rows that its values refer to, as far as there is no circle."""
    entered: set[Any] = set()
    for first in list(left):
        stack = [first]
        while stack:
            own = stack[-1]
            write = left.get(own)
            if write is None:
                stack.pop()
                continue
            needed = [each for value in getattr(write, held).values() for each in references(value)]
            open_ones = [each for each in needed if each in left and each not in entered and each != own]
            if own not in entered and open_ones:
                entered.add(own)
                stack += open_ones
                continue
            entered.add(own)
            stack.pop()
            del left[own]
            yield write


def _sorted(found: Mapping[str, set[str]]) -> dict[str, list[str]]:
    return {name: sorted(ids) for name, ids in sorted(found.items())}
