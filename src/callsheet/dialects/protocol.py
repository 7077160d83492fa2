"""The verbs of every server, as calls and as flows.

A `Backend` is a server with its verbs as calls (the embedded server has one). A `Dialect` is the client's side: the
same verbs as flows, which use some wire language, or call a backend directly (``local.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from callsheet.flow import Flow, Request, Response
from callsheet.model.cause import CellQuestion, NumberChange
from callsheet.model.event import Event, Position
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Select
from callsheet.model.question import Answer, Question
from callsheet.model.record import Identity, Page
from callsheet.model.schema import Schema
from callsheet.model.watching import ResultChange, Watch

__all__ = [
    "AskingBackend",
    "AskingDialect",
    "Backend",
    "ColumnBackend",
    "ColumnDialect",
    "ColumnPage",
    "CommitResult",
    "Description",
    "Dialect",
    "EventBackend",
    "EventBatch",
    "EventDialect",
    "EventStream",
    "Features",
    "ExplainingBackend",
    "ExplainingDialect",
    "FileBackend",
    "FileDialect",
    "FileState",
    "FileUpload",
    "HistoricDialect",
    "LocalEventStream",
    "PagedDialect",
    "ScenarioBackend",
    "ScenarioDialect",
    "TableBackend",
    "TableDialect",
    "Touched",
    "VerifyingDialect",
    "WatchSource",
    "WatchingBackend",
    "WatchingDialect",
    "VersionedDialect",
]


@frozen
class Features:
    """What a server supports; the core checks it before it uses a feature.

    ``operations`` and ``bytes`` limit one request of a commit; larger commits are staged in parts if ``staging``, and
    ``commit_operations`` limits all parts together. Without ``atomic`` the server has no transactions, and a commit
    sends one operation after the other. ``rows`` limits a page and ``literals`` the values in one ``in`` list. With
    ``handlers`` the server has queues of durable handlers, with ``schedules`` those of schedules; with ``adjustments``
    it applies increments itself; with ``fills`` it sets required values of new entities that have no default in the
    schema. With ``measures`` it has every measure, level and order of an `Aggregate`, and top and sample of a `Select`;
    without, ``aggregate`` means the count, sum, average, minimum and maximum of an attribute, by paths. With
    ``columns`` it also sends the pages of a query as columns; with ``relative_times`` it reads times
    relative to now, and by its own clock; with ``counts`` the
    action `counts` counts the entities of many types at once. With ``questions`` it answers several aggregates in one
    snapshot, and says which (``ask``); with ``scenarios`` it keeps scenarios;
    with ``watches`` it sends answers again when commits have changed them; with ``tables`` people add tables of their
    own while the server runs.
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
    measures: bool = False
    columns: bool = False
    relative_times: bool = False
    counts: bool = False
    questions: bool = False
    causes: bool = False
    scenarios: bool = False
    tables: bool = False
    watches: bool = False


@frozen
class Description:
    """The description of a server. ``schema`` is None if its hash is the one that the client sent."""

    server: str
    version: str
    time: datetime
    schema_hash: str
    schema: Schema | None
    user: str = ""
    features: Features = field(factory=Features)
    workspace: str = ""


@frozen
class Touched:
    """An entity that a commit changed without naming it: its new version, and the references that were emptied."""

    identity: Identity
    version: int
    emptied: Sequence[str] = ()


@frozen
class CommitResult:
    """The result of a change set.

    ``position`` is its number in the server's commit log; ``versions`` the new version of each operation's entity (None
    for deletes); ``merged`` the indices of updates whose entity another commit had changed (other attributes, or a
    policy decided); ``deleted`` the entities that were deleted by cascade; ``touched`` other changed entities (such as
    those that referred to deleted ones). ``replayed`` is true if the commit was applied before, and this is its first
    result.
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
    """A server with the rights of one user. Every verb raises the errors of ``callsheet.errors``."""

    def describe(self, known_hash: str = "") -> Description:
        """The description of the server; ``known_hash`` is the hash of the schema that the client has."""

    def select(self, select: Select, size: int, cursor: str | None = None) -> Page:
        """At most ``size`` results, after ``cursor``."""

    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        """One tuple for each group: the group's values (`TOTAL` where a total has none), then the measures."""

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> None:
        """Store part ``number`` (from 0) of a commit that is too large for one request; may be repeated."""

    def commit(self, changes: ChangeSet) -> CommitResult:
        """Apply all operations, or none; once, however often it is sent."""

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Call another action of the server by name, with plain data."""

    def at(self, position: int) -> Backend:
        """A read-only backend of the state after the commit of this position, if the server has a history."""


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
        """Set the schema by which replies are decoded."""


@runtime_checkable
class VersionedDialect(Dialect, Protocol):
    """A dialect whose wire has versions, which a server says to callers without an account, too."""

    def versions(self) -> Flow[tuple[int, int]]:
        """The oldest and the newest version of the wire that the server speaks."""
        ...


@runtime_checkable
class HistoricDialect(Dialect, Protocol):
    """A dialect of a server whose past states can be read."""

    def at(self, position: int) -> Dialect:
        """A read-only dialect for the server's state after the commit of this position."""


