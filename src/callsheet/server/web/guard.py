"""The guard stands before every route: it bounds what a request may cost before anything reads it.

Plain ASGI, so it guards whatever stands behind it. It refuses, in this order: more than so many requests at once (503),
a host name it does not serve (421), large headers (431), a body that is too large for its route, counted while it
streams in (413), one that comes too slowly (408), one of a type that its route does not take (415), and compressed
bodies that unfold to too much (413). What passes has its whole body in memory, decompressed. What a route takes is its
`Intake`.

`ErrorBoundary` stands behind the guard and before the routes: no traceback leaves the server. It is written
to the log under a reference, and the reference is what the client is told.
"""

from __future__ import annotations

import logging
import secrets
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import anyio
from anyio import to_thread
from attrs import frozen

from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import Intake, Size
from callsheet.errors import Invalid, ServerError, TooLarge, Unavailable
from callsheet.flow import Response

__all__ = ["ErrorBoundary", "Guard", "Limits", "client_address", "header", "send_response"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("callsheet.server")


@frozen
class Limits:
    """What one request may cost, in bytes and seconds, and how many there may be at once.

    ``parts_bytes`` bounds the body of a part of a staged commit; ``hosts`` are the names this server answers
    to (None: any), which keeps web pages from reaching a server on their reader's own machine.
    """

    header_bytes: int = 32 * 2**10
    body_bytes: int = 8 * 2**20
    parts_bytes: int = 16 * 2**20
    decompressed_bytes: int = 64 * 2**20
    body_seconds: float = 30.0
    requests: int = 100
    hosts: frozenset[str] | None = None

    def body(self, size: Size | int) -> int:
        """How many bytes a body of this size may have."""
        if isinstance(size, int):
            return size
        return self.parts_bytes if size is Size.LARGE else self.body_bytes


STREAMING = "callsheet.streaming"
"""In the scope: what a route calls whose answer will not end, so that it is not counted among the requests."""


class Refusal(Exception):
    """A request the guard does not let through; ``unread`` when its body may still be on its way."""

    def __init__(self, error: ServerError, status: int, unread: bool = False) -> None:
        super().__init__(str(error))
        self.unread = unread
        self.response = error_response(error, status, {"connection": "close"})


class Gone(Exception):
    """The client went away while it was sending."""


class Guard:
    """Lets requests within the limits through to the application."""

    def __init__(
        self,
        application: Application,
        limits: Limits | None = None,
        intake: Callable[[Scope], Intake] = lambda _: Intake(),
    ) -> None:
        self._application = application
        self._limits = limits or Limits()
        #: What the route of a request takes.
        self._intake = intake
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        intake = self._intake(scope)
        counted = intake.counted
        if counted and self._running >= self._limits.requests:
            await self._refuse_busy(send)
            return
        self._running += counted

        def uncount() -> None:
            nonlocal counted
            self._running -= counted
            counted = False

        scope[STREAMING] = uncount
        try:
            await self._guarded(scope, receive, send, intake)
        finally:
            uncount()

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A websocket's opening is a request without a body; its route bounds what comes over it."""
        try:
            check_headers(scope, self._limits)
        except Refusal:
            await send({"type": "websocket.close"})
            return
        await self._application(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, intake: Intake) -> None:
        try:
            check_headers(scope, self._limits)
            if intake.size is Size.STREAMED:
                # The route itself reads the body, and bounds it, as it comes.
                await self._application(scope, receive, send)
                return
            body = await self._body(scope, receive, intake)
        except Refusal as refusal:
            if refusal.unread:
                await _drain(receive)
            await send_response(send, refusal.response)
            return
        except Gone:
            return
        await self._application(scope, replay(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive, intake: Intake) -> bytes:
        limits = self._limits
        limit = limits.body(intake.size)
        check_length(scope, limit)
        body = b""
        with anyio.move_on_after(limits.body_seconds) as clock:
            body = await read_body(receive, limit)
        if clock.cancelled_caught:
            raise Refusal(Unavailable(f"the request took longer than {limits.body_seconds:g} s to arrive"), 408)
        if body and header(scope, b"content-type").partition(";")[0].strip().lower() not in intake.content_types:
            types = " or ".join(sorted(intake.content_types))
            raise Refusal(Invalid(f"a request's body has the content type {types}"), 415)
        encoding = header(scope, b"content-encoding").lower()
        if encoding == "gzip" and body:
            return await to_thread.run_sync(decompress, body, limits.decompressed_bytes)
        if encoding not in ("", "identity", "gzip"):
            raise Refusal(Invalid(f"the content encoding {encoding!r:.40} is not understood; gzip is"), 415)
        return body

    async def _refuse_busy(self, send: Send) -> None:
        error = Unavailable(f"the server is answering {self._limits.requests} requests already; try again soon")
        error.retry_after = 1
        await send_response(send, error_response(error))


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


def header(scope: Scope, name: bytes) -> str:
    """The value of a header (names in lower case), or nothing."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("utf-8", "replace")
    return ""


def client_address(scope: Scope) -> str:
    """Where the request comes from."""
    client: Any = scope.get("client")
    return "" if client is None else str(client[0])


def check_headers(scope: Scope, limits: Limits) -> None:
    size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    size += len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    if size > limits.header_bytes:
        raise Refusal(TooLarge(f"address and headers are larger than {limits.header_bytes} bytes"), 431, unread=True)
    if limits.hosts is not None and _host(header(scope, b"host")) not in limits.hosts:
        raise Refusal(Invalid("this server does not answer to that host name"), 421, unread=True)


def check_length(scope: Scope, limit: int) -> None:
    """Refuse at once what says itself that it is too large."""
    told = header(scope, b"content-length")
    if told and not (told.isascii() and told.isdigit()):
        raise Refusal(Invalid("the content length is no number"), 400, unread=True)
    if told and (len(told) > 15 or int(told) > limit):
        raise Refusal(_too_large(limit), 413, unread=True)


async def read_body(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise Refusal(_too_large(limit), 413, unread=True)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def decompress(body: bytes, limit: int) -> bytes:
    """The gzip body unfolded, never to more than the limit."""
    unfolding = zlib.decompressobj(wbits=31)
    try:
        data = unfolding.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refusal(Invalid(f"the compressed body is damaged: {error}"), 422) from None
    if len(data) > limit:
        raise Refusal(TooLarge(f"the body unfolds to more than {limit} bytes"), 413)
    if not unfolding.eof or unfolding.unused_data:
        raise Refusal(Invalid("the compressed body is cut short, or something follows it"), 422)
    return data


def replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the whole body once, then what comes after it."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def send_response(send: Send, response: Response) -> None:
    headers = [(name.encode("latin-1"), value.encode()) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


async def _drain(receive: Receive) -> None:
    """Read on for a moment and forget it: a client that is still sending would not see the answer."""
    with anyio.move_on_after(1.0):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the request's body is larger than {limit} bytes; larger commits are staged in parts")


def _host(value: str) -> str:
    """The name without its port: ``[::1]:80`` → ``[::1]``."""
    if value.startswith("["):
        return value.partition("]")[0].lower() + "]"
    return value.partition(":")[0].lower()
