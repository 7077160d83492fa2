"""Events over HTTP: an answer that does not end (its text is the route's).

A stream is a position and a task. It reads a batch of the log, sends it, and waits to be woken; it holds no queue, so a
reader that is slow delays only itself, and one that takes nothing for a minute is hung up on. While nothing happens a
stream costs no thread, and speaks every ten seconds. Whether the reader may still be told is decided at each delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import anyio
from anyio import CapacityLimiter, to_thread
from attrs import define

from callsheet.dialects.protocol import EventBackend
from callsheet.dialects.routes import OverQuota, StreamRoute
from callsheet.errors import CallsheetError, Unavailable
from callsheet.model.event import Event, Position
from callsheet.model.language.events import parse_expression
from callsheet.server.access.authentication import Authentication
from callsheet.server.access.entitlement import Entitlement, Standing
from callsheet.server.limits import Limits
from callsheet.server.log.broker import Broker
from callsheet.server.log.filters import comparisons
from callsheet.server.web.asgi import Receive, Scope, Send, client_address, send_response
from callsheet.server.web.endpoints import recognise, web_request
from callsheet.server.web.guard import STREAMING
from callsheet.server.web.sharing import Shared

__all__ = ["EventStreams", "Telling"]

BATCH = 500
KEEP_ALIVE = 10.0
SEND_SECONDS = 60.0
"""How long a reader may take nothing."""
RECONNECT = 1_000
"""Milliseconds after which a browser should connect again."""
READERS = 4
"""Threads that read for all streams together: more would only fight for the interpreter."""
PIECE = 32 * 2**10
"""Bytes that are sent at once, more or less: between pieces the reader's right is looked at."""
SHARED = 32
SHARED_BYTES = 2**20
"""Answers that are kept for readers with the same question, and how large one may be."""
HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # A proxy that collects an answer before it passes it on would hold events back.
    (b"x-accel-buffering", b"no"),
]


@runtime_checkable
class Telling(Protocol):
    """What streams need of a service."""

    @property
    def broker(self) -> Broker: ...

    def entitlement(self, account: str, check: Callable[[], object]) -> Entitlement: ...

    def backend(self, user: str, address: str = "") -> Any: ...

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...


@define
class _Asked:
    """One request: who asks, for what, and where it has got to."""

    right: Entitlement
    backend: EventBackend
    expressions: Sequence[str]
    subscriber: Mapping[str, Any]
    place: Position
    question: str
    """All that the answer depends on, beside the place and the account."""
    write: Callable[[Event], bytes]
    #: How many comparisons its expressions have.
    size: int

    @property
    def account(self) -> str:
        return self.right.account

    def text(self) -> tuple[Position, bytes]:
        """The next events as they are sent, and the place behind them."""
        batch = self.backend.events(self.place, self.expressions, self.subscriber, BATCH)
        return batch.place, b"".join(map(self.write, batch.events))


