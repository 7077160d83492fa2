"""A dialect without a wire: it calls a backend in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.dialects.accounts import AccountDescription, account_of
from callsheet.dialects.called_stream import CalledStream
from callsheet.dialects.local_watch import LocalWatchStream
from callsheet.dialects.protocol import (
    AskingBackend,
    Backend,
    CommitResult,
    Description,
    EventBackend,
    ExplainingBackend,
    FileBackend,
    ScenarioBackend,
    TableBackend,
    WatchingBackend,
)
from callsheet.dialects.uploads import StagedUpload
from callsheet.errors import Unsupported, UsageError
from callsheet.flow import Flow, Work
from callsheet.model.cause import CellQuestion, NumberChange
from callsheet.model.event import Event, Position
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Select
from callsheet.model.question import Answer, Question
from callsheet.model.record import Page
from callsheet.model.schema import Schema
from callsheet.model.watching import Watch

__all__ = ["LocalDialect", "LocalStream"]

BATCH = 500
"""The most events read at a time."""


class LocalDialect:
    """A `Dialect` whose flows call a `Backend`."""

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

    def ask(self, questions: Sequence[Question]) -> Flow[list[Answer]]:
        backend = self._backend
        if not isinstance(backend, AskingBackend):
            raise Unsupported(f"{backend!r} answers one aggregate at a time")
        answer: list[Answer] = yield Work(lambda: backend.ask(questions))
        return answer

    def why(self, question: CellQuestion) -> Flow[NumberChange]:
        backend = self._backend
        if not isinstance(backend, ExplainingBackend):
            raise Unsupported(f"{backend!r} does not say why numbers changed")
        answer: NumberChange = yield Work(lambda: backend.why(question))
        return answer

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> Flow[None]:
        yield Work(lambda: self._backend.stage(commit_id, number, operations))

    def commit(self, changes: ChangeSet) -> Flow[CommitResult]:
        answer: CommitResult = yield Work(lambda: self._backend.commit(changes))
        return answer

    def call(self, action: str, arguments: Mapping[str, Any]) -> Flow[Any]:
        answer: Any = yield Work(lambda: self._backend.call(action, arguments))
        return answer

    def stage_rows(self, load: str, number: int, data: bytes) -> Flow[None]:
        backend = self._backend
        if not isinstance(backend, TableBackend):
            raise Unsupported("this server has no user tables")
        yield Work(lambda: backend.stage_rows(load, number, data))

    def account(self) -> Flow[AccountDescription]:
        """What the server says of the caller."""
        return account_of((yield from self.call("own.account", {})))

    # -- files -------------------------------------------------------------------------------------------

    @property
    def _files(self) -> FileBackend:
        found: FileBackend | None = getattr(self._backend, "files", None)
        if found is None:
            raise Unsupported("this server stores no files; place components in a location with an accessor")
        return found

    def upload(self, key: str, name: str, size: int) -> Flow[StagedUpload]:
        state = yield Work(lambda: self._files.state(key))
        return StagedUpload(self, key, state.received)

    def write_file(self, key: str, offset: int, data: bytes) -> Flow[int]:
        answer: int = yield Work(lambda: self._files.write(key, offset, data))
        return answer

    def finish_file(self, key: str, size: int, checksum: str) -> Flow[None]:
        yield Work(lambda: self._files.finish(key, size, checksum))

    def file_size(self, key: str) -> Flow[int | None]:
        state = yield Work(lambda: self._files.state(key))
        size: int | None = state.size
        return size

    def read_file(self, key: str, offset: int, size: int) -> Flow[bytes]:
        answer: bytes = yield Work(lambda: self._files.read(key, offset, size))
        return answer

    def remove_file(self, key: str) -> Flow[None]:
        yield Work(lambda: self._files.remove(key))

    def file_address(self, key: str) -> Flow[str]:
        raise Unsupported("a server inside this process has no address; read the file through another location")
        yield  # pragma: no cover

    def at(self, position: int) -> LocalDialect:
        """The same backend at another position."""
        return LocalDialect(self._backend.at(position))

    def scenario(self, label: str) -> LocalDialect:
        """The same backend with a scenario over it."""
        if not isinstance(self._backend, ScenarioBackend):
            raise Unsupported(f"{self._backend!r} has no scenarios")
        return LocalDialect(self._backend.scenario(label))

    # -- events ------------------------------------------------------------------------------------------

    def publish(self, event: Event) -> Flow[None]:
        yield Work(lambda: _event_backend(self._backend).publish(event))

    def events(self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any]) -> LocalStream:
        return LocalStream(_event_backend(self._backend), after, expressions, subscriber)

    def watch(self, watches: Sequence[Watch]) -> LocalWatchStream:
        backend = self._backend
        if not isinstance(backend, WatchingBackend):
            raise Unsupported(f"{backend!r} sends no answers again when they have changed")
        return LocalWatchStream(backend.watch(watches))

    def learn(self, schema: Schema) -> None:
        """Nothing to decode."""


def _event_backend(backend: Backend) -> EventBackend:
    if not isinstance(backend, EventBackend):
        raise UsageError(f"{backend!r} has no events; a view of the present has")
    return backend


class LocalStream(CalledStream):
    """Events of a backend in this process: a `LocalEventStream`."""

    def __init__(
        self, backend: EventBackend, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any]
    ) -> None:
        self._backend, self._expressions, self._subscriber = backend, list(expressions), dict(subscriber)
        self.position = after
        if after is not None:
            # Raises now, not on the first read, if the position is not one of this log.
            backend.events(after, (), {}, 1)

    def read(self, timeout: float) -> Sequence[Event]:
        """The next events; blocks up to ``timeout`` seconds until there are any."""
        if self.position is not None and not self._backend.wait_events(self.position, timeout):
            return ()
        batch = self._backend.events(self.position, self._expressions, self._subscriber, BATCH)
        self.position = batch.place
        return batch.events

    def resubscribe(self, expressions: Sequence[str], subscriber: Mapping[str, Any] | None = None) -> bool:
        """False: this stream cannot change its expressions."""
        return False
