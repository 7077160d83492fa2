"""Connections that must speak up: uvicorn's protocols, with hands on the clock.

uvicorn waits for ever for the end of a request's headers and for the reader of an answer, and httptools takes headers
of any length. So whoever opens a connection here has to send the whole of the headers within some seconds and bytes,
and to read what waits for it, or is hung up on; the guard (``guard.py``) bounds what comes between.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import OverQuota
from callsheet.server.deadline import Deadline
from callsheet.server.limits import Limits
from callsheet.server.web.newcomers import CONNECTION, Connections

__all__ = ["prompt"]

TIMES_HEADERS = 4
"""How much more than its limit of headers is read: what is only a little too large is refused in words."""
DEFAULTS = Limits()
LAST_WORDS = 1.0
"""Seconds for whoever is turned away to read why."""


def at_once(transport: asyncio.BaseTransport) -> None:
    """What is written is sent at once, however small it is.

    asyncio sees to that only for sockets that were made with the number of TCP, and uvicorn's are not. Otherwise
    the body of an answer waits until its head is acknowledged, which takes the other side 40 ms.
    """
    taken = transport.get_extra_info("socket")
    if taken is not None and taken.family in (socket.AF_INET, socket.AF_INET6):
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def prompt(
    protocol: type[asyncio.Protocol], limits: Limits = DEFAULTS, connections: Connections | None = None
) -> type[asyncio.Protocol]:
    """One of uvicorn's protocols, that hangs up on whoever is slow, or has more connections than it may.

    Headers have some seconds, and so many bytes. Whoever reads an answer slowly has some seconds for each part of it
    that waits to be sent.
    """
    parent: Any = protocol
    held = connections or Connections(limits)

    class Prompt(parent):  # type: ignore[misc]
        _timer: asyncio.TimerHandle | None = None
        _stalled: asyncio.TimerHandle | None = None
        _received = 0
        app_state: dict[str, Any]
        _upgraded = False
        _deadline: Deadline | None = None
        _lost = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.app_state = {**self.app_state, CONNECTION: self}
            at_once(transport)
            self._expect()
            if self.client is not None:
                held.came(self, self.client[0])

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._upgraded:
                return
            if not self.idle:
                self._relax()
                return
            # Idle, or in the middle of headers; uvicorn itself hangs up on those that stay idle.
            self._received += len(data)
            if self._received > TIMES_HEADERS * limits.header_bytes:
                self._hang_up()
            elif self._timer is None:
                self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._relax()
            self._flowing()
            held.left(self)
            self._lost = True
            if self._deadline is not None and not self.idle:
                self._deadline.give_up()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._watch()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._flowing()

        def handle_websocket_upgrade(self, *arguments: Any) -> None:
            # The headers are here, and what follows is another protocol's.
            self._upgraded = True
            self._relax()
            held.left(self)
            super().handle_websocket_upgrade(*arguments)

        @property
        def idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def watched(self, deadline: Deadline) -> None:
            self._deadline = deadline
            if self._lost:
                deadline.give_up()
            else:
                # uvicorn stops reading in the middle of a large body, and would not see the end of the connection.
                self.flow.resume_reading()

        def vouched(self, account: str) -> None:
            held.vouched(self, account)

        def turn_away(self, reason: str) -> None:
            if self.transport.is_closing():
                return
            if reason and (self.idle or not self.cycle.response_started):
                self.transport.write(_turned_away(reason))
            if not self.idle:
                # Nothing that is under way may write behind the last words.
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self.transport.close()
            self.loop.call_later(LAST_WORDS, self.transport.abort)

        def _expect(self) -> None:
            self._timer = self.loop.call_later(limits.header_seconds, self._hang_up)

        def _relax(self) -> None:
            self._received = 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _watch(self) -> None:
            """Look after a while how much of what waits was read."""
            waiting = self.transport.get_write_buffer_size()
            self._flowing()
            self._stalled = self.loop.call_later(limits.answer_seconds, self._look, waiting)

        def _look(self, waiting: int) -> None:
            read = waiting - self.transport.get_write_buffer_size()
            if read < limits.answer_seconds * limits.body_rate:
                self._hang_up()
            else:
                self._watch()

        def _flowing(self) -> None:
            if self._stalled is not None:
                self._stalled.cancel()
                self._stalled = None

        def _hang_up(self) -> None:
            self._relax()
            self._flowing()
            # Also where it is closing already, but waits for somebody who reads nothing.
            self.transport.abort()

    return Prompt


def _turned_away(reason: str) -> bytes:
    """A whole response, for a connection that has no request to answer yet."""
    error = OverQuota(reason)
    error.retry_after = 1
    response = error_response(error)
    lines = ["HTTP/1.1 429 Too Many Requests", "connection: close", f"content-length: {len(response.content)}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + response.content
