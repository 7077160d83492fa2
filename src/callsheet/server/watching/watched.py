"""A question that is watched, shared by all readers that may read the same, with its newest results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from threading import Lock
from typing import Any, Protocol

from attrs import define, field

from callsheet.errors import CallsheetError
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.reaching import reaching
from callsheet.model.question import Answer, Question
from callsheet.model.schema import Schema
from callsheet.model.watching import Rows, digest_of
from callsheet.server.access.access import Access

__all__ = ["KEPT_ROWS", "KeptResult", "WatchedQuestion"]

KEPT = 8
"""Earlier results that are kept, for readers that come back."""
KEPT_ROWS = 50_000
"""Their rows together."""


class QuestionReader(Protocol):
    """A reader of questions, for an account: see `WatchReader`."""

    account: str
    access: Callable[[], Access]
    answer: Callable[[Question], Answer]

    def ring(self) -> None:
        """There is something new; from any thread."""


@define(eq=False)
class KeptResult:
    """An answer that readers have. ``position`` grows while commits leave the rows as they are."""

    rows: Rows
    position: int
    truncated: int | None
    _digest: str = field(default="", init=False)

    @property
    def digest(self) -> str:
        """The digest of the rows."""
        if not self._digest:
            self._digest = digest_of(self.rows)
        return self._digest


class WatchedQuestion:
    """One question for readers with equal rights (``audience``); ``reach`` are the types whose entities matter to it.

    ``marked`` is the position of the last commit that can have changed the answer.
    """

    def __init__(self, question: Question, audience: Hashable, schema: Schema) -> None:
        self.question, self.audience = question, audience
        self.key = repr(question), audience
        self.levels = len(question.aggregate.group)
        self.readers: set[QuestionReader] = set()
        self.results: deque[KeptResult] = deque()
        self.error: CallsheetError | None = None
        self.marked = 0
        self.retry_at = 0.0
        self.lock = Lock()
        self.schema, self.reach = schema, self._reach(schema)

    @property
    def newest(self) -> KeptResult:
        """The newest result; there is one once the question is open."""
        return self.results[-1]

    @property
    def due(self) -> bool:
        """Whether the newest result may be old."""
        return self.error is None and bool(self.results) and self.marked > self.newest.position

    def learn(self, schema: Schema, position: int) -> None:
        """Take another schema, such as one with another custom attribute."""
        if schema is not self.schema:
            self.schema, self.reach = schema, self._reach(schema)
            self.marked = position

    def mark(self, position: int, roots: Iterable[str]) -> None:
        """A commit changed entities of these root types."""
        if position > self.marked and (self.reach is None or not self.reach.isdisjoint(roots)):
            self.marked = position

    def ask(self, answer: Callable[[Question], Answer]) -> bool:
        """Ask the question; returns whether the rows are others."""
        return self.take(answer(self.question))

    def take(self, answer: Answer) -> bool:
        """Take an answer as the newest result; returns whether its rows are others than before."""
        position = answer.position or 0
        if self.results and self.newest.rows == answer.rows and self.newest.truncated == answer.truncated:
            self.newest.position = max(self.newest.position, position)
            return False
        self.results.append(KeptResult(answer.rows, position, answer.truncated))
        while len(self.results) > 1 and self._keeps_too_much():
            self.results.popleft()
        return True

    def known(self, digest: str) -> KeptResult | None:
        """The kept result with this digest."""
        return next((each for each in reversed(self.results) if each.digest == digest), None)

    def _keeps_too_much(self) -> bool:
        earlier = list(self.results)[:-1]
        return len(earlier) > KEPT or sum(len(each.rows) for each in earlier) > KEPT_ROWS

    def _reach(self, schema: Schema) -> frozenset[str] | None:
        """None: any entity. For accounts that may not read everything, what they may read depends on others, too."""
        checked: Any = check_aggregate(self.question.aggregate, schema)
        return reaching(checked, schema).roots if self.audience == "" else None
