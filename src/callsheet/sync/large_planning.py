"""The plan of one type with many rows: in parts, one after the other, with what was found kept on disk.

Theory. Rows with different keys are independent, except when a row refers to an entity that another row creates. So
each part is planned alone (`StepPlanning`), and its result is spilled. Only if rows look up an entity that a row of
another part creates, all parts are planned again, with the new entities of all parts. Entities in scope are sorted as
rows are, and what is in one and not in the other is found by reading both in order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from attrs import define, evolve, field

from callsheet import collector
from callsheet.flow import Flow
from callsheet.model.operation import Operation
from callsheet.model.record import Identity
from callsheet.sync import reading
from callsheet.sync.cells import RefusedRow
from callsheet.sync.finding import Found
from callsheet.sync.layout import Lookup
from callsheet.sync.plan_data import PlanData
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.reading import ManyRows
from callsheet.sync.references import Born, born_key, reference_keys
from callsheet.sync.spill import SortedSpill, SpilledList, joined
from callsheet.sync.step_planning import StepPlanning
from callsheet.sync.steps import Addition, Modification, Removal, Same

__all__ = ["LargePlanning"]


@define
class _Results:
    """The results of the parts."""

    created: SpilledList[Addition] = field(factory=SpilledList)
    changed: SpilledList[Modification] = field(factory=SpilledList)
    unchanged: SpilledList[Same] = field(factory=SpilledList)
    refused: SortedSpill[RefusedRow] = field(factory=lambda: SortedSpill(reading.MANY))
    rest: dict[str, list[Any]] = field(factory=lambda: {"linked": [], "gone": [], "conflicts": [], "overridden": []})
    links: dict[Identity, Operation] = field(factory=dict)
    skipped: int = 0
    held_members: int = 0
    lost_members: int = 0

    def add(self, data: PlanData) -> None:
        self.created.extend(data.created)
        self.changed.extend(data.changed)
        self.unchanged.extend(data.unchanged)
        for each in data.refused:
            self.refused.add((), each.row, each)
        for name, found in self.rest.items():
            found += getattr(data, name)
        self.links |= data.links
        self.skipped += data.skipped
        self.held_members += data.held_members
        self.lost_members += data.lost_members


@define(eq=False)
class LargePlanning:
    """One plan in progress; ``work`` has the step and its rows."""

    work: StepPlanning
    rows: ManyRows
    step: PlanStep
    #: Whether later steps may refer to what this one creates.
    is_followed: bool
    results: _Results = field(factory=_Results)
    #: Whether rows refer to rows of other parts.
    refers: bool = False
    #: Entities that rows refer to, and those that they may not refer to.
    used: set[Identity] = field(factory=set)
    forbidden: dict[Identity, str] = field(factory=dict)
    #: What the rows create, if they refer to rows of other parts or steps.
    _own: set[Identity] = field(factory=set)

    @property
    def removals(self) -> list[Removal]:
        """The entities that no row names, and that are deleted."""
        return self.work.removals

    @removals.setter
    def removals(self, removals: list[Removal]) -> None:
        self.work.removals = removals

    @property
    def _own_lookups(self) -> list[Lookup]:
        """The references that may lead to entities of this type."""
        schema, own = self.work.core.schema, self.work.layout.entity_type.name
        return [each for each in self.work.layout.lookups if schema.is_a(own, each.target_type)]

    # -- comparing -------------------------------------------------------------------------------------------

    def compare(self) -> Flow[None]:
        """Plan all parts."""
        looked_for: list[set[int]] = [set() for _ in self._own_lookups]
        made = [array("q") for _ in self._own_lookups]
        for part in self._parts():
            yield from part.locate()
            self._note(part, looked_for, made)
            before = len(self.work.born)
            yield from part.settle()
            if not self.is_followed:
                del self.work.born[before:]
            self._keep(part)
        if any(not there.isdisjoint(new) for there, new in zip(looked_for, made)):
            yield from self._compare_again()

    def _parts(self) -> Iterator[StepPlanning]:
        for rows in self.rows.batches():
            part = self.work.part()
            with collector.paused():
                for cells in rows:
                    part.intake.take(cells)
            yield part

    def _note(self, part: StepPlanning, looked_for: list[set[int]], made: list[array[int]]) -> None:
        """Which keys the part's rows look for, and which it makes; as hashes, since there may be many."""
        for place, lookup in enumerate(self._own_lookups):
            for cells in part.rows:
                looked_for[place].update(map(hash, reference_keys(lookup, cells.values)))
            made[place].extend(hash(born_key(lookup, each)) for each in part.fresh)

    def _keep(self, part: StepPlanning) -> None:
        if self.forbidden:
            for reason in set(self.forbidden.values()):
                part.refuse_users({each for each, told in self.forbidden.items() if told == reason}, reason)
        if part.linking is not None and self.work.linking is not None:
            self.work.linking.meant |= part.linking.meant
        self.used |= part.values.references.entities
        self.results.add(part.data(self.step))

    def _compare_again(self) -> Flow[None]:
        """Plan all parts, each knowing what all create."""
        born = self.work.born
        known = {each.identity for each in born}
        born += [each for each in (yield from self.find_new()) if each.identity not in known]
        yield from self.settle_known()
        born[:] = [each for each in born if each.identity not in self.forbidden]

    @property
    def made(self) -> Iterable[Identity]:
        """The entities that are created."""
        return (each.identity for each in self.results.created)

    @property
    def accepted(self) -> Iterable[tuple[int, Identity]]:
        """The rows that go in and whose entity is there already, by number, with the entity."""
        for each in self.results.unchanged:
            yield each.row, each.identity
        for changed in self.results.changed:
            yield changed.row, changed.identity

    def find_new(self) -> Flow[list[Born]]:
        """Find the entities of the rows' keys; gives what the other rows create."""
        fresh: list[Born] = []
        for part in self._parts():
            yield from part.locate()
            fresh += part.fresh
        self.refers = True
        self._own = {each.identity for each in fresh}
        return fresh

    def settle_known(self) -> Flow[None]:
        """Plan all parts, each knowing what all create; again, if rows that create something are refused by then."""
        own = self._own
        while True:
            yield from self._plan_parts()
            refused = own - set(self.made)
            if not refused:
                break
            own -= refused
            self.forbidden |= dict.fromkeys(refused, "is a row that was refused")

    def _plan_parts(self) -> Flow[None]:
        self.results, self.used = _Results(), set()
        for part in self._parts():
            # A part takes out what it refuses; the others are to know of it, and to say why they do without.
            part.born = list(self.work.born)
            yield from part.locate()
            yield from part.settle(known=True)
            self._keep(part)

    def refuse(self, gone: set[Identity], reason: str) -> Flow[set[Identity]]:
        """Refuse the rows that refer to one of these; gives those that rows do refer to."""
        hit = gone & self.used
        if hit:
            self.forbidden |= dict.fromkeys(hit, reason)
            yield from self._plan_parts()
        return hit

    # -- what no row names -----------------------------------------------------------------------------------

    def end_the_rest(self) -> Flow[None]:
        """Plan the end of the entities in scope that no row names; of none if a row's key could not be read."""
        work = self.work
        if work.intake.nameless:
            return
        there: SortedSpill[Found] = SortedSpill(reading.MANY)

        def take(found: list[Found]) -> None:
            for each in found:
                there.add(each.key, 0, each)

        yield from work.ending.find_scope(take)
        rest = _without(there, self.rows.keys())
        while run := list(islice(rest, reading.RUN)):
            yield from work.ending.end(run)
        yield from work.ending.learn_links()

    # -- the result ------------------------------------------------------------------------------------------

    def data(self, step: PlanStep) -> PlanData:
        """What was found."""
        found, whole = self.results, self.work.data(step)
        for each in whole.refused:
            found.refused.add((), each.row, each)
        return evolve(
            whole,
            created=found.created,
            changed=joined([found.changed, whole.changed]) if whole.changed else found.changed,
            unchanged=found.unchanged,
            refused=SpilledList(each for _, _, each in found.refused),
            links={**found.links, **whole.links},
            skipped=found.skipped,
            held_members=found.held_members,
            lost_members=found.lost_members,
            refers=self.refers,
            linked=tuple(found.rest["linked"]),
            gone=tuple(found.rest["gone"]),
            conflicts=tuple(found.rest["conflicts"]),
            overridden=tuple(found.rest["overridden"]),
        )


def _without(there: Iterable[tuple[tuple[str, ...], int, Found]], named: Iterator[tuple[str, ...]]) -> Iterator[Found]:
    """What is there and is not named; both are in the order of keys."""
    name = next(named, None)
    for key, _, found in there:
        while name is not None and name < key:
            name = next(named, None)
        if name != key:
            yield found
