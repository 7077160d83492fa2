"""The verbs every server understands, in the two shapes they take.

A `Backend` is a server in plain calls (the embedded server's service is one). A `Dialect` is the client's
side: the same verbs as flows, which talk some wire language, or call a backend directly (``local.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from callsheet.flow import Flow, Request, Response
from callsheet.model.event import Event, Position
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Aggregate, Select
from callsheet.model.record import Identity, Page
from callsheet.model.schema import Schema

__all__ = [
    "Backend",
    "CommitResult",
    "Description",
    "Dialect",
    "EventBackend",
    "EventBatch",
    "EventDialect",
    "EventStream",
    "Features",
    "FileBackend",
    "FileDialect",
    "FileState",
    "FileUpload",
    "HistoricDialect",
    "LocalEventStream",
    "PagedDialect",
    "Touched",
    "VerifyingDialect",
]


@frozen
class Features:
    """What a server can do; the core asks before it tries.

    ``operations`` and ``bytes`` bound one request of a commit; larger ones are staged in parts, when ``staging``, and
    ``commit_operations`` bounds all parts together. Without ``atomic`` the server has no transactions, and a commit
    sends one operation after the other. ``rows`` bounds a page and ``literals`` the values in one ``in`` list.
    ``handlers`` says that the server keeps the queues of durable handlers, ``schedules`` those of schedules,
    ``adjustments`` that it counts numbers on from what they are, ``fills`` that it gives new entities required values
    of which the schema does not say a default.
    """

    atomic: bool = True
    versions: bool = True
    commit_ids: bool = True
    aggregate: bool = True
    staging: bool = True
    history: bool = True
    operations: int = 5_000
    bytes: int = 8 * 2**20
    rows: int = 1_000
    literals: int = 1_000
    handlers: bool = False
    adjustments: bool = False
    fills: bool = False
    schedules: bool = False
    commit_operations: int = 200_000


@frozen
class Description:
    """What a server says of itself. ``schema`` is None when the hash the client knows is still right."""

    server: str
    version: str
    time: datetime
    schema_hash: str
    schema: Schema | None
    user: str = ""
    features: Features = field(factory=Features)


@frozen
class Touched:
    """An entity that a commit changed without naming it: its new version, and the references that were emptied."""

    identity: Identity
    version: int
    emptied: Sequence[str] = ()


@frozen
class CommitResult:
    """What became of a change set.

    ``position`` is its number in the server's commit log; ``versions`` the new version of each operation's
    entity (None for deletes); ``merged`` the indices of updates whose entity had been changed by somebody
    else since (other attributes, or a policy decided); ``deleted`` what went with the deletes by cascade;
    ``touched`` what else it changed (who referred to what it deleted, for one); ``replayed`` says that the
    commit had been done before, and this is its first answer again.
    """

    commit_id: str
    position: int
    time: datetime
    versions: Sequence[int | None]
    merged: Sequence[int] = ()
    deleted: Sequence[Identity] = ()
    replayed: bool = False
    touched: Sequence[Touched] = ()


class Backend(Protocol):
    """A server, seen by one user. Every verb raises the errors of ``callsheet.errors``."""

    def describe(self, known_hash: str = "") -> Description:
        """Say who you are and what you know."""

    def select(self, select: Select, size: int, cursor: str | None = None) -> Page:
        """At most ``size`` results, after ``cursor``."""

    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        """One tuple for each group: the group's values, then the functions'."""

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> None:
        """Keep part ``number`` (from 0) of a commit that is too large for one request; may be repeated."""

    def commit(self, changes: ChangeSet) -> CommitResult:
        """Apply all, or nothing; once, however often it is sent."""

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Anything else a server offers, by name, with plain data."""

    def at(self, position: int) -> Backend:
        """The server as it was after the commit of this position, to be read only; where it keeps a history."""


class Dialect(Protocol):
    """The same verbs as flows."""

    name: str

    def describe(self, known_hash: str = "") -> Flow[Description]: ...

    def select(self, select: Select, size: int, cursor: str | None = None) -> Flow[Page]: ...

    def aggregate(self, aggregate: Aggregate) -> Flow[list[tuple[Any, ...]]]: ...

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> Flow[None]: ...

    def commit(self, changes: ChangeSet) -> Flow[CommitResult]: ...

    def call(self, action: str, arguments: Mapping[str, Any]) -> Flow[Any]: ...

    def learn(self, schema: Schema) -> None:
        """Know the schema that replies are decoded by."""


@runtime_checkable
class HistoricDialect(Dialect, Protocol):
    """A dialect of a server that can be read as it was."""

    def at(self, position: int) -> Dialect:
        """The same server as it was after the commit of this position, to be read only."""


@runtime_checkable
class PagedDialect(Dialect, Protocol):
    """A dialect that can tell how to ask for the next page before it has read this one."""

    def ask_page(self, select: Select, size: int, cursor: str | None) -> Request:
        """The request that `select` would send."""
        ...

    def open_page(self, response: Response) -> tuple[str | None, Callable[[], Page]]:
        """The cursor of the page after this one, and what reads this one, which takes longer."""
        ...


