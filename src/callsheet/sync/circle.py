"""Steps whose rows refer to each other in a circle are planned together, and so are the rows that have to be refused.

Theory. Which rows are new follows from the keys alone, so that is found for all steps first; then each step is settled,
knowing what all of them create. A row that refers to a refused row is refused as well. That is done for all steps at
once, and again until nothing more is refused: the result does not depend on the order of the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from callsheet.flow import Flow
from callsheet.model.record import Identity
from callsheet.sync.plan_data import PlanData
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.references import Born
from callsheet.sync.steps import Removal

__all__ = ["StepWork", "compare_circle", "created", "refuse_all", "refuse_what_refers"]


class StepWork(Protocol):
    """The planning of one step, of few rows or of many."""

    removals: list[Removal]

    @property
    def made(self) -> Iterable[Identity]:
        """The entities that are created, as far as it is known."""
        ...

    @property
    def accepted(self) -> Iterable[tuple[int, Identity]]:
        """The rows that go in and whose entity is there already, by number, with the entity."""
        ...

    def compare(self) -> Flow[None]:
        """Compare the rows with what is there."""
        ...

    def find_new(self) -> Flow[list[Born]]:
        """Find the entities of the rows' keys; gives what the other rows create."""
        ...

    def settle_known(self) -> Flow[None]:
        """Decide what becomes of each row, where all that is new is known."""
        ...

    def refuse(self, gone: set[Identity], reason: str) -> Flow[set[Identity]]:
        """Refuse the rows that refer to one of these; gives those that rows do refer to."""
        ...

    def end_the_rest(self) -> Flow[None]:
        """Plan the end of what no row names."""
        ...

    def data(self, step: PlanStep) -> PlanData:
        """What was found."""
        ...


def compare_circle(works: Sequence[StepWork], born: list[Born]) -> Flow[None]:
    """Compare the rows of steps that need each other."""
    fresh: list[Born] = []
    for work in works:
        fresh += yield from work.find_new()
    born += fresh
    for work in works:
        yield from work.settle_known()
    new = {each.identity for each in fresh}
    yield from refuse_what_refers(works, new)
    gone = new - created(works)
    born[:] = [each for each in born if each.identity not in gone]


def created(works: Iterable[StepWork]) -> set[Identity]:
    """The entities that are to be created."""
    return {each for work in works for each in work.made}


def refuse_what_refers(works: Sequence[StepWork], made: set[Identity]) -> Flow[None]:
    """Refuse what refers to entities that were to be made and are refused by now, and what refers to that."""
    while gone := made - (left := created(works)):
        yield from refuse_all(works, gone, "is a row that was refused")
        made = left


def refuse_all(works: Sequence[StepWork], gone: set[Identity], reason: str) -> Flow[set[Identity]]:
    """Refuse all rows that refer to one of these; gives those that rows do refer to."""
    found: set[Identity] = set()
    for work in works:
        found |= yield from work.refuse(gone, reason)
    return found
