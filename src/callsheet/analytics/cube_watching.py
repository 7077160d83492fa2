"""Watching a cube: its answer as a frame, again whenever commits have changed it, with the cells that changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from callsheet.analytics.cube_axes import axes_of
from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.cube_questions import (
    AskedLevel,
    AskedMeasure,
    asked_question,
    cells_of_question,
    frame_of,
)
from callsheet.errors import UsageError
from callsheet.model.measure import Aggregate
from callsheet.model.question import Answer, Question
from callsheet.model.watching import Seen, difference

__all__ = ["ChangedCell", "CubeChange", "watch"]


@frozen
class ChangedCell:
    """A row of a cube that is new, different or gone. ``levels`` are its coordinates by name.

    ``before`` and ``after`` are its measures by name; None where there is no such row. ``place`` is where the row is
    in the frame now, and ``earlier_place`` where it was in the last one.
    """

    levels: Mapping[str, Any]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    earlier_place: int | None = None
    place: int | None = None

    @property
    def kind(self) -> str:
        """``added``, ``changed`` or ``removed``."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


@frozen(eq=False)
class CubeChange:
    """The answer of a cube now (``frame``), and the rows that differ from the last one (``cells``).

    ``position`` is that of the frame, ``before`` the one of the last frame: None at first, and then there are no
    ``cells``. ``fresh`` is true if the server sent the whole answer to a watch that resumed, because it did not know
    the last one any more; ``cells`` are what differs nevertheless.
    """

    frame: CubeFrame
    cells: Sequence[ChangedCell]
    position: int
    before: int | None
    fresh: bool
    result: Any = field(repr=False)

    @property
    def first(self) -> bool:
        """Whether this is the first answer of the watch."""
        return self.before is None

    def __repr__(self) -> str:
        counts = {kind: sum(each.kind == kind for each in self.cells) for kind in ("added", "changed", "removed")}
        what = "first" if self.first else ", ".join(f"{number} {kind}" for kind, number in counts.items() if number)
        return f"<{type(self).__name__} as of {self.position}: {what}>"


@frozen(eq=False)
class WatchedCells:
    """A question about a cube that is not sent yet: its levels, its measures, and the aggregate that they make."""

    levels: Sequence[AskedLevel]
    measures: Sequence[AskedMeasure]
    aggregate: Aggregate

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names: those of the levels, then of the measures."""
        return (*(each.column.name for each in self.levels), *(each.column.name for each in self.measures))

    def frame(self, cube: Any, answer: Answer) -> CubeFrame:
        """An answer of the present, as rows and columns."""
        cells = cells_of_question(cube, self.levels, self.measures, self.aggregate)
        return frame_of(cube, self.levels, self.measures, axes_of(None, None), [answer], cells)


def watch(
    cube: Any,
    measures: Sequence[Any],
    levels: Any,
    given_filter: Any,
    totals: Any,
    order: Any,
    limit: int | None,
    empty: bool,
    since: Any,
    callback: Callable[[CubeChange], Any] | None,
) -> Any:
    """A watch of a question about a cube, in the kind of the session."""
    question = WatchedCells(*asked_question(cube, measures, levels, given_filter, totals, order, limit, bool(empty)))

    def make(step: Any) -> CubeChange:
        return _change(cube, question, step)

    if callback is not None and not callable(callback):
        raise UsageError(f"`callback` is a function that takes a change, not {callback!r:.80}")
    found = cube._core._watch(Question(question.aggregate), make, _seen(question, since))
    return found if callback is None else found.call(callback)


def _seen(question: WatchedCells, since: Any) -> Any:
    """What somebody has that continues: a change with its result, or a position."""
    if isinstance(since, CubeChange):
        cells = since.frame._cells
        if cells is not None and cells.question == question.aggregate:
            return since.result
        raise UsageError("`since` is a change of another question; give its position: `since=change.position`")
    position = getattr(since, "position", since)
    if position is None and since is None:
        return None
    if isinstance(position, bool) or not isinstance(position, int) or position < 0:
        raise UsageError(f"`since` takes a change, a frame, a commit or a position of the log, not {since!r:.80}")
    return Seen(position)


def _change(cube: Any, question: WatchedCells, step: Any) -> CubeChange:
    now, before = step.now, step.before
    frame = question.frame(cube, Answer(list(now.rows), now.position, now.truncated))
    cells = () if before is None else _cells(question, before.rows, now.rows)
    return CubeChange(frame, cells, now.position, None if before is None else before.position, bool(step.reason), now)


def _cells(question: WatchedCells, old: Any, new: Any) -> list[ChangedCell]:
    count = len(question.levels)
    levels, measures = question.names[:count], question.names[count:]
    had = {row[:count]: (place, row) for place, row in enumerate(old)}
    rows, places, gone = difference(count, old, new)
    found = []
    for place, row in zip(places, rows):
        earlier, before = had.get(row[:count], (None, None))
        found.append(
            ChangedCell(
                dict(zip(levels, row)),
                None if before is None else dict(zip(measures, before[count:])),
                dict(zip(measures, row[count:])),
                earlier,
                place,
            )
        )
    for cell in gone:
        earlier, before = had[cell]
        found.append(ChangedCell(dict(zip(levels, cell)), dict(zip(measures, before[count:])), None, earlier))
    return found