class EventStreams:
    """Answers a route of events: an ASGI application."""

    def __init__(
        self, service: Telling, chain: Authentication, route: StreamRoute, limits: Limits | None = None
    ) -> None:
        self._service, self._chain, self._route = service, chain, route
        self._limits = limits or Limits()
        self._streams: Counter[str] = Counter()
        self._comparisons: Counter[str] = Counter()
        self._limiter: CapacityLimiter | None = None
        self._shared = Shared[tuple[Position, bytes]](SHARED, lambda told: len(told[1]) <= SHARED_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._limiter = self._limiter or CapacityLimiter(READERS)
        try:
            asked = await to_thread.run_sync(self._asked, scope)
            self._count(asked)
        except CallsheetError as error:
            await send_response(send, self._route.refuse(error))
            return
        try:
            scope.get(STREAMING, lambda: None)()
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            async with anyio.create_task_group() as group:
                group.start_soon(_await_end, receive, group.cancel_scope)
                await self._tell(asked, send)
                group.cancel_scope.cancel()
        finally:
            self._streams[asked.account] -= 1
            self._streams += Counter()
            self._comparisons[asked.account] -= asked.size
            self._comparisons += Counter()

    def _count(self, asked: _Asked) -> None:
        """Count a stream, and what it compares each event with; raises where that is more than its share."""
        account, limits = asked.account, self._limits
        error: Unavailable | None = None
        if self._streams[account] >= limits.account_streams:
            most = limits.account_streams
            error = OverQuota(f"there are {most} streams of events of `{account}` already, its limit; close one first")
        elif self._comparisons[account] + asked.size > limits.account_filters:
            error = OverQuota(
                f"the streams of `{account}` would compare each event {limits.account_filters:,} times and more, its "
                "limit; ask for topics and types, and choose in your own process"
            )
        elif self._streams.total() >= limits.streams:
            error = Unavailable(f"there are {limits.streams:,} streams of events already; try again later")
        if error is not None:
            error.retry_after = 5
            raise error
        self._streams[account] += 1
        self._comparisons[account] += asked.size

    def _asked(self, scope: Scope) -> _Asked:
        """What a request asks for, by whom. Raises what is refused."""
        route, request, address = self._route, web_request(scope), client_address(scope)

        def check() -> str:
            caller = recognise(self._service, self._chain, route.credentials, request, address)
            if caller is None:
                raise Unavailable("events are for accounts")
            return caller.account

        account = check()
        backend = self._service.backend(account, address)
        wanted = route.question(request)
        size = sum(comparisons(parse_expression(expression)) for expression in wanted.expressions)
        # From now on, or from where the reader was: either is a position from here, and one of this log. Raises for who
        # may read no events.
        begun = backend.events(wanted.after, (), {}, 1).place
        place = begun if wanted.after is None else wanted.after
        asked = wanted.expressions, wanted.subscriber
        right = self._service.entitlement(account, check)
        return _Asked(right, backend, *asked, place, repr(asked), route.event, size)

    def _text(self, asked: _Asked) -> tuple[Standing, Position, bytes]:
        """What comes next. Readers that follow with the same question get the same answer, made once."""
        # Raises where the key is no longer right, or the account has been disabled.
        standing = asked.right.standing()
        key = standing.audience, asked.question, asked.place, self._service.broker.last
        return standing, *self._shared.get(key, asked.text)

    async def _tell(self, asked: _Asked, send: Send) -> None:
        broker = self._service.broker
        if not await _sent(send, b"retry: %d\n%b" % (RECONNECT, self._route.place(asked.place))):
            return
        try:
            while not broker.closed:
                standing, place, text = await to_thread.run_sync(self._text, asked, limiter=self._limiter)
                if not asked.right.is_current(standing):
                    continue  # Rights have changed meanwhile: what was read is not sent.
                asked.place = place
                if not await self._delivered(asked, standing, send, text):
                    return
                if await broker.wait_async(asked.place, KEEP_ALIVE) or broker.closed:
                    continue
                if not await _sent(send, b":\n%b" % self._route.place(asked.place)):
                    return
        except CallsheetError:
            # The account may not ask any more, or the database is away: it is told when it asks again.
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _delivered(self, asked: _Asked, standing: Standing, send: Send, text: bytes) -> bool:
        """Whether the reader took all of it in time, and was entitled to it to the end."""
        right = asked.right
        for piece in _pieces(text):
            if not right.is_current(standing) and not await to_thread.run_sync(right.still_holds, standing):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return False
            if not await _sent(send, piece):
                return False
        return True


def _pieces(text: bytes) -> Iterator[bytes]:
    """Whole events of a text, some kilobytes at a time."""
    start = 0
    while start < len(text):
        end = text.find(b"\n\n", start + PIECE) + 2
        end = len(text) if end == 1 else end
        yield text[start:end]
        start = end


async def _sent(send: Send, text: bytes) -> bool:
    """Whether the reader took it in time."""
    with anyio.move_on_after(SEND_SECONDS) as clock:
        await send({"type": "http.response.body", "body": text, "more_body": True})
    return not clock.cancelled_caught


async def _await_end(receive: Receive, scope: anyio.CancelScope) -> None:
    """End the stream when its reader is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
