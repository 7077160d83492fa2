"""Events over websockets: a handshake, and a socket for each client.

A handshake takes credentials and returns a session, a secret that opens one socket within some seconds: the socket
itself carries no credentials. A connection is a position in the log and three tasks: one receives, one sends events,
one sends heartbeats. It holds no queue, so a slow client delays only itself; a client that sends nothing, or reads
nothing, is disconnected. The route's `SocketConversation` encodes and decodes the frames.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeGuard

import anyio
from anyio import CapacityLimiter, to_thread
from attrs import define, field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from callsheet.dialects.routes import OverQuota, SocketRoute
from callsheet.errors import CallsheetError, ServerError, Unavailable
from callsheet.model.event import Position
from callsheet.server.access.authentication import Authentication
from callsheet.server.access.entitlement import Entitlement, Standing
from callsheet.server.limits import Limits
from callsheet.server.log.broker import Broker
from callsheet.server.log.events import end_of
from callsheet.server.web.account_hub import AccountHub
from callsheet.server.web.asgi import client_address
from callsheet.server.web.endpoints import http_response, recognise, web_request
from callsheet.server.web.sharing import Shared

__all__ = ["EventSockets", "Eventful", "is_eventful"]

HANDSHAKE_SECONDS = 30.0
"""How long a session is valid before its socket opens."""
HANDSHAKES = 10_000
FRAME = 512 * 2**10
"""The most characters of a frame."""
HEARTBEAT = 8.0
"""Seconds between heartbeats; clients give up after 15 without any."""
SILENCE = 30.0
"""Seconds without a frame after which a client is disconnected."""
SEND_SECONDS = 30.0
PIECE = 20
"""Events per piece: the client's right is checked before each piece."""
SHARED = 16
"""Batches of events that are cached for hubs at the same position."""
READERS = 4
"""Threads that read for all sockets together: more would only compete for the interpreter."""

log = logging.getLogger("callsheet.server")


class Eventful(Protocol):
    """What event sockets need of a service."""

    @property
    def broker(self) -> Broker: ...

    def backend(self, user: str, address: str = "") -> Any: ...

    def entitlement(self, account: str, check: Callable[[], object]) -> Entitlement: ...

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...


def is_eventful(service: object) -> TypeGuard[Eventful]:
    """Whether the service has events."""
    return isinstance(getattr(service, "broker", None), Broker)


@define
class _Session:
    """A completed handshake, and until when its socket may open. ``check`` validates the key again."""

    account: str
    address: str
    check: Callable[[], str]
    until: float


@define(eq=False)
class EventSockets:
    """All event sockets of one application, and the sessions whose socket is not open yet."""

    _service: Eventful
    _chain: Authentication
    _route: SocketRoute
    _limits: Limits = field(factory=Limits)
    _sessions: dict[str, _Session] = field(factory=dict)
    _open: Counter[str] = field(factory=Counter)
    _comparisons: Counter[str] = field(factory=Counter)
    _limiter: CapacityLimiter | None = None
    #: The next events after a position, for all hubs of an account at that position.
    _shared: Shared[Any] = field(factory=lambda: Shared(SHARED, lambda read: read.advanced))

    async def handshake(self, request: HttpRequest) -> HttpResponse:
        """Return a session for a valid key."""
        route, shown, address = self._route, web_request(request.scope), client_address(request.scope)

        def check() -> str:
            caller = recognise(self._service, self._chain, route.credentials, shown, address)
            if caller is None:
                raise Unavailable("events are for accounts")
            return caller.account

        def enter() -> str:
            account = check()
            # Raises if the account may not read events.
            self._service.backend(account, address).events(None, (), {}, 1)
            return account

        try:
            account = await to_thread.run_sync(enter)
            self._check_room(account)
        except ServerError as error:
            return http_response(route.refuse(error))
        session = self._remember(_Session(account, address, check, time.monotonic() + HANDSHAKE_SECONDS))
        return http_response(route.greeting(session))

    async def connect(self, socket: WebSocket) -> None:
        """Serve the socket of a session until it closes."""
        session = self._sessions.pop(socket.path_params["session"], None)
        if session is None or session.until < time.monotonic() or not self._has_room(session.account):
            # Closed before it is accepted: the client receives 403.
            await socket.close()
            return
        self._open[session.account] += 1
        try:
            await socket.accept()
            self._limiter = self._limiter or CapacityLimiter(READERS)
            hub = AccountHub(session.account, self._comparisons, self._limits.account_filters)
            try:
                await _Connection(socket, session, self._service, self._limiter, self._shared, self._route, hub).run()
            finally:
                hub.end()
        finally:
            self._open[session.account] -= 1
            self._open += Counter()

    def _remember(self, session: _Session) -> str:
        now = time.monotonic()
        for name, known in list(self._sessions.items()):
            if known.until >= now and len(self._sessions) < HANDSHAKES:
                break
            del self._sessions[name]
        name = secrets.token_urlsafe(32)
        self._sessions[name] = session
        return name

    def _has_room(self, account: str) -> bool:
        return self._open[account] < self._limits.account_streams and self._open.total() < self._limits.streams

    def _check_room(self, account: str) -> None:
        if self._has_room(account):
            return
        most = self._limits.account_streams
        error = Unavailable(f"there are {self._limits.streams:,} event connections already; try again later")
        if self._open[account] >= most:
            error = OverQuota(f"there are {most} event connections of `{account}` already, its limit; disconnect a hub")
        error.retry_after = 5
        raise error


