"""What tests of watches share: a reader in this process that folds what it gets."""

from __future__ import annotations

from time import monotonic
from typing import Any

from callsheet.model.question import Question
from callsheet.model.watching import ResultChange, Rows, Seen, Watch, folded
from callsheet.server.service import Service
from callsheet.server.watching.reader import WatchReader

PATIENCE = 30.0


class Watcher:
    """Watches questions of a service as an account; ``steps`` are all changes that came, ``rows`` what they make."""

    def __init__(
        self, service: Service, *questions: Question, account: str = "admin", since: Seen | None = None, rows: Rows = ()
    ) -> None:
        self.service, self.questions = service, questions
        watches = [Watch(question, since) for question in questions]
        self.reader: WatchReader = service.backend(account).watch(watches)
        self.rows: list[Rows] = [list(rows) for _ in questions]
        self.steps: list[tuple[int, ResultChange]] = []

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()

    def take(self) -> list[tuple[int, ResultChange]]:
        """Take what there is now."""
        found = self.reader.changes()
        self.reader.delivered()
        for number, change in found:
            levels = len(self.questions[number].aggregate.group)
            self.rows[number] = folded(levels, self.rows[number], change)
        self.steps += found
        return found

    def next(self) -> list[tuple[int, ResultChange]]:
        """Wait until something has changed, and take it."""
        until = monotonic() + PATIENCE
        while monotonic() < until:
            if self.reader.wait(0.5) and (found := self.take()):
                return found
        raise AssertionError("nothing has changed")

    def settle(self, position: int) -> None:
        """Wait until all that is of a position, or earlier, has come."""
        until = monotonic() + PATIENCE
        while self.reader.position < position:
            assert monotonic() < until, f"nothing came for position {position}"
            if self.reader.wait(0.005):
                self.take()


def asked(service: Service, question: Question, account: str = "admin", at: int | None = None) -> list[tuple[Any, ...]]:
    """The rows of the question, asked anew."""
    (answer,) = service.backend(account).ask([Question(question.aggregate, at)])
    return answer.rows