@runtime_checkable
class ScenarioBackend(Backend, Protocol):
    """A server that keeps scenarios."""

    def scenario(self, label: str) -> Backend:
        """A backend of the present with a scenario over it; its commits are kept in the scenario."""
        ...


@runtime_checkable
class ScenarioDialect(Dialect, Protocol):
    """A dialect of a server that keeps scenarios."""

    def scenario(self, label: str) -> Dialect:
        """A dialect for the server's present with a scenario over it."""
        ...


@runtime_checkable
class PagedDialect(Dialect, Protocol):
    """A dialect that can request the next page before it has decoded this one."""

    def ask_page(self, select: Select, size: int, cursor: str | None) -> Request:
        """The request that `select` would send."""
        ...

    def open_page(self, response: Response) -> tuple[str | None, Callable[[], Page]]:
        """The cursor of the next page, and a function that decodes this page, which takes longer."""
        ...


@frozen
class ColumnPage:
    """A page as columns: the values at each projection of the query, in the order of the results.

    ``kinds`` are data types of attributes, or ``key``, ``list``, ``mapping`` (see ``model/arrow.py``).
    """

    names: Sequence[str]
    kinds: Sequence[str]
    values: Sequence[Sequence[Any]]
    cursor: str | None = None


@runtime_checkable
class ColumnBackend(Protocol):
    """A backend that gives pages as columns."""

    def columns(self, select: Select, size: int, cursor: str | None = None) -> ColumnPage:
        """At most ``size`` results, after ``cursor``, as columns."""
        ...


@runtime_checkable
class ColumnDialect(Dialect, Protocol):
    """A dialect that can request pages as columns, encoded as an Arrow IPC stream."""

    def ask_columns(self, select: Select, size: int, cursor: str | None) -> Request:
        """The request for a page as columns."""
        ...

    def open_columns(self, response: Response) -> tuple[str | None, Callable[[], bytes]]:
        """The cursor of the next page, and a function that gives the Arrow IPC stream."""
        ...


@runtime_checkable
class AskingBackend(Protocol):
    """A backend that answers several questions in one snapshot."""

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """An answer for each question; all those of the same state are of one snapshot of it."""
        ...


class WatchSource(Protocol):
    """The watches of one reader in a server of this process."""

    @property
    def position(self) -> int:
        """The position up to which all results are known to hold."""

    def wait(self, timeout: float) -> bool:
        """Whether there may be something new; blocks up to ``timeout`` seconds for it."""

    def changes(self) -> list[tuple[int, ResultChange]]:
        """The newest changes, each with the number of its watch; call `delivered` once the reader has them."""

    def delivered(self) -> None:
        """The reader has what `changes` returned last."""

    def close(self) -> None:
        """Watch no more."""


@runtime_checkable
class WatchingBackend(Protocol):
    """A backend whose answers can be watched."""

    def watch(self, watches: Sequence[Watch]) -> WatchSource:
        """A reader of these questions, which gets their answers whenever commits have changed them."""
        ...


@runtime_checkable
class WatchingDialect(Dialect, Protocol):
    """A dialect of a server whose answers can be watched."""

    def watch(self, watches: Sequence[Watch]) -> EventStream:
        """A stream of `WATCHED` events, whose data are the number of a watch and a `ResultChange`."""
        ...


@runtime_checkable
class ExplainingBackend(Protocol):
    """A backend that says why numbers changed."""

    def why(self, question: CellQuestion) -> NumberChange:
        """The commits that changed a cell of an aggregate, as far as the caller may read them."""
        ...


@runtime_checkable
class ExplainingDialect(Dialect, Protocol):
    """A dialect of a server that says why numbers changed."""

    def why(self, question: CellQuestion) -> Flow[NumberChange]:
        """The commits that changed a cell of an aggregate, as far as the caller may read them."""
        ...


@runtime_checkable
class AskingDialect(Dialect, Protocol):
    """A dialect that can ask several questions by one request."""

    def ask(self, questions: Sequence[Question]) -> Flow[list[Answer]]:
        """An answer for each question; all those of the same state are of one snapshot of it."""
        ...


@runtime_checkable
class VerifyingDialect(Dialect, Protocol):
    """A dialect of a server without commit ids, which can find out whether a commit was applied."""

    def verify(self, changes: ChangeSet) -> Flow[CommitResult | None]:
        """The result of a change set whose reply was lost; None if it was not applied."""
        ...


@runtime_checkable
class TableBackend(Protocol):
    """A backend with user tables; `call` changes them (``tables.change``)."""

    def stage_rows(self, load: str, number: int, data: bytes) -> None:
        """Keep part ``number`` (from 0) of the rows of a load: an Arrow IPC stream; may be repeated."""
        ...


@runtime_checkable
class TableDialect(Dialect, Protocol):
    """A dialect of a server with user tables."""

    def stage_rows(self, load: str, number: int, data: bytes) -> Flow[None]:
        """Keep part ``number`` (from 0) of the rows of a load: an Arrow IPC stream; may be repeated."""
        ...


