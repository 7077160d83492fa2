"""The guard runs before every route and limits what a request may cost.

It is plain ASGI, so it works in front of any application. It refuses, in this order: large headers (431), a host name
that is not served (421), an invalid or missing key (401) and too many of these (429, `Admission`), more concurrent
requests of one account than its share (429), a body larger than its route accepts, counted while it streams in (413), a
body that arrives too slowly (408) or has a content type that the route does not accept (415), a compressed body that
decompresses to too much (413, 429, 503: `bodies`), and more requests than the server answers at once (503). A request
that passes has its whole body in memory, decompressed. A route declares what it accepts as its `Intake`.

`ErrorBoundary` runs between the guard and the routes: no traceback leaves the server. The traceback is logged under a
reference, and the client receives only the reference.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import anyio

from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import Size
from callsheet.errors import Closed, Invalid, ServerError, TooLarge, Unavailable
from callsheet.flow import Response
from callsheet.server.limits import Limits
from callsheet.server.web.admission import Admitted
from callsheet.server.web.asgi import (
    ACCOUNT,
    Application,
    Gone,
    Message,
    Receive,
    Scope,
    Send,
    header,
    holder,
    send_response,
)
from callsheet.server.web.bodies import BodyReader, Refusal, paced, refused, replay
from callsheet.server.web.newcomers import mark_authenticated
from callsheet.server.web.shares import Share, Shares

__all__ = ["ErrorBoundary", "Guard"]

log = logging.getLogger("callsheet.server")

STREAMING = "callsheet.streaming"
"""In the scope: a function that a streaming route calls, so that it no longer counts as a running request."""


async def everybody(_: Scope) -> Admitted:
    """Admits every request."""
    return Admitted()


class Guard:
    """Passes requests within the limits to the application, and refuses the others."""

    def __init__(
        self,
        application: Application,
        limits: Limits | None = None,
        admit: Callable[[Scope], Awaitable[Admitted]] = everybody,
    ) -> None:
        self._application = application
        self._limits = limits or Limits()
        self._admit = admit
        self._bodies = BodyReader(self._limits)
        self.shares = Shares(self._limits)
        self._running = 0
        self._strangers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        try:
            await self._guarded(scope, receive, send)
        except Gone:
            return
        except Refusal as refusal:
            await _refuse(scope, receive, send, refusal)
        except ServerError as error:
            await _refuse(scope, receive, send, refused(error, unread=True))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A websocket handshake has no body: only its headers are checked. The route limits its frames."""
        try:
            check_headers(scope, self._limits)
        except Refusal:
            await send({"type": "websocket.close"})
            return
        await self._application(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        check_headers(scope, self._limits)
        admitted = await self._admitted(scope)
        if admitted.account:
            scope[ACCOUNT] = holder(scope, admitted.account)
            mark_authenticated(scope, admitted.account)
        with self.shares.request(scope.get(ACCOUNT, "")) as share:
            if not admitted.body:
                receive = replay(b"", receive)
            elif admitted.intake.size is Size.STREAMED:
                # The route reads the stream itself, and limits its size.
                receive = paced(receive, self._limits)
            else:
                receive = replay(await self._bodies.read(scope, receive, admitted.intake, share), receive)
            with self._room_for(admitted):
                await self._run(scope, receive, send, share, admitted.intake.counted)

    @contextmanager
    def _room_for(self, admitted: Admitted) -> Iterator[None]:
        """Count a request that logs in, while it is answered: strangers have a part of the server's requests."""
        stranger = admitted.intake.anonymous and not admitted.account
        if stranger and self._strangers >= self._limits.login_requests:
            error = Unavailable(f"{self._limits.login_requests} logins are under way already; try again soon")
            error.retry_after = 1
            raise refused(error)
        self._strangers += stranger
        try:
            yield
        finally:
            self._strangers -= stranger

    async def _admitted(self, scope: Scope) -> Admitted:
        try:
            return await self._admit(scope)
        except (Refusal, ServerError):
            raise
        except Exception as error:
            raise Refusal(_unexpected(error, scope)) from None

    async def _run(self, scope: Scope, receive: Receive, send: Send, share: Share, counted: bool) -> None:
        """Answer the request, unless the server is full. It stops counting when its response begins."""
        if counted and self._running >= self._limits.requests:
            raise _full(self._limits.requests)
        self._running += counted

        def uncount() -> None:
            nonlocal counted
            self._running -= counted
            counted = False
            share.done()

        async def sending(message: Message) -> None:
            uncount()
            await send(message)

        scope[STREAMING] = uncount
        try:
            await self._application(scope, receive, sending)
        finally:
            uncount()


class ErrorBoundary:
    """Turns an unexpected exception into a response without internal details."""

    def __init__(self, app: Application) -> None:
        self._application = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._application(scope, receive, sending)
        except Exception as error:
            if scope["type"] != "http":
                raise
            response = _unexpected(error, scope)
            if not started:
                await send_response(send, response)


def _unexpected(error: Exception, scope: Scope) -> Response:
    if isinstance(error, RecursionError):
        return error_response(Invalid("the request is nested too deep"))
    if isinstance(error, Closed):
        # The workspace was dropped, or the server ends, while the request was under way.
        return error_response(Unavailable("this workspace was closed while the request was under way; try again"))
    reference = secrets.token_hex(8)
    log.error("internal error %s at %s %s", reference, scope["method"], scope["path"], exc_info=error)
    return error_response(ServerError("internal error", details={"reference": reference}))


def check_headers(scope: Scope, limits: Limits) -> None:
    headers = scope["headers"]
    size = 4 * len(headers) + sum(map(len, chain.from_iterable(headers)))
    size += len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    if size > limits.header_bytes:
        raise refused(TooLarge(f"address and headers are larger than {limits.header_bytes} bytes"), 431, unread=True)
    if limits.hosts is not None and _host(header(scope, b"host")) not in limits.hosts:
        raise refused(Invalid("this server does not serve that host name"), 421, unread=True)


def _full(requests: int) -> Unavailable:
    error = Unavailable(f"the server is answering {requests} requests already, its limit; try again soon")
    error.retry_after = 1
    return error


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    response = refusal.response
    if refusal.unread:
        # The rest of the body is unread, so the connection cannot carry another request.
        response = Response(response.status, response.content, {**response.headers, "connection": "close"})
        if not header(scope, b"expect"):
            await _drain(receive)
    await send_response(send, response)


async def _drain(receive: Receive) -> None:
    """Read and discard for up to a second: a client that is still sending would not read the response."""
    with anyio.move_on_after(1.0):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return


def _host(value: str) -> str:
    """The host name without its port: ``[::1]:80`` → ``[::1]``."""
    if value.startswith("["):
        return value.partition("]")[0].lower() + "]"
    return value.partition(":")[0].lower()
