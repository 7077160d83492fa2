"""Watches over HTTP: a response that does not end, with the changes of results. The route encodes them.

A stream holds no queue. When its reader is ready for more, it gets what leads from the results that it has to the
newest ones. The right of the reader is checked at each delivery, and at least every ten seconds.
"""

from __future__ import annotations

from collections import Counter

import anyio
from anyio import CapacityLimiter, to_thread
from attrs import define

from callsheet.dialects.routes import OverQuota, WatchRoute, WebRequest
from callsheet.errors import CallsheetError, Unavailable
from callsheet.server.access.authentication import Authentication
from callsheet.server.access.entitlement import Entitlement, Standing
from callsheet.server.limits import Limits
from callsheet.server.watching.reader import WatchReader
from callsheet.server.web.asgi import ACCOUNT, Gone, Receive, Scope, Send, client_address, read_body, send_response
from callsheet.server.web.endpoints import recognise, web_request
from callsheet.server.web.guard import STREAMING
from callsheet.server.web.streaming import HEADERS, KEEP_ALIVE, RECONNECT, StreamedService, await_end, pieces, sent
from callsheet.server.web.turns import Turns

__all__ = ["WatchStreams"]

READERS = 4
"""Threads that ask first questions, and that make texts of changes."""
GLANCE = 1.0
"""Seconds between two looks at whether rights have changed."""


@define(eq=False)
class _WatchStream:
    """One reader, its right, and the number of levels of each of its questions."""

    right: Entitlement
    reader: WatchReader
    levels: list[int]
    #: What the stream begins with, and the rights that it was read with.
    first: tuple[Standing, bytes] | None = None


class WatchStreams:
    """The ASGI endpoint of a route for watches."""

    def __init__(
        self, service: StreamedService, chain: Authentication, route: WatchRoute, turns: Turns, limits: Limits
    ) -> None:
        self._service, self._chain, self._route = service, chain, route
        self._turns, self._limits = turns, limits
        self._streams: Counter[str] = Counter()
        self._limiter: CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._limiter = self._limiter or CapacityLimiter(READERS)
        try:
            request = web_request(scope, await read_body(receive))
            account = scope.get(ACCOUNT, "")
            stream = await self._turns.run(account, self._opened, request, client_address(scope))
        except Gone:
            return
        except CallsheetError as error:
            await send_response(send, self._route.refuse(error))
            return
        account = stream.right.account
        self._streams[account] += 1
        try:
            scope.get(STREAMING, lambda: None)()
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            async with anyio.create_task_group() as group:
                group.start_soon(await_end, receive, group.cancel_scope)
                await self._send_changes(stream, send)
                group.cancel_scope.cancel()
        finally:
            self._streams[account] -= 1
            self._streams += Counter()
            stream.reader.close()

    def _opened(self, request: WebRequest, address: str) -> _WatchStream:
        """The stream that a request opens. Raises if the key or a question is refused."""
        route = self._route

        def check() -> str:
            caller = recognise(self._service, self._chain, route.credentials, request, address)
            if caller is None:
                raise Unavailable("watches are for accounts")
            return caller.account

        account = check()
        self._check_number(account)
        watches = route.watches(request)
        right = self._service.entitlement(account, check)
        reader = self._service.backend(account, address).watch(watches)
        stream = _WatchStream(right, reader, [len(each.question.aggregate.group) for each in watches])
        try:
            # Raises now, before the answer begins, if a question or a position is refused.
            stream.first = self._next_text(stream)
        except BaseException:
            reader.close()
            raise
        return stream

    def _check_number(self, account: str) -> None:
        limits = self._limits
        error: Unavailable | None = None
        if self._streams[account] >= limits.account_streams:
            most = limits.account_streams
            error = OverQuota(f"there are {most} streams of watches of `{account}` already, its limit; close one first")
        elif self._streams.total() >= limits.streams:
            error = Unavailable(f"there are {limits.streams:,} streams of watches already; try again later")
        if error is not None:
            error.retry_after = 5
            raise error

    def _next_text(self, stream: _WatchStream) -> tuple[Standing, bytes]:
        # Raises if the key is no longer valid, or the account has been disabled.
        standing = stream.right.standing()
        steps = stream.reader.changes()
        change = self._route.change
        return standing, b"".join(change(number, stream.levels[number], step) for number, step in steps)

    async def _send_changes(self, stream: _WatchStream, send: Send) -> None:
        reader, place, begun = stream.reader, self._route.place, False
        if not await sent(send, b"retry: %d\n\n" % RECONNECT):
            return
        try:
            while not self._service.broker.closed:
                read, stream.first = stream.first, None
                if read is None:
                    read = await to_thread.run_sync(self._next_text, stream, limiter=self._limiter)
                standing, text = read
                if not stream.right.is_current(standing):
                    continue  # Rights have changed since the read: read again.
                if not await self._delivered(stream, standing, send, text):
                    return
                reader.delivered()
                if not begun and not await sent(send, place(reader.position)):
                    return
                begun = True
                if not await self._waited(stream, standing) and not await sent(send, b":\n%b" % place(reader.position)):
                    return
        except CallsheetError:
            # The account lost its right, or the question cannot be asked: the next connection gets the error.
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _waited(self, stream: _WatchStream, standing: Standing) -> bool:
        """Whether there may be something to send: a change, or other rights; false after ten seconds without."""
        until = anyio.current_time() + KEEP_ALIVE
        while (left := until - anyio.current_time()) > 0:
            if await stream.reader.wait_async(min(GLANCE, left)) or self._service.broker.closed:
                return True
            if not stream.right.is_current(standing):
                return True
        return False

    async def _delivered(self, stream: _WatchStream, standing: Standing, send: Send, text: bytes) -> bool:
        """Whether the reader read the whole text in time, and was entitled to it until the end."""
        right = stream.right
        for piece in pieces(text):
            if not right.is_current(standing) and not await to_thread.run_sync(right.still_holds, standing):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return False
            if not await sent(send, piece):
                return False
        return True
