"""The rows of a step are read as cells: few are kept as they are, many are spilled, sorted by key.

Theory. Planning compares rows with entities by key, so rows with different keys are independent: a plan of
many rows is made of plans of a bounded number of them, one after the other, with all rows of a key in one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from callsheet import collector
from callsheet.flow import Call, Flow
from callsheet.sync.cells import Cells, Row
from callsheet.sync.row_intake import RowIntake
from callsheet.sync.spill import SortedSpill

__all__ = ["ManyRows", "next_rows", "read_rows"]

RUN = 2_000
"""Rows read at once, so that other tasks get their turn."""
MANY = 20_000
"""Rows that are planned at once."""


def next_rows(source: Any) -> Flow[list[Row]]:
    """The next rows; the source belongs to the caller, so it is read in the caller's thread."""
    found: list[Row] = yield Call(lambda: list(islice(source, RUN)))
    return found


class ManyRows:
    """The cells of rows that are not planned at once, sorted by key, and how many had none."""

    def __init__(self) -> None:
        self._sorted: SortedSpill[Cells] = SortedSpill(MANY)

    def add(self, intake: RowIntake, cells: Cells) -> None:
        """Keep a row for later; one without a key is refused now."""
        key = intake.key_of(cells)
        if key is None:
            intake.take(cells)
        else:
            self._sorted.add(key, cells.number, cells)

    def keys(self) -> Iterator[tuple[str, ...]]:
        """The texts of the keys of all rows, in order."""
        return (key for key, _, _ in self._sorted)

    def all(self) -> Iterator[Cells]:
        """All rows, in no order."""
        return self._sorted.items()

    def batches(self) -> Iterator[list[Cells]]:
        """The rows in parts of about the number that is planned at once; no key is in two of them."""
        part: list[Cells] = []
        last: tuple[str, ...] = ()
        for key, _, cells in self._sorted:
            if len(part) >= MANY and key != last:
                yield part
                part = []
            part.append(cells)
            last = key
        if part:
            yield part


def read_rows(intake: RowIntake, first: list[Row], source: Any) -> Flow[ManyRows | None]:
    """Pass all rows to the planning; if there are too many for one part, none is passed, and they are returned.

    ``first`` is empty afterwards: its rows are not kept while others are read.
    """
    few: list[Cells] = []
    many: ManyRows | None = None
    run = first.copy()
    first.clear()
    while run:
        intake.check_columns(run, RUN)
        with collector.paused():
            for cells in intake.reader.read(run):
                if many is not None:
                    many.add(intake, cells)
                else:
                    few.append(cells)
            if many is None and len(few) > MANY:
                many = ManyRows()
                for cells in few:
                    many.add(intake, cells)
                few = []
        run.clear()
        run = yield from next_rows(source)
    with collector.paused():
        for cells in few:
            intake.take(cells)
    return many
