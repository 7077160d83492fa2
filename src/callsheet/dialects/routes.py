"""The addresses that a server answers, as data. A dialect declares them; ``server/web`` adapts them to HTTP.

A route says what the guard needs to know before anything is read (`Intake`), what a request presents to say who calls
(`Credentials`), and what answers it. All of it is pure: bytes and values in, responses and frames out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl

from attrs import define, field, frozen

from callsheet.errors import CallsheetError, Unavailable
from callsheet.flow import Response
from callsheet.model.event import Event, Position

__all__ = [
    "AnyRoute",
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
    "SubscriptionHub",
    "TooManyAttempts",
    "UploadRoute",
    "Visit",
    "WebRequest",
]

JSON = frozenset({"application/json"})
BYTES = JSON | {"application/octet-stream"}


class Size(Enum):
    """How large a body may be. The number of bytes is a setting of the server; a streamed body is read by its route."""

    ORDINARY = "ordinary"
    LARGE = "large"
    STREAMED = "streamed"


@frozen
class Intake:
    """What a route takes. ``size`` may also be a number of bytes. Requests that are not ``counted`` never wait."""

    size: Size | int = Size.ORDINARY
    content_types: frozenset[str] = JSON
    counted: bool = True


class OverQuota(Unavailable):
    """One caller asks for more than its share; others are answered meanwhile."""

    status = 429


class TooManyAttempts(OverQuota):
    """So many wrong credentials came from an address, or for an account, that no more are looked at for a while."""


@frozen
class Credentials:
    """What a request presents to say who calls: a name, if it gives one, and a secret of some kind.

    ``missing`` says what is not there, if the request is to be refused for that.
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

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters in their order, each as often as it is given."""
        return parse_qsl(self.query, keep_blank_values=True, errors="replace")

    @property
    def params(self) -> dict[str, str]:
        """The parameters by name; the last of a name counts."""
        return dict(self.pairs)

    def header(self, name: str) -> str:
        """The value of a header, or nothing."""
        return self.headers.get(name, "")


@frozen
class FileContent:
    """A response whose content is a file on the server's disk."""

    path: Path
    headers: Mapping[str, str] = field(factory=dict)
    media_type: str = "application/octet-stream"


@define(slots=False)
class Visit:
    """A request with what its route may use. Without an account (``account`` is empty) there is no backend."""

    request: WebRequest
    files: Any = None
    account: str = ""
    _backend: Callable[[], Any] | None = None

    @cached_property
    def backend(self) -> Any:
        """The server, seen by the account."""
        assert self._backend is not None, "a route without credentials has no backend"
        return self._backend()


Answer: TypeAlias = Callable[[Visit], Response | FileContent]
Refuse: TypeAlias = Callable[[CallsheetError], Response]
Identify: TypeAlias = Callable[[WebRequest], Credentials | None]


@frozen
class Route:
    """An address, and what answers it in a worker thread. ``methods`` None takes any.

    ``credentials`` gives what a request presents, or None if this request needs no account; a route without it needs
    none at all. ``refuse`` is the response to callers that are not let in.
    """

    path: str
    answer: Answer
    methods: tuple[str, ...] | None = ("GET",)
    credentials: Identify | None = None
    refuse: Refuse | None = None
    intake: Intake = Intake()
    #: Whether the route needs the server's files.
    files: bool = False
    #: Whether long responses are compressed for clients far away.
    compressed: bool = True
    #: Whether the answer takes no time, so that it is given without a worker thread, even by a busy server.
    instant: bool = False


@frozen
class UploadRoute:
    """An address whose body is a file, written as it comes. ``target`` says which component and part."""

    path: str
    credentials: Identify
    target: Callable[[WebRequest], tuple[str, int]]
    saved: Callable[[str], Response]
    refuse: Refuse
    methods: tuple[str, ...] = ("PUT",)
    intake: Intake = Intake(Size.STREAMED)


@frozen
class EventQuestion:
    """Which events a reader wants: those after a position (None: from now on) that fulfil any expression."""

    after: Position | None
    expressions: Sequence[str]
    subscriber: Mapping[str, Any]


@frozen
class StreamRoute:
    """An address whose response does not end: server-sent events. ``event`` and ``place`` write its text."""

    path: str
    question: Callable[[WebRequest], EventQuestion]
    event: Callable[[Event], bytes]
    place: Callable[[Position], bytes]
    credentials: Identify
    refuse: Refuse
    intake: Intake = Intake()


@frozen
class FrameOutcome:
    """What follows from a frame: frames to send, an event to publish, perhaps the end.

    ``published`` gives the frames to send once the event is published, or is refused for a reason.
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
    """One connection of a websocket as a machine. Frames are objects whose text is what is sent."""

    def opening(self) -> Sequence[Any]:
        """The first frames."""

    def heartbeat(self) -> Sequence[Any]:
        """The frames that are sent again and again."""

    def receive(self, frame: str, now: Position) -> FrameOutcome:
        """What to do about a frame; ``now`` is the end of the log."""

    def beginning(self) -> Position:
        """The position from which on the connection follows the log. May block."""

    def question(self) -> Hashable:
        """What the next `read` depends on, beside the account and the position."""

    def read(self, after: Position) -> Any:
        """The next events, for all connections of the account with this question; has ``reached`` and ``advanced``.
        May block."""

    def frames(self, read: Any) -> Sequence[Any]:
        """Those of the events that this connection subscribed to."""


@frozen
class SocketRoute:
    """A websocket whose caller shows credentials at a handshake before, which names the socket's session.

    ``path`` has the session as ``{session}``; ``greeting`` is the response to the handshake.
    """

    handshake: tuple[str, ...]
    path: str
    credentials: Identify
    refuse: Refuse
    greeting: Callable[[str], Response]
    conversation: Callable[[Any, SubscriptionHub], SocketConversation]
    intake: Intake = Intake()


AnyRoute: TypeAlias = Route | UploadRoute | StreamRoute | SocketRoute
