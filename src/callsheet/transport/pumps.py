"""The connections that listeners read from (``listen.py``), one for each kind of event stream.

``sse`` is an HTTP response that does not end; ``local`` is a server in this process; ``websocket`` has a file of its
own. Errors are those of the network (`Disconnected`, `Timeout`), or the one that the server sent.
"""

from __future__ import annotations

import random as randomness
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from attrs import frozen

from callsheet.dialects.protocol import EventStream, LocalEventStream
from callsheet.errors import StateError
from callsheet.flow import Request, Response
from callsheet.model.event import Event, Position
from callsheet.transport.exchange import TransportSettings, error_of_connection
from callsheet.transport.retry import RetryPolicy

if TYPE_CHECKING:
    import httpx

__all__ = ["EventConnection", "Listening", "OpenStream", "connected"]

KEEP_ALIVE = 30.0
"""Seconds without data after which a server is considered gone; it sends a keep-alive every ten."""
POLICY = RetryPolicy(first=0.25, longest=30.0)

READ_SECONDS = 0.2
"""Seconds that a call of a server in this process may block."""


OpenStream: TypeAlias = Callable[[Position | None], EventStream]


@frozen
class Listening:
    """The arguments of a listener. ``settings`` have the server's address; a server in this process needs none."""

    open_stream: OpenStream
    settings: TransportSettings | None = None
    after: Position | None = None
    keep_alive: float = KEEP_ALIVE
    policy: RetryPolicy = POLICY
    random: Callable[[], float] = randomness.random


class EventConnection(Protocol):
    """One open connection. `connected` makes those of each kind of stream."""

    def receive(self) -> Sequence[Event] | None:
        """The received events, perhaps none; None at the end. Raises `Timeout` after ``keep_alive`` without data."""

    def interrupt(self) -> None:
        """End the connection, from any thread: `receive` returns or raises."""

    def close(self) -> None:
        """Close the connection, in the thread that receives."""


def connected(listening: Listening, stream: EventStream) -> EventConnection:
    """Open a connection for a stream; blocks until it is open."""
    if stream.kind == "sse":
        return StreamedAnswer(listening, stream)
    if stream.kind == "local":
        _begin(stream)
        return Called(stream)  # type: ignore[arg-type]
    if stream.kind == "websocket":
        from callsheet.transport.websocket import Socket

        return Socket(listening, stream)  # type: ignore[arg-type]
    raise StateError(f"there is no connection for streams of the kind {stream.kind!r}")


def _begin(stream: Any) -> None:
    """Read the first position of a stream from now on, so that no event after the connection is missed."""
    if stream.position is None:
        stream.read(0.0)


class Called:
    """A server in this process."""

    def __init__(self, stream: LocalEventStream) -> None:
        self._stream = stream
        self._interrupted = threading.Event()

    def receive(self) -> Sequence[Event] | None:
        return None if self._interrupted.is_set() else self._stream.read(READ_SECONDS)

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class StreamedAnswer:
    """An HTTP response that does not end, read by a client of its own."""

    def __init__(self, listening: Listening, stream: EventStream) -> None:
        import httpx

        self._stream, self._settings = stream, _settings(listening)
        client = self._client = httpx.Client(**self._settings.options())
        try:
            self._answer = self._opened(listening)
            stream.opened(_response(self._answer, b"" if _streams(self._answer) else self._answer.read()))
            self._chunks = self._answer.iter_bytes()
        except Exception as error:
            client.close()
            raise error_of_connection(error, self._settings, "the events' connection") from None
        except BaseException:
            client.close()
            raise

    def _opened(self, listening: Listening) -> httpx.Response:
        """The answer that begins the stream. The session's login, if there is one, is renewed as for any request."""
        renewals = self._settings.renewals
        if renewals is not None and renewals.login.need() != "none":
            renewals.renew(renewals.login.access, self._transmit)
        used = None if renewals is None else renewals.login.access
        answer = self._client.send(self._client.build_request(**_request(listening, self._stream)), stream=True)
        if renewals is not None and used is not None and answer.status_code == 401:
            answer.close()
            renewals.renew(used, self._transmit)
            answer = self._client.send(self._client.build_request(**_request(listening, self._stream)), stream=True)
        return answer

    def _transmit(self, request: Request) -> Response:
        """Send the request of a renewal."""
        answer = self._client.request(
            request.method, self._settings.url(request), content=request.content, headers=dict(request.headers)
        )
        return _response(answer, answer.content)

    def receive(self) -> Sequence[Event] | None:
        try:
            chunk = next(self._chunks, None)
        except Exception as error:
            raise error_of_connection(error, self._settings, "the events' connection") from None
        return None if chunk is None else self._stream.receive(chunk)

    def interrupt(self) -> None:
        """Shut down the socket, because nothing else wakes a thread that waits for bytes."""
        connection = self._answer.extensions.get("network_stream")
        raw = None if connection is None else connection.get_extra_info("socket")
        if raw is not None:
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._answer.close()
        self._client.close()


def _settings(listening: Listening) -> TransportSettings:
    if listening.settings is None:
        raise StateError("a listener to a server elsewhere needs the settings of a transport")
    return listening.settings


def _request(listening: Listening, stream: EventStream) -> dict[str, Any]:
    """The arguments of a request for a stream; its read timeout is the keep-alive."""
    import httpx

    settings, request = _settings(listening), stream.opening()
    return {
        "method": request.method,
        "url": settings.url(request),
        "params": dict(request.params) or None,
        "content": request.content or None,
        # Not compressed: a compressor would delay events.
        "headers": {**settings.login_headers(request), **request.headers, "accept-encoding": "identity"},
        "timeout": httpx.Timeout(listening.keep_alive, connect=settings.timeouts.connect),
    }


def _streams(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and answer.headers.get("content-type", "").startswith("text/event-stream")


def _response(answer: httpx.Response, content: bytes) -> Response:
    return Response(answer.status_code, content, {name.lower(): value for name, value in answer.headers.items()})
