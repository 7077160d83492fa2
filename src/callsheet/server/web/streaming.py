"""Events over HTTP: an answer that does not end (``dialects/native/events.py`` tells its text).

A stream is a position and a task. It reads a batch of the log, sends it, and waits to be woken; it holds no queue, so a
reader that is slow delays only itself, and one that takes nothing for a minute is hung up on. While nothing happens a
stream costs no thread, and speaks every ten seconds. Whether the account may still ask is asked again and again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable
from urllib.parse import parse_qsl

import anyio
from anyio import CapacityLimiter, to_thread
from attrs import define, field

from callsheet.dialects.native.events import message_out, place_out
from callsheet.dialects.native.server import error_response
from callsheet.dialects.native.shapes import decode
from callsheet.dialects.native.values import unpack
from callsheet.dialects.protocol import EventBackend
from callsheet.errors import CallsheetError, Invalid, QueryError, ServerError, Unavailable
from callsheet.model.event import Position
from callsheet.model.plain import Malformed
from callsheet.server.access.access import Access
from callsheet.server.access.authentication import RecentKeys, bearer, unauthorised
from callsheet.server.log.broker import Broker
from callsheet.server.log.events import condition_of, end_of
from callsheet.server.web.guard import STREAMING, Receive, Scope, Send, header, send_response
from callsheet.server.web.sharing import Shared

__all__ = ["EventStreams", "Telling"]

BATCH = 500
ACCOUNT_STREAMS = 32
"""Streams of one account."""
STREAMS = 1_000
EXPRESSIONS = 1_000
KEEP_ALIVE = 10.0
SEND_SECONDS = 60.0
"""How long a reader may take nothing."""
RECONNECT = 1_000
"""Milliseconds after which a browser should connect again."""
READERS = 4
"""Threads that read for all streams together: more would only fight for the interpreter."""
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

    def access(self, user: str) -> Access: ...

    def backend(self, user: str, address: str = "") -> Any: ...

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...


@define
class _Asked:
    """One request: who asks, for what, and where it has got to."""

    account: str
    check: Callable[[], str]
    backend: EventBackend
    expressions: Sequence[str]
    subscriber: Mapping[str, Any]
    place: Position
    question: str
    """All that the answer depends on, beside the place and the account."""
    checked: float = field(factory=time.monotonic)

    def look(self) -> None:
        """Look at who asks again, when some time has passed."""
        now = time.monotonic()
        if now - self.checked >= KEEP_ALIVE:
            self.check()
            self.checked = now

    def text(self) -> tuple[Position, bytes]:
        """The next events as they are sent, and the place behind them."""
        batch = self.backend.events(self.place, self.expressions, self.subscriber, BATCH)
        return batch.place, b"".join(map(message_out, batch.events))


class EventStreams:
    """Answers ``GET /v1/events``: an ASGI application."""

    def __init__(self, service: Telling, keys: RecentKeys) -> None:
        self._service, self._keys = service, keys
        self._streams: Counter[str] = Counter()
        self._limiter: CapacityLimiter | None = None
        self._shared = Shared[tuple[Position, bytes]](SHARED, lambda told: len(told[1]) <= SHARED_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._limiter = self._limiter or CapacityLimiter(READERS)
        try:
            asked = await to_thread.run_sync(self._asked, scope)
            self._count(asked.account)
        except CallsheetError as error:
            await send_response(send, _refusal(error))
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

    def _count(self, account: str) -> None:
        if self._streams[account] >= ACCOUNT_STREAMS or self._streams.total() >= STREAMS:
            whose = f"of `{account}` " if self._streams[account] >= ACCOUNT_STREAMS else ""
            error = Unavailable(f"there are {self._streams.total()} streams of events {whose}already; close one first")
            error.retry_after = 5
            raise error
        self._streams[account] += 1

    def _asked(self, scope: Scope) -> _Asked:
        """What a request asks for, by whom. Raises what is refused."""
        client: Any = scope.get("client")
        address = "" if client is None else str(client[0])
        user = header(scope, b"x-callsheet-user") or None
        authorization = header(scope, b"authorization")

        def check() -> str:
            try:
                return self._keys.account(user, bearer(authorization), address)
            except ServerError as error:
                self._service.refused_key(user, str(error), address)
                raise

        account = check()
        backend = self._service.backend(account, address)
        after, expressions, subscriber = _parameters(scope)
        condition_of(expressions)
        # From now on, or from where the reader was: either is a position from here.
        place = after if after is not None else backend.events(None, (), {}, 1).place
        question = repr((expressions, subscriber))
        return _Asked(account, check, backend, expressions, subscriber, place, question)

    def _text(self, asked: _Asked) -> tuple[Position, bytes]:
        """What comes next. Readers that follow with the same question get the same answer, made once."""
        asked.look()
        # Raises where the account has been disabled. Who may read all is told the same as any other of that kind.
        who = "" if self._service.access(asked.account).reads_all else asked.account
        key = who, asked.question, asked.place, self._service.broker.last
        return self._shared.get(key, asked.text)

    async def _tell(self, asked: _Asked, send: Send) -> None:
        broker = self._service.broker
        if not await _sent(send, b"retry: %d\n%b" % (RECONNECT, place_out(asked.place))):
            return
        try:
            while not broker.closed:
                asked.place, text = await to_thread.run_sync(self._text, asked, limiter=self._limiter)
                if text and not await _sent(send, text):
                    return
                if await broker.wait_async(asked.place, KEEP_ALIVE) or broker.closed:
                    continue
                if not await _sent(send, b":\n%b" % place_out(asked.place)):
                    return
        except CallsheetError:
            # The account may not ask any more, or the database is away: it is told when it asks again.
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


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


def _parameters(scope: Scope) -> tuple[Position | None, list[str], Mapping[str, Any]]:
    told = parse_qsl((scope.get("query_string") or b"").decode("latin-1"), keep_blank_values=True, errors="replace")
    last = header(scope, b"last-event-id")
    after = _position(last) if last else None
    expressions: list[str] = []
    subscriber: Any = {}
    for name, value in told:
        if name == "after":
            # A browser that connects again says where it was in the header, and asks as it did at first.
            after = after or _position(value)
        elif name == "filter":
            expressions.append(value)
        elif name == "subscriber":
            subscriber = _subscriber(value)
        else:
            raise Invalid(f"`{name:.80}` is not among what events are asked with: `after`, `filter`, `subscriber`")
    if len(expressions) > EXPRESSIONS:
        raise Invalid(f"{len(expressions):,} filters; at most {EXPRESSIONS:,} are taken")
    return after, expressions, subscriber


def _position(text: str) -> Position:
    """Where a reader was: ``12.3``, or ``12`` for all of commit 12."""
    commit, dot, index = text.partition(".")
    for part in (commit, index) if dot else (commit,):
        if not (part.isascii() and part.isdigit() and len(part) <= 18):
            raise Invalid(f"a position is written as `12.3`, or `12` for all of commit 12, not {text!r:.40}")
    return Position(int(commit), int(index)) if dot else end_of(int(commit))


def _subscriber(text: str) -> Mapping[str, Any]:
    try:
        found = unpack(decode(text.encode(), dict[str, Any]))
    except Malformed as error:
        raise Invalid(f"`subscriber` cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise Invalid("`subscriber` is a JSON object")
    return found


def _refusal(error: CallsheetError) -> Any:
    if isinstance(error, QueryError):
        return error_response(Invalid(str(error), details={"position": error.position, "hint": error.hint}))
    return unauthorised(error if isinstance(error, ServerError) else Unavailable(str(error)))
