"""A dialect without a wire: the backend lives in this process and is called directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.dialects.protocol import Backend, CommitResult, Description
from callsheet.flow import Flow, Work
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Aggregate, Select
from callsheet.model.record import Page
from callsheet.model.schema import Schema

__all__ = ["LocalDialect"]


class LocalDialect:
    """Flows that do their work by calling a `Backend`."""

    name = "local"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def describe(self, known_hash: str = "") -> Flow[Description]:
        answer: Description = yield Work(lambda: self._backend.describe(known_hash))
        return answer

    def select(self, select: Select, size: int, cursor: str | None = None) -> Flow[Page]:
        answer: Page = yield Work(lambda: self._backend.select(select, size, cursor))
        return answer

    def aggregate(self, aggregate: Aggregate) -> Flow[list[tuple[Any, ...]]]:
        answer: list[tuple[Any, ...]] = yield Work(lambda: self._backend.aggregate(aggregate))
        return answer

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> Flow[None]:
        yield Work(lambda: self._backend.stage(commit_id, number, operations))

    def commit(self, changes: ChangeSet) -> Flow[CommitResult]:
        answer: CommitResult = yield Work(lambda: self._backend.commit(changes))
        return answer

    def call(self, action: str, arguments: Mapping[str, Any]) -> Flow[Any]:
        answer: Any = yield Work(lambda: self._backend.call(action, arguments))
        return answer

    def at(self, position: int) -> LocalDialect:
        """The same backend at another moment."""
        return LocalDialect(self._backend.at(position))

    def learn(self, schema: Schema) -> None:
        """Nothing to decode."""
