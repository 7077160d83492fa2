"""The routes of a server, as data. A dialect declares them; ``server/web`` adapts them to HTTP.

A route declares the limits that the guard enforces before a body is read (`Intake`), how to get the credentials from a
request (`Credentials`), and the function that answers it. All of it is pure: bytes and values in, responses and frames
out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl

from attrs import define, field, frozen

from callsheet.errors import CallsheetError, Unavailable
from callsheet.flow import Response
from callsheet.model.event import Event, Position
from callsheet.model.watching import ResultChange, Watch

__all__ = [
    "Answered",
    "AnyRoute",
    "CERTIFICATE",
    "Caller",
    "Credentials",
    "EventQuestion",
    "FileContent",
    "FrameOutcome",
    "Intake",
    "OverQuota",
    "Route",
    "Size",
    "SocketConversation",
    "SocketRoute",
    "StreamRoute",
    "StreamedContent",
    "SubscriptionHub",
    "TooManyAttempts",
    "UploadRoute",
    "Visit",
    "WatchRoute",
    "WebRequest",
]

JSON = frozenset({"application/json"})
BYTES = JSON | {"application/octet-stream"}


class Size(Enum):
    """The class of a body's size; the server's settings give the bytes. A route reads a streamed body itself."""

    ORDINARY = "ordinary"
    LARGE = "large"
    STREAMED = "streamed"


@frozen
class Intake:
    """What a route accepts. ``size`` may also be a number of bytes.

    Without ``counted``, requests have no limit; without ``content_types``, bodies may be of any type.

    The body of a request without credentials is read only by routes with ``anonymous``: for logging in, and for what is
    public.
    """

    size: Size | int = Size.ORDINARY
    content_types: frozenset[str] = JSON
    counted: bool = True
    anonymous: bool = False


class OverQuota(Unavailable):
    """One caller has used up its share; other callers are not affected."""

    status = 429


class TooManyAttempts(OverQuota):
    """An address, or an account, had too many failed attempts; no more are accepted for a while."""


CERTIFICATE = "certificate"
"""The kind of credentials that are a certificate of the client."""


@frozen
class Credentials:
    """The credentials of a request: a user name, if it has one, and a secret of some kind.

    ``missing`` is the error's text if the request must be refused because something is missing.
    """

    user: str | None
    secret: str = field(repr=False)
    kind: str = "key"
    missing: str = ""


@define
class WebRequest:
    """A request: ``path`` still percent-encoded, names of headers in lower case, ``names`` the parts of the path.

    >>> WebRequest("GET", "/x", query="a=1&a=2&b=").params
    {'a': '2', 'b': ''}
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(default=b"", repr=False)
    #: The server's own address, as the client reached it.
    url: str = ""
    names: Mapping[str, str] = field(factory=dict)
    #: The client's certificate, as TLS verified it: DER in base64.
    certificate: str = field(default="", repr=False)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters in order, repeated ones included."""
        return parse_qsl(self.query, keep_blank_values=True, errors="replace")

    @property
    def params(self) -> dict[str, str]:
        """The parameters by name; the last one of a name counts."""
        return dict(self.pairs)

    def header(self, name: str) -> str:
        """The value of a header, empty if absent."""
        return self.headers.get(name, "")


@frozen
class FileContent:
    """A response whose content is a file on the server's disk."""

    path: Path
    headers: Mapping[str, str] = field(factory=dict)
    media_type: str = "application/octet-stream"


@frozen
class StreamedContent:
    """A response whose content is made while it is sent. Each piece is made in a worker thread.

    The iterator is closed, if it can be, when the response ends, however it ends. An error before the first piece is
    an ordinary response; a later one breaks the response off, so that its reader sees that it is not whole.
    """

    pieces: Iterator[bytes]
    headers: Mapping[str, str] = field(factory=dict)
    status: int = 200


