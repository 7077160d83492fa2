"""Events over HTTP: a response that does not end. The route encodes the events.

A stream is a position in the log and a task. It reads a batch of the log, sends it, and waits for the broker. It holds
no queue, so a slow reader delays only itself, and a reader that reads nothing for a minute is disconnected. An idle
stream uses no thread, and sends a keep-alive every ten seconds. The reader's right is checked at each delivery.
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
from callsheet.server.web.pieces import SEND_SECONDS, sent_within
from callsheet.server.web.sharing import Shared

__all__ = ["HEADERS", "KEEP_ALIVE", "RECONNECT", "EventStreams", "StreamedService", "await_end", "pieces", "sent"]

BATCH = 500
KEEP_ALIVE = 10.0
RECONNECT = 1_000
"""Milliseconds after which a browser should connect again."""
READERS = 4
"""Threads that read for all streams together: more would only compete for the interpreter."""
PIECE = 32 * 2**10
"""Approximate bytes per piece: the reader's right is checked before each piece."""
SHARED = 32
SHARED_BYTES = 2**20
"""Batches that are cached for readers with the same question, and the largest one that is cached."""
HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # A proxy that buffers responses would delay events.
    (b"x-accel-buffering", b"no"),
]


@runtime_checkable
class StreamedService(Protocol):
    """What event streams need of a service."""

    @property
    def broker(self) -> Broker: ...

    def entitlement(self, account: str, check: Callable[[], object]) -> Entitlement: ...

    def backend(self, user: str, address: str = "") -> Any: ...

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...


@define
class _Stream:
    """One reader: its account, its question, and its position in the log."""

    right: Entitlement
    backend: EventBackend
    expressions: Sequence[str]
    subscriber: Mapping[str, Any]
    place: Position
    question: str
    """The expressions and the subscriber as one key: readers with equal keys share batches."""
    write: Callable[[Event], bytes]
    #: The number of comparisons in its expressions.
    size: int

    @property
    def account(self) -> str:
        return self.right.account

    def text(self) -> tuple[Position, bytes]:
        """The position after the next events, and their encoded text."""
        batch = self.backend.events(self.place, self.expressions, self.subscriber, BATCH)
        return batch.place, b"".join(map(self.write, batch.events))


class EventStreams:
    """The ASGI endpoint of an event route."""

    def __init__(
        self, service: StreamedService, chain: Authentication, route: StreamRoute, limits: Limits | None = None
    ) -> None:
        self._service, self._chain, self._route = service, chain, route
        self._limits = limits or Limits()
        self._streams: Counter[str] = Counter()
        self._comparisons: Counter[str] = Counter()
        self._limiter: CapacityLimiter | None = None
        self._shared = Shared[tuple[Position, bytes]](SHARED, lambda read: len(read[1]) <= SHARED_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._limiter = self._limiter or CapacityLimiter(READERS)
        try:
            stream = await to_thread.run_sync(self._opened, scope)
            self._count(stream)
        except CallsheetError as error:
            await send_response(send, self._route.refuse(error))
            return
        try:
            scope.get(STREAMING, lambda: None)()
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            async with anyio.create_task_group() as group:
                group.start_soon(await_end, receive, group.cancel_scope)
                await self._send_events(stream, send)
                group.cancel_scope.cancel()
        finally:
            self._streams[stream.account] -= 1
            self._streams += Counter()
            self._comparisons[stream.account] -= stream.size
            self._comparisons += Counter()

    def _count(self, stream: _Stream) -> None:
        """Count a stream and its comparisons per event; raises if the account or the server has too many."""
        account, limits = stream.account, self._limits
        error: Unavailable | None = None
        if self._streams[account] >= limits.account_streams:
            most = limits.account_streams
            error = OverQuota(f"there are {most} streams of events of `{account}` already, its limit; close one first")
        elif self._comparisons[account] + stream.size > limits.account_filters:
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
        self._comparisons[account] += stream.size

    def _opened(self, scope: Scope) -> _Stream:
        """The stream that a request opens. Raises if the key, the position or an expression is refused."""
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
        # Raises if the account may not read events, or if the position is not one of this log.
        now = backend.events(wanted.after, (), {}, 1).place
        place = now if wanted.after is None else wanted.after
        question = wanted.expressions, wanted.subscriber
        right = self._service.entitlement(account, check)
        return _Stream(right, backend, *question, place, repr(question), route.event, size)

    def _next_text(self, stream: _Stream) -> tuple[Standing, Position, bytes]:
        """The next events. Readers at one position with the same question share one text, which is made once."""
        # Raises if the key is no longer valid, or the account has been disabled.
        standing = stream.right.standing()
        key = standing.audience, stream.question, stream.place, self._service.broker.last
        return standing, *self._shared.get(key, stream.text)

    async def _send_events(self, stream: _Stream, send: Send) -> None:
        broker = self._service.broker
        if not await sent(send, b"retry: %d\n%b" % (RECONNECT, self._route.place(stream.place))):
            return
        try:
            while not broker.closed:
                standing, place, text = await to_thread.run_sync(self._next_text, stream, limiter=self._limiter)
                if not stream.right.is_current(standing):
                    continue  # Rights have changed since the read: read again.
                stream.place = place
                if not await self._delivered(stream, standing, send, text):
                    return
                if await broker.wait_async(stream.place, KEEP_ALIVE) or broker.closed:
                    continue
                if not await sent(send, b":\n%b" % self._route.place(stream.place)):
                    return
        except CallsheetError:
            # The account lost its right, or the database is unreachable: the next connection gets the error.
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _delivered(self, stream: _Stream, standing: Standing, send: Send, text: bytes) -> bool:
        """Whether the reader read the whole text in time, and was entitled to it until the end."""
        right = stream.right
        for piece in pieces(text):
            if not right.is_current(standing) and not await to_thread.run_sync(right.still_holds, standing):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return False
            if not await sent(send, piece):
                return False
        return True


def pieces(text: bytes) -> Iterator[bytes]:
    """The text in pieces of about `PIECE` bytes, cut between events."""
    start = 0
    while start < len(text):
        end = text.find(b"\n\n", start + PIECE) + 2
        end = len(text) if end == 1 else end
        yield text[start:end]
        start = end


async def sent(send: Send, text: bytes) -> bool:
    """Whether the reader read the text in time."""
    return await sent_within(SEND_SECONDS, send, text)


async def await_end(receive: Receive, scope: anyio.CancelScope) -> None:
    """Cancel the stream when its reader disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
