"""Questions and answers: aggregates of a state of the server, and what came of them.

All questions of one call are answered in one snapshot, so that the numbers of a dashboard agree with each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from callsheet.model.measure import Aggregate

__all__ = ["Answer", "Question"]


@frozen
class Question:
    """An aggregate, of the present or of another state.

    ``at`` is a position of the server's log (None: now), ``scenario`` the name of one (None: the base). With
    ``explain`` the answer says how it was computed.

    >>> from callsheet.model.query import Select
    >>> Question(Aggregate(Select("Task")), at=17).scenario is None
    True
    """

    aggregate: Aggregate
    at: int | None = None
    scenario: str | None = None
    explain: bool = False


@frozen
class Answer:
    """The rows of a question, as ``aggregate`` returns them, and the position of the log that they are as of.

    ``position`` is None if the server does not say it. ``truncated`` is the server's limit of groups, if it cut the
    rows there. ``plan`` is there if the question wanted it explained: ``engine`` is the database that answered,
    ``sql`` its statement, with placeholders in place of values, ``milliseconds`` the time for planning, running and
    reading it, ``groups`` the number of rows.
    """

    rows: list[tuple[Any, ...]]
    position: int | None = None
    truncated: int | None = None
    plan: Mapping[str, Any] | None = None
