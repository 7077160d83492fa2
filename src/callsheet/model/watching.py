"""Watching: the answer to a question as it changes, as one whole result and then the differences to it.

A `ResultChange` leads from the result that a reader has to a newer one. The rows that it names by their coordinates
(the values of their levels) are taken out, the new and changed rows are put in at their places, and what is left keeps
its order. So a reader that folds every change has the same rows, in the same order, as one that asks anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

from attrs import frozen

from callsheet.model.question import Question

__all__ = ["LOST", "PAST", "WATCHED", "ResultChange", "Rows", "Seen", "Watch", "difference", "digest_of", "folded"]

Rows: TypeAlias = Sequence[tuple[Any, ...]]

LOST = "lost"
"""A whole result is sent because the one that the reader has is not known any more."""
WATCHED = "callsheet.session.watched"
"""The topic of changes on their way from a stream to who watches; they are no events that one can subscribe to."""
PAST = "past"
"""A whole result is sent as of the position that the reader named; the difference to now follows."""


@frozen
class Seen:
    """The result that a reader has: its position and its digest. Without a digest, only the position is known."""

    position: int
    digest: str = ""


@frozen
class Watch:
    """A question that is watched, and the result of it that the reader has already, if any."""

    question: Question
    since: Seen | None = None


@frozen
class ResultChange:
    """From the result as of ``before`` to the one as of ``position``; without ``before``, ``rows`` are all rows.

    ``rows`` are new or changed rows and ``places`` where they are in the newer result; ``gone`` are the coordinates of
    rows that are there no more. ``reason`` says why a whole result is sent to a reader that named an earlier one:
    `LOST` or `PAST`. ``truncated`` is the limit of groups at which the server cut the newer result, if it did.
    """

    position: int
    rows: Rows
    digest: str
    before: int | None = None
    places: Sequence[int] = ()
    gone: Rows = ()
    truncated: int | None = None
    reason: str = ""

    @property
    def whole(self) -> bool:
        """Whether ``rows`` are all rows."""
        return self.before is None


def digest_of(rows: Rows) -> str:
    """A short text that is equal for equal rows."""
    state = blake2b(digest_size=12)
    for row in rows:
        state.update(repr(row).encode("utf-8", "backslashreplace"))
    return state.hexdigest()


def difference(levels: int, old: Rows, new: Rows) -> tuple[Rows, Sequence[int], Rows]:
    """The new or changed rows, their places, and the coordinates that are gone; ``levels`` values are coordinates.

    >>> difference(1, [("a", 1), ("b", 2), ("c", 3)], [("c", 3), ("b", 5)])
    ([('b', 5)], [1], [('a',)])
    """
    had = {row[:levels]: (place, row) for place, row in enumerate(old)}
    rows, places, last = [], [], -1
    for place, row in enumerate(new):
        found = had.pop(row[:levels], None)
        # A row that stays must stay behind those before it.
        if found is not None and found[1] == row and found[0] > last:
            last = found[0]
        else:
            rows.append(row)
            places.append(place)
    return rows, places, list(had)


def folded(levels: int, old: Rows, change: ResultChange) -> list[tuple[Any, ...]]:
    """The newer result, of the one before and the change.

    >>> folded(1, [("a", 1), ("b", 2), ("c", 3)], ResultChange(9, [("b", 5)], "", 8, [1], [("a",)]))
    [('c', 3), ('b', 5)]
    """
    if change.whole:
        return list(change.rows)
    out = {row[:levels] for row in change.rows}.union(change.gone)
    kept = [row for row in old if row[:levels] not in out]
    put, rest = dict(zip(change.places, change.rows)), iter(kept)
    return [put[place] if place in put else next(rest) for place in range(len(kept) + len(put))]
