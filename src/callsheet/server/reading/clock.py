"""What ``now`` is in a query: the server's time when its first page was read, which its cursors carry on.

So all pages of a query are of one moment, and their order and digest stay those of one query.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import evolve

from callsheet.errors import Invalid
from callsheet.model.language.relative import fixed_select, is_relative
from callsheet.model.query import Select
from callsheet.model.record import Page

__all__ = ["at", "begun", "stamped"]

#: No character of a cursor's own text.
_MARK = "~"


def begun(select: Select, cursor: str | None, now: Callable[[], datetime]) -> tuple[datetime | None, str | None]:
    """The moment of a query that holds relative times (else None), and its cursor without the moment."""
    if not is_relative(select):
        return None, cursor
    if cursor is None:
        return now(), None
    rest, mark, text = cursor.partition(_MARK)
    if not mark or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid(f"this is no cursor: {cursor!r:.80}; use the one of the page before")
    try:
        return datetime.fromtimestamp(0, UTC) + _microseconds(int(text)), rest
    except OverflowError:
        raise Invalid(f"this is no cursor: {cursor!r:.80}; use the one of the page before") from None


def at(select: Select, moment: datetime | None) -> Select:
    """The query with its relative times as times."""
    return select if moment is None else fixed_select(select, moment)


def stamped(page: Page, moment: datetime | None) -> Page:
    """The page; its cursor carries the moment."""
    if moment is None or page.cursor is None:
        return page
    since = moment - datetime.fromtimestamp(0, UTC)
    return evolve(page, cursor=f"{page.cursor}{_MARK}{since // _microseconds(1)}")


def _microseconds(number: int) -> timedelta:
    return timedelta(microseconds=number)
