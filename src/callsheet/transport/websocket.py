"""Websockets for listeners: a handshake over HTTP, then a socket, by the library ``websockets`` (the extra ``events``).

The socket is read in a thread, by the library's blocking client, for both kinds of listeners: so it works the same
under asyncio and trio, and a stream can send at once from any thread. A read blocks at most `READ_SECONDS`.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from callsheet.dialects.protocol import EventStream
from callsheet.errors import CallsheetError, Disconnected, StateError, Timeout, UsageError
from callsheet.flow import Request, Response
from callsheet.model.event import Event
from callsheet.transport.exchange import TransportSettings, error_of_connection

if TYPE_CHECKING:
    import httpx
    from websockets.sync.client import ClientConnection

__all__ = ["Socket", "SocketStream"]

READ_SECONDS = 0.2
"""Seconds that a read may block."""
LARGEST = 64 * 2**20
CLOSING = 1.0
#: Headers that the library sets itself.
LIBRARY_HEADERS = (b"user-agent", b"accept", b"accept-encoding")


class SocketStream(EventStream, Protocol):
    """A stream of the kind ``"websocket"``: ``path`` is the path of its socket, set by ``opened``."""

    path: str
    on_queued: Any


class SocketSettings(Protocol):
    """What a socket needs of a listener's arguments."""

    @property
    def settings(self) -> TransportSettings | None: ...

    @property
    def keep_alive(self) -> float: ...


class Socket:
    """An open websocket, read by one thread; any may send."""

    def __init__(self, listening: SocketSettings, stream: SocketStream) -> None:
        settings = listening.settings
        if settings is None:
            raise StateError("a listener to a server elsewhere needs the settings of a transport")
        connect = _library()
        self._stream, self._settings, self._keep_alive = stream, settings, listening.keep_alive
        self._interrupted = threading.Event()
        self._sending = threading.Lock()
        self._open = ExitStack()
        try:
            cookies, verify = self._handshake()
            opening = connect(
                _websocket(settings.address.url) + stream.path,
                ssl=_context(verify) if settings.address.encrypted else None,
                additional_headers=_own_headers(settings, stream, cookies),
                open_timeout=settings.timeouts.connect,
                close_timeout=CLOSING,
                max_size=LARGEST,
                compression=None,
                proxy=settings.proxy(),
            )
            self._socket: ClientConnection = self._open.enter_context(opening)
        except Exception as error:
            raise _translated(error, settings) from None
        self._last_received = monotonic()
        try:
            stream.on_queued = self._flush
            self._flush()
        except BaseException:
            self.close()
            raise

    def receive(self) -> Sequence[Event] | None:
        """The events received within `READ_SECONDS`; None at the end."""
        if self._interrupted.is_set():
            return None
        try:
            frame = self._socket.recv(timeout=READ_SECONDS)
        except TimeoutError:
            if monotonic() - self._last_received > self._keep_alive:
                raise Timeout(f"{self._settings.host} sent nothing for {self._keep_alive:g} s") from None
            return []
        except Exception as error:
            raise _translated(error, self._settings) from None
        self._last_received = monotonic()
        events = self._stream.receive(frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame)
        self._flush()
        return events

    def interrupt(self) -> None:
        """End the connection, from any thread."""
        self._interrupted.set()

    def close(self) -> None:
        """Close the connection."""
        self._stream.on_queued = None
        with suppress(Exception):
            self._open.close()

    def _flush(self) -> None:
        """Send the stream's messages, in order."""
        with self._sending:
            try:
                for message in self._stream.to_send():
                    self._socket.send(message.decode("utf-8", "replace"))
            except CallsheetError:
                raise
            except Exception as error:
                raise _translated(error, self._settings) from None

    def _handshake(self) -> tuple[str, Any]:
        """Request a session; returns the cookies, by which a load balancer finds the same server again.

        The login of the session, if it has one, is renewed as for any request.
        """
        import httpx

        request, settings = self._stream.opening(), self._settings
        options = settings.options()
        with httpx.Client(**options) as client:

            def transmit(request: Request) -> Response:
                sent = {**settings.login_headers(request), **request.headers}
                answer = client.request(request.method, settings.url(request), content=request.content, headers=sent)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status_code, answer.content, headers)

            renewals = settings.renewals
            self._stream.opened(transmit(request) if renewals is None else renewals.send(request, transmit))
            return _cookies(client), options["verify"]


def _library() -> Any:
    try:
        from websockets.sync.client import connect
    except ImportError:
        raise UsageError(
            "this server sends events over a websocket, which needs the package websockets: "
            "install callsheet with its extra, `callsheet[events]`"
        ) from None
    return connect


def _websocket(url: str) -> str:
    return url.replace("http", "ws", 1)


def _context(verify: Any) -> ssl.SSLContext:
    import httpx

    return verify if isinstance(verify, ssl.SSLContext) else httpx.create_ssl_context(verify=verify)


def _own_headers(settings: TransportSettings, stream: SocketStream, cookies: str) -> dict[str, str]:
    """The headers of the session, which a proxy may need, with its login and the cookies of the handshake."""
    own = {name.decode(): value.decode() for name, value in settings.headers.items() if name not in LIBRARY_HEADERS}
    own |= settings.login_headers(Request("GET", stream.path))
    joined = "; ".join(filter(None, (own.pop("cookie", ""), cookies)))
    return {**own, "cookie": joined} if joined else own


def _cookies(client: httpx.Client) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)


def _translated(error: Exception, settings: TransportSettings) -> Exception:
    """The error to raise for an exception of the connection."""
    import httpx

    if isinstance(error, CallsheetError | httpx.HTTPError | httpx.InvalidURL):
        return error_of_connection(error, settings, "the event handshake")
    if isinstance(error, TimeoutError):
        return Timeout(f"{settings.host}: the event connection was not opened in time")
    return Disconnected(f"{settings.host}: the event connection: {error or type(error).__name__}")
