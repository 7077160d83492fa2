"""A user's view of the server as it was after some commit. It reads, and that is all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from callsheet.dialects.protocol import CommitResult, Description
from callsheet.errors import Invalid
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Aggregate, Select
from callsheet.model.record import Page
from callsheet.server.log import history
from callsheet.server.store.store import Store

if TYPE_CHECKING:
    from callsheet.server.service import UserBackend

__all__ = ["PastBackend"]


class PastBackend:
    """A `Backend`: what the user's own backend would have answered then, by the permissions of now."""

    def __init__(self, present: UserBackend, position: int) -> None:
        self._present, self._position = present, position

    def __repr__(self) -> str:
        return f"<{self._present!r} at commit {self._position}>"

    def describe(self, known_hash: str = "") -> Description:
        """Say who you are and what you knew."""
        with self._then() as (backend, _):
            return backend.describe(known_hash)

    def select(self, select: Select, size: int, cursor: str | None = None) -> Page:
        """At most ``size`` results, after ``cursor``."""
        with self._then() as (backend, _):
            return backend.select(select, size, cursor)

    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        """One tuple for each group: the group's values, then the functions'."""
        with self._then() as (backend, _):
            return backend.aggregate(aggregate)

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> None:
        """Refused."""
        raise self._refusal()

    def commit(self, changes: ChangeSet) -> CommitResult:
        """Refused."""
        raise self._refusal()

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """What had happened until then; all else is refused."""
        if action not in history.ACTIONS:
            raise self._refusal()
        with self._then() as (_, store):
            return self._present.tell(action, arguments, self._position, store)

    def at(self, position: int) -> PastBackend:
        """The server at another moment, not later than this one."""
        return PastBackend(self._present, min(position, self._position))

    @contextmanager
    def _then(self) -> Iterator[tuple[UserBackend, Store]]:
        # Whether there is such a commit is asked of the present, and so is whether the user may ask.
        self._present.tell("at", {"position": self._position})
        with self._present.snapshots.at(self._position) as store:
            yield self._present.on(store), store

    def _refusal(self) -> Invalid:
        return Invalid(f"this is the server as it was after commit {self._position}: it can only be read")
