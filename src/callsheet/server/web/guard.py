"""The guard stands before every route: it bounds what a request may cost before anything reads it.

Plain ASGI, so it guards whatever stands behind it. It refuses, in this order: large headers (431), a host name it does
not serve (421), a wrong key or none (401) and too many of them (429, `Admission`), more requests of one account at once
than its share (429), a body that is too large for its route, counted while it streams in (413), one that comes too
slowly (408), one of a type that its route does not take (415), compressed bodies that unfold to too much (413, 429,
503: `bodies`), and more requests than the server answers at once (503). What passes has its whole body in memory,
decompressed. What a route takes is its `Intake`.

`ErrorBoundary` stands behind the guard and before the routes: no traceback leaves the server. It is written
to the log under a reference, and the reference is what the client is told.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from itertools import chain

import anyio

from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import Size
from callsheet.errors import Invalid, ServerError, TooLarge, Unavailable
from callsheet.flow import Response
from callsheet.server.limits import Limits
from callsheet.server.web.admission import Admitted
from callsheet.server.web.asgi import ACCOUNT, Application, Gone, Message, Receive, Scope, Send, header, send_response
from callsheet.server.web.bodies import BodyReader, Refusal, paced, refused, replay
from callsheet.server.web.newcomers import vouch
from callsheet.server.web.shares import Share, Shares

__all__ = ["ErrorBoundary", "Guard"]

log = logging.getLogger("callsheet.server")

STREAMING = "callsheet.streaming"
"""In the scope: what a route calls whose answer will not end, so that it is not counted among the requests."""


async def everybody(_: Scope) -> Admitted:
    """Admits every request."""
    return Admitted()


class Guard:
    """Lets requests within the limits through to the application."""

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
        """A websocket's opening is a request without a body; its route bounds what comes over it."""
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
            scope[ACCOUNT] = admitted.account
            vouch(scope, admitted.account)
        with self.shares.request(admitted.account) as share:
            if not admitted.body:
                receive = replay(b"", receive)
            elif admitted.intake.size is Size.STREAMED:
                # The route itself reads the body, and bounds its size, as it comes.
                receive = paced(receive, self._limits)
            else:
                receive = replay(await self._bodies.read(scope, receive, admitted.intake, share), receive)
            await self._run(scope, receive, send, share, admitted.intake.counted)

    async def _admitted(self, scope: Scope) -> Admitted:
        try:
            return await self._admit(scope)
        except (Refusal, ServerError):
            raise
        except Exception as error:
            raise Refusal(_unforeseen(error, scope)) from None

    async def _run(self, scope: Scope, receive: Receive, send: Send, share: Share, counted: bool) -> None:
        """Have the request answered, if the server is not full. Once the answer begins, it counts no longer."""
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
    """Turns what went wrong inside into an answer that tells nothing of the inside."""

    def __init__(self, app: Application) -> None:
        self._application = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._application(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http":
                raise
            response = _unforeseen(error, scope)
            if not started:
                await send_response(send, response)


def _unforeseen(error: Exception, scope: Scope) -> Response:
    if isinstance(error, RecursionError):
        return error_response(Invalid("the request is nested too deep"))
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
        raise refused(Invalid("this server does not answer to that host name"), 421, unread=True)


def _full(requests: int) -> Unavailable:
    error = Unavailable(f"the server is answering {requests} requests already, its limit; try again soon")
    error.retry_after = 1
    return error


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    response = refusal.response
    if refusal.unread:
        # What is left of the body is not read, so nothing can follow it.
        response = Response(response.status, response.content, {**response.headers, "connection": "close"})
        if not header(scope, b"expect"):
            await _drain(receive)
    await send_response(send, response)


async def _drain(receive: Receive) -> None:
    """Read on for a moment and forget it: a client that is still sending would not see the answer."""
    with anyio.move_on_after(1.0):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return


def _host(value: str) -> str:
    """The name without its port: ``[::1]:80`` → ``[::1]``."""
    if value.startswith("["):
        return value.partition("]")[0].lower() + "]"
    return value.partition(":")[0].lower()