class Caller(Protocol):
    """Who calls: an account, from an address; ``login`` and ``expires`` belong to an access token, if one was sent."""

    @property
    def account(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def login(self) -> str: ...

    @property
    def expires(self) -> datetime | None: ...


@define(slots=False)
class Visit:
    """A request, with the files, the logins and the backend for its route; without an account, there is no backend.

    ``address`` is where the request comes from.
    """

    request: WebRequest
    files: Any = None
    logins: Any = None
    address: str = ""
    caller: Caller | None = None
    #: By what people sign on, if the server has providers for that.
    sign_on: Any = None
    _backend: Callable[[], Any] | None = None

    @property
    def account(self) -> str:
        """The account of the caller, empty if there is none."""
        return "" if self.caller is None else self.caller.account

    @cached_property
    def backend(self) -> Any:
        """The backend of the account."""
        assert self._backend is not None, "a route without credentials has no backend"
        return self._backend()


Answered: TypeAlias = Response | FileContent | StreamedContent
Answer: TypeAlias = Callable[[Visit], Answered]
Refuse: TypeAlias = Callable[[CallsheetError], Response]
Identify: TypeAlias = Callable[[WebRequest], Credentials | None]


@frozen
class Route:
    """A path, and the function that answers it in a worker thread. ``methods`` None accepts any.

    ``credentials`` returns the credentials of a request, or None if this request needs no account; a route without it
    never needs one. ``refuse`` returns the response for callers that are refused.
    """

    path: str
    answer: Answer
    methods: tuple[str, ...] | None = ("GET",)
    credentials: Identify | None = None
    refuse: Refuse | None = None
    intake: Intake = Intake()
    #: Whether the route needs the server's files.
    files: bool = False
    #: Whether long responses are compressed for clients on other machines.
    compressed: bool = True
    #: Whether the answer takes no time, so that it needs no worker thread, and no turn on a busy server.
    instant: bool = False


@frozen
class UploadRoute:
    """A path whose requests have a file as body, which is streamed to disk. ``target`` returns component and part."""

    path: str
    credentials: Identify
    target: Callable[[WebRequest], tuple[str, int]]
    saved: Callable[[str], Response]
    refuse: Refuse
    methods: tuple[str, ...] = ("PUT",)
    intake: Intake = Intake(Size.STREAMED)


@frozen
class EventQuestion:
    """The events that a reader wants: those after a position (None: from now on) that fulfil any expression."""

    after: Position | None
    expressions: Sequence[str]
    subscriber: Mapping[str, Any]


@frozen
class StreamRoute:
    """A path whose response does not end: server-sent events. ``event`` and ``place`` encode its text."""

    path: str
    question: Callable[[WebRequest], EventQuestion]
    event: Callable[[Event], bytes]
    place: Callable[[Position], bytes]
    credentials: Identify
    refuse: Refuse
    intake: Intake = Intake()


@frozen
class WatchRoute:
    """A path whose response does not end: changes of watched results, as server-sent events.

    ``change`` encodes a change, of the number of its watch and the number of its levels; ``place`` a position.
    """

    path: str
    watches: Callable[[WebRequest], Sequence[Watch]]
    change: Callable[[int, int, ResultChange], bytes]
    place: Callable[[int], bytes]
    credentials: Identify
    refuse: Refuse
    intake: Intake = Intake()


@frozen
class FrameOutcome:
    """The outcome of a frame: frames to send, an event to publish, and whether the conversation has ended.

    ``published`` returns the frames to send after the event was published (None), or refused (the error's text).
    """

    answers: Sequence[Any] = ()
    publish: Event | None = None
    published: Callable[[str | None], Sequence[Any]] = lambda _: ()
    ended: bool = False


class SubscriptionHub(Protocol):
    """The subscriptions of one connection: a `callsheet.events.hub.Hub`."""

    @property
    def subscribers(self) -> Sequence[Any]: ...

    def subscribe(self, expression: str, callback: Any, subscriber: Mapping[str, Any] | None = None) -> str: ...

    def unsubscribe(self, identifier: str) -> None: ...

    def wants(self, topic: str) -> bool: ...

    def matching(self, event: Event) -> Sequence[Any]: ...


class SocketConversation(Protocol):
    """One websocket connection as a state machine. Frames are objects whose text is sent."""

    def opening(self) -> Sequence[Any]:
        """The first frames."""

    def heartbeat(self) -> Sequence[Any]:
        """The frames to send regularly."""

    def receive(self, frame: str, now: Position) -> FrameOutcome:
        """The outcome of a received frame; ``now`` is the end of the log."""

    def beginning(self) -> Position:
        """The position from which the connection follows the log. May block."""

    def question(self) -> Hashable:
        """All that the result of `read` depends on, except the account and the position."""

    def read(self, after: Position) -> Any:
        """The next events, for all connections of the account with this question. May block.

        The result has ``reached``, the position after them, and ``advanced``, whether that is a new one.
        """

    def frames(self, read: Any) -> Sequence[Any]:
        """The frames for those of the events that this connection subscribed to."""


@frozen
class SocketRoute:
    """A websocket that is opened with a session, which a handshake with credentials has returned.

    ``path`` has the session as ``{session}``; ``greeting`` is the response to the handshake.
    """

    handshake: tuple[str, ...]
    path: str
    credentials: Identify
    refuse: Refuse
    greeting: Callable[[str], Response]
    conversation: Callable[[Any, SubscriptionHub], SocketConversation]
    intake: Intake = Intake()


AnyRoute: TypeAlias = Route | UploadRoute | StreamRoute | WatchRoute | SocketRoute