class _Connection:
    """One open socket."""

    def __init__(
        self,
        socket: WebSocket,
        session: _Session,
        service: Eventful,
        limiter: CapacityLimiter,
        shared: Shared[Any],
        route: SocketRoute,
        hub: AccountHub,
    ) -> None:
        self._socket, self._session, self._limiter, self._shared = socket, session, limiter, shared
        self._broker = service.broker
        self._backend = service.backend(session.account, session.address)
        self._right = service.entitlement(session.account, session.check)
        self._conversation = route.conversation(self._backend, hub)
        self._sending = anyio.Lock()
        self._last_received = time.monotonic()

    async def run(self) -> None:
        """Receive frames and send events until either side closes the socket."""
        try:
            place = await self._thread(self._beginning)
            await self._send(self._conversation.opening())
            async with anyio.create_task_group() as group:
                for task in (self._receive_frames, self._send_events, self._send_heartbeats):
                    group.start_soon(self._until_end, task, place, group.cancel_scope)
        except Exception:
            log.exception("an event connection of %s failed", self._session.account)
        await self._close()

    async def _until_end(self, task: Any, place: Position, scope: anyio.CancelScope) -> None:
        """Run one of the tasks; when it ends, the others are cancelled."""
        try:
            await task(place)
        except (WebSocketDisconnect, _Slow, _AccessEnded, CallsheetError):
            # The client disconnected or reads nothing, its rights have changed, or the database is unreachable.
            pass
        except Exception as error:
            log.error("an event connection of %s failed", self._session.account, exc_info=error)
        scope.cancel()

    async def _receive_frames(self, _: Position) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            frame = message.get("text")
            if not isinstance(frame, str) or len(frame) > FRAME:
                return
            self._last_received = time.monotonic()
            step = self._conversation.receive(frame, end_of(self._broker.last))
            if step.ended:
                return
            await self._send(step.answers)
            if step.publish is not None:
                await self._send(step.published(await self._publish(step.publish)))

    async def _publish(self, event: Any) -> str | None:
        """Publish an event; returns the error's text if it was refused."""
        try:
            await self._thread(self._session.check)
            await self._thread(self._backend.publish, event)
        except CallsheetError as error:
            return str(error)
        return None

    async def _send_events(self, place: Position) -> None:
        while not self._broker.closed:
            if await self._broker.wait_async(place, SILENCE):
                standing, packets, reached = await self._thread(self._read, place)
                if self._right.is_current(standing):
                    place = reached
                    await self._deliver(standing, packets)

    async def _deliver(self, standing: Standing, packets: Sequence[Any]) -> None:
        """Send events while the client is entitled to them; raises `_AccessEnded` when it no longer is."""
        right = self._right
        for start in range(0, len(packets), PIECE):
            if not right.is_current(standing) and not await self._thread(right.still_holds, standing):
                raise _AccessEnded
            await self._send(packets[start : start + PIECE])

    async def _send_heartbeats(self, _: Position) -> None:
        while time.monotonic() - self._last_received < SILENCE:
            await self._send(self._conversation.heartbeat())
            await anyio.sleep(HEARTBEAT)
            await self._thread(self._session.check)

    def _beginning(self) -> Position:
        return self._conversation.beginning()

    def _read(self, place: Position) -> tuple[Standing, Sequence[Any], Position]:
        """The next events of the log as frames for this hub, and the position after them."""
        standing = self._right.standing()
        key = self._session.account, standing.audience, place, self._conversation.question()
        read = self._shared.get(key, lambda: self._conversation.read(place))
        return standing, self._conversation.frames(read), read.reached

    async def _send(self, packets: Iterable[Any]) -> None:
        with anyio.move_on_after(SEND_SECONDS) as clock:
            async with self._sending:
                for packet in packets:
                    await self._socket.send_text(str(packet))
        if clock.cancelled_caught:
            raise _Slow

    async def _thread(self, function: Any, *arguments: Any) -> Any:
        return await to_thread.run_sync(function, *arguments, limiter=self._limiter)

    async def _close(self) -> None:
        """Close the socket; a client that is gone already is ignored."""
        with anyio.move_on_after(1.0, shield=True):
            try:
                await self._socket.close()
            except (RuntimeError, WebSocketDisconnect):
                pass


class _Slow(Exception):
    """The client did not read what was sent in time."""


class _AccessEnded(Exception):
    """The account's rights have changed since the events were read."""
