"""uvicorn's HTTP connections with timeouts: slow clients are disconnected.

uvicorn waits without limit for the end of a request's headers and for a client that does not read its response, and
httptools accepts headers of any length. Here a client must send its headers within some seconds and bytes, and must
read what is sent to it, or its connection is closed. The guard (``guard.py``) limits the time of the request's body.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import Any, ClassVar

from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import OverQuota
from callsheet.server.deadline import Deadline
from callsheet.server.limits import Limits
from callsheet.server.web.asgi import PEER
from callsheet.server.web.newcomers import CONNECTION, Connections

__all__ = ["TimedConnection", "with_timeouts"]

TIMES_HEADERS = 4
"""Headers are read up to this multiple of their limit: slightly larger ones get an answer that says so."""
DEFAULTS = Limits()
CLOSING_SECONDS = 1.0
"""How long a refused client has to read the reason."""


def with_timeouts(
    protocol: type[asyncio.Protocol], limits: Limits = DEFAULTS, connections: Connections | None = None
) -> type[asyncio.Protocol]:
    """One of uvicorn's HTTP protocols with the timeouts of `TimedConnection`."""
    attributes = {"limits": limits, "open_connections": connections or Connections(limits)}
    return type("Timed" + protocol.__name__, (TimedConnection, protocol), attributes)


def _certificate_of(transport: asyncio.BaseTransport) -> str:
    """The client's certificate, which TLS has verified; empty without one."""
    encrypted = transport.get_extra_info("ssl_object")
    found = None if encrypted is None else encrypted.getpeercert(binary_form=True)
    return base64.b64encode(found).decode() if found else ""


class TimedConnection(asyncio.Protocol):
    """Mixed into one of uvicorn's protocols, it disconnects slow clients, and accounts with too many connections.

    Headers must arrive within ``header_seconds`` and a number of bytes. A client must read ``body_rate`` bytes a second
    of what waits to be sent, measured every ``answer_seconds``.
    """

    limits: ClassVar[Limits]
    open_connections: ClassVar[Connections]

    # Of uvicorn's protocol.
    app_state: dict[str, Any]
    client: tuple[str, int] | None
    cycle: Any
    flow: Any
    loop: asyncio.AbstractEventLoop
    transport: Any

    _header_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _upgraded = False
    _deadline: Deadline | None = None
    _lost = False

    # What asyncio and uvicorn call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, CONNECTION: self, PEER: _certificate_of(transport)}
        send_at_once(transport)
        self._start_header_timer()
        if self.client is not None:
            self.open_connections.opened(self, self.client[0])

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._upgraded:
            return
        if not self.idle:
            self._stop_header_timer()
            return
        # Idle, or in the middle of headers; uvicorn itself disconnects idle clients.
        self._header_bytes += len(data)
        if self._header_bytes > TIMES_HEADERS * self.limits.header_bytes:
            self._abort()
        elif self._header_timer is None:
            self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_header_timer()
        self._stop_write_timer()
        self.open_connections.closed(self)
        self._lost = True
        if self._deadline is not None and not self.idle:
            self._deadline.give_up()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def handle_websocket_upgrade(self, *arguments: Any) -> None:
        # The headers are complete, and another protocol handles what follows.
        self._upgraded = True
        self._stop_header_timer()
        self.open_connections.closed(self)
        super().handle_websocket_upgrade(*arguments)  # type: ignore[misc]

    # What the server calls (`newcomers.Connection`).

    @property
    def idle(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def cancel_on_close(self, deadline: Deadline) -> None:
        self._deadline = deadline
        if self._lost:
            deadline.give_up()
        else:
            # uvicorn pauses reading in the middle of a large body, and would not notice that the client disconnects.
            self.flow.resume_reading()

    def authenticated(self, account: str) -> None:
        self.open_connections.authenticated(self, account)

    def turn_away(self, reason: str) -> None:
        if self.transport.is_closing():
            return
        if reason and (self.idle or not self.cycle.response_started):
            self.transport.write(_too_many_connections(reason))
        if not self.idle:
            # The running request must write nothing after this response.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self.loop.call_later(CLOSING_SECONDS, self.transport.abort)

    # The timers.

    def _start_header_timer(self) -> None:
        self._header_timer = self.loop.call_later(self.limits.header_seconds, self._abort)

    def _stop_header_timer(self) -> None:
        self._header_bytes = 0
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _start_write_timer(self) -> None:
        """After ``answer_seconds``, check how much of what waits now the client has read."""
        waiting = self.transport.get_write_buffer_size()
        self._stop_write_timer()
        self._write_timer = self.loop.call_later(self.limits.answer_seconds, self._check_progress, waiting)

    def _check_progress(self, waiting: int) -> None:
        read = waiting - self.transport.get_write_buffer_size()
        if read < self.limits.answer_seconds * self.limits.body_rate:
            self._abort()
        else:
            self._start_write_timer()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _abort(self) -> None:
        self._stop_header_timer()
        self._stop_write_timer()
        # Not `close`: a closing transport still waits for a client that reads nothing.
        self.transport.abort()


def send_at_once(transport: asyncio.BaseTransport) -> None:
    """Set ``TCP_NODELAY``, so that small writes are sent at once.

    asyncio sets it only for sockets that were created with the protocol number of TCP, and uvicorn's are not. Without
    it, the body of a response waits until its head is acknowledged, which takes the client 40 ms.
    """
    connected = transport.get_extra_info("socket")
    if connected is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _too_many_connections(reason: str) -> bytes:
    """A complete response, for a connection that has no request to answer yet."""
    error = OverQuota(reason)
    error.retry_after = 1
    response = error_response(error)
    lines = ["HTTP/1.1 429 Too Many Requests", "connection: close", f"content-length: {len(response.content)}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + response.content