class EventStream(Protocol):
    """One connection for events: bytes or text in, events out. ``transport/listen.py`` pumps it.

    ``kind`` selects the pump: ``"sse"``, ``"websocket"``, or ``"local"`` (see `LocalEventStream`). A stream is used for
    one attempt; for the next attempt, the dialect makes another one, from the position of the last delivered event.
    """

    kind: str
    position: Position | None
    """The position reached, also past events that do not match; None if the server sends no positions."""

    def opening(self) -> Request:
        """The first request: for ``"sse"`` the one whose response streams, for ``"websocket"`` the handshake."""

    def opened(self, response: Response) -> None:
        """Handle the response to `opening` (for ``"sse"`` its headers); raises the error of a refusal."""

    def receive(self, data: bytes) -> list[Event]:
        """The events that are complete with these bytes (``"sse"``: any run of them; ``"websocket"``: a message)."""

    def to_send(self) -> list[bytes]:
        """The messages to send now, each once; nothing for ``"sse"``."""

    def resubscribe(self, expressions: Sequence[str], subscriber: Mapping[str, Any] | None = None) -> bool:
        """Subscribe to the events of these expressions; returns false if another stream must be opened for that.

        ``subscriber`` is matched against the targets of events from now on (None: unchanged).
        """


class LocalEventStream(EventStream, Protocol):
    """A stream of a server in this process, of kind ``"local"``, which is read by calls."""

    def read(self, timeout: float) -> Sequence[Event]:
        """The next events; blocks up to ``timeout`` seconds until there are any."""


@frozen
class EventBatch:
    """Some events, and the position up to which the log was read for them: there may be more after it."""

    events: Sequence[Event]
    place: Position


@runtime_checkable
class EventBackend(Backend, Protocol):
    """A server with events."""

    def publish(self, event: Event) -> Position:
        """Publish an event to all subscribers, and store it for some days; once for an id, however often it is sent."""

    def events(
        self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any], limit: int
    ) -> EventBatch:
        """At most ``limit`` events after a position (None: from now on) that fulfil any of the expressions.

        An event with a target is omitted if ``subscriber``, unless empty, does not fulfil the target.
        """

    def wait_events(self, after: Position, timeout: float) -> bool:
        """Whether there are events after a position; blocks up to ``timeout`` seconds for them."""


@runtime_checkable
class EventDialect(Dialect, Protocol):
    """A dialect of a server with events."""

    def publish(self, event: Event) -> Flow[None]:
        """Publish an event to all subscribers; once for an id, however often it is sent."""
        ...

    def events(self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any]) -> EventStream:
        """A stream of the events after a position (None: from now on) that fulfil any of the expressions.

        An event with a target is received only if ``subscriber``, which has an ``id``, fulfils the target.
        """
        ...


@frozen
class FileState:
    """The state of a component's file: its size (None: no complete file), and the received bytes of an upload."""

    size: int | None = None
    received: int = 0


class FileBackend(Protocol):
    """A server's files, one for each component key, with the rights of one user."""

    def state(self, key: str) -> FileState:
        """The state of a file."""

    def write(self, key: str, offset: int, data: bytes) -> int:
        """Add a part to an upload; may be repeated. Returns the number of received bytes; so does a `Conflict`."""

    def finish(self, key: str, size: int, checksum: str) -> None:
        """Complete the upload, which becomes the file if it has this size and SHA-256; may be repeated."""

    def read(self, key: str, offset: int, size: int) -> bytes:
        """A part of a file; raises `NotFound` if there is none."""

    def remove(self, key: str) -> None:
        """Remove a file, and its unfinished upload, if there are any."""

    def address(self, key: str) -> str:
        """A path on the server at which the file can be read without a key, for some hours."""


class FileUpload(Protocol):
    """A running upload. The server has ``received`` bytes already; parts have ``part`` bytes, except the last."""

    received: int
    part: int

    def send(self, data: bytes) -> Flow[None]:
        """Send the next part."""
        ...

    def finish(self, checksum: str) -> Flow[None]:
        """Complete the upload; ``checksum`` is the SHA-256 of the whole file."""
        ...

    def abandon(self) -> Flow[None]:
        """Cancel the upload."""
        ...


@runtime_checkable
class FileDialect(Dialect, Protocol):
    """A dialect of a server that stores files."""

    def upload(self, key: str, name: str, size: int) -> Flow[FileUpload]:
        """Begin an upload, or resume an unfinished one."""
        ...

    def file_size(self, key: str) -> Flow[int | None]:
        """The size of a file in bytes; None if there is none."""
        ...

    def read_file(self, key: str, offset: int, size: int) -> Flow[bytes]:
        """A part of a file; raises `NotFound` if there is none."""
        ...

    def remove_file(self, key: str) -> Flow[None]:
        """Remove a file, if there is one."""
        ...

    def file_address(self, key: str) -> Flow[str]:
        """A URL, or a path on the server, at which the file can be read for some hours."""
        ...