@runtime_checkable
class VerifyingDialect(Dialect, Protocol):
    """A dialect of a server that knows no commit ids, but can be asked what became of a commit."""

    def verify(self, changes: ChangeSet) -> Flow[CommitResult | None]:
        """The result of a change set that was sent and not answered, or None where it was not done."""
        ...


class EventStream(Protocol):
    """One connection on which events come: bytes or text in, events out. ``transport/listen.py`` pumps it.

    ``kind`` says which pump: ``"sse"``, ``"websocket"``, or ``"local"`` (see `LocalEventStream`). A stream is used for
    one attempt; after it the dialect is asked for another, from the position of the last event that was delivered.
    """

    kind: str
    position: Position | None
    """How far the stream has got, events that were not asked for included; None where the server tells no positions."""

    def opening(self) -> Request:
        """What opens it: for ``"sse"`` the request whose answer streams, for ``"websocket"`` the handshake."""

    def opened(self, response: Response) -> None:
        """Take the answer to the opening (for ``"sse"`` its beginning); raises what a refusal stands for."""

    def receive(self, data: bytes) -> list[Event]:
        """The events that are complete with these bytes (``"sse"``: any run of them; ``"websocket"``: a message)."""

    def to_send(self) -> list[bytes]:
        """The messages to send now, each once; nothing for ``"sse"``."""

    def resubscribe(self, expressions: Sequence[str], subscriber: Mapping[str, Any] | None = None) -> bool:
        """Ask for the events of these expressions from now on; False where another stream must be opened for it.

        ``subscriber`` is what targets are asked of from now on (None: what they were asked of before).
        """


class LocalEventStream(EventStream, Protocol):
    """A stream of a server in this process, of kind ``"local"``, which is read by calling it."""

    def read(self, timeout: float) -> Sequence[Event]:
        """The next events; blocks for so many seconds until there are any."""


@frozen
class EventBatch:
    """Some events, and the place up to which the log was read for them: there may be more behind it."""

    events: Sequence[Event]
    place: Position


@runtime_checkable
class EventBackend(Backend, Protocol):
    """A server that tells of events."""

    def publish(self, event: Event) -> Position:
        """Tell everybody who asks for it, and keep it for some days; once for an id, however often it is sent."""

    def events(
        self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any], limit: int
    ) -> EventBatch:
        """At most ``limit`` events after a position (None: none yet) that fulfil any of the expressions.

        An event with a target is told only where the target is fulfilled by ``subscriber``, if that says anything.
        """

    def wait_events(self, after: Position, timeout: float) -> bool:
        """Whether there is anything after a position; blocks for so many seconds until there is."""


@runtime_checkable
class EventDialect(Dialect, Protocol):
    """A dialect of a server that tells of events."""

    def publish(self, event: Event) -> Flow[None]:
        """Have the server tell everybody who subscribed; once for an id, however often it is sent."""
        ...

    def events(self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any]) -> EventStream:
        """A stream of the events after a position (None: from now on) that fulfil any of the expressions.

        An event with a target comes only where the target is fulfilled by ``subscriber``, which has an ``id``.
        """
        ...


@frozen
class FileState:
    """What a server has of a component's file: its size (None: no whole file), and bytes of an unfinished upload."""

    size: int | None = None
    received: int = 0


class FileBackend(Protocol):
    """A server's files, one for each component key, seen by one user."""

    def state(self, key: str) -> FileState:
        """What there is of a file."""

    def write(self, key: str, offset: int, data: bytes) -> int:
        """Add a part to an upload; may be repeated. How many bytes there are now; `Conflict` tells how many too."""

    def finish(self, key: str, size: int, checksum: str) -> None:
        """The upload is complete, and becomes the file if it has this size and SHA-256; may be repeated."""

    def read(self, key: str, offset: int, size: int) -> bytes:
        """A part of a file; `NotFound` where there is none."""

    def remove(self, key: str) -> None:
        """Remove a file, or what there is of its upload; it need not be there."""

    def address(self, key: str) -> str:
        """A path on the server that anybody may read the file at, for some hours."""


class FileUpload(Protocol):
    """A file on its way to a server. ``received`` bytes are there already; parts have ``part`` bytes, but the last."""

    received: int
    part: int

    def send(self, data: bytes) -> Flow[None]:
        """The next part."""
        ...

    def finish(self, checksum: str) -> Flow[None]:
        """All parts were sent; ``checksum`` is the SHA-256 of the whole."""
        ...

    def abandon(self) -> Flow[None]:
        """Nothing of it is wanted any more."""
        ...


@runtime_checkable
class FileDialect(Dialect, Protocol):
    """A dialect of a server that keeps files."""

    def upload(self, key: str, name: str, size: int) -> Flow[FileUpload]:
        """Begin to send a file, or go on with one that was begun."""
        ...

    def file_size(self, key: str) -> Flow[int | None]:
        """The bytes of a file; None where there is none."""
        ...

    def read_file(self, key: str, offset: int, size: int) -> Flow[bytes]:
        """A part of a file; `NotFound` where there is none."""
        ...

    def remove_file(self, key: str) -> Flow[None]:
        """Remove a file; it need not be there."""
        ...

    def file_address(self, key: str) -> Flow[str]:
        """Where the file can be read for some hours: a URL, or a path on the server."""
        ...
