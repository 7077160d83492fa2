"""HTTP: pooled keep-alive connections, time limits, retries. httpx is imported at the first send.

`HttpTransport` blocks, `AsyncHttpTransport` awaits. They share the management of clients here, and the exchange in
``exchange.py``; only the sending is written twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from copy import copy
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, Unpack

from callsheet.flow import Request, Response
from callsheet.later import Later
from callsheet.model.event import Position
from callsheet.transport.exchange import (
    Exchange,
    OnExchange,
    Options,
    Timeouts,
    TransportSettings,
    is_elsewhere,
    raise_closed,
)
from callsheet.transport.listen import (
    AsyncListener,
    Deliver,
    DeliverAsync,
    Listener,
    Listening,
    OnState,
    OpenStream,
)
from callsheet.transport.patience import checked_timeouts

if TYPE_CHECKING:
    from callsheet.transport import timely
else:
    timely = Later("callsheet.transport.timely")

__all__ = ["AsyncHttpTransport", "HttpTransport", "OnExchange", "Timeouts"]


class ClientPool:
    """The httpx clients of a transport: one for the server, others for other addresses; copies of it share them."""

    def __init__(self) -> None:
        self.closed = False
        self._clients: dict[str | None, Any] = {}
        self._process = os.getpid()
        self._lock = Lock()

    def client(self, name: str | None, make: Callable[[], Any], host: str) -> Any:
        """The client of a name, made on first use."""
        client = self._clients.get(name)
        if client is not None and self._process == os.getpid():
            return client
        with self._lock:
            if self.closed:
                raise_closed(host)
            if self._process != os.getpid():
                # After a fork, the parent's sockets must not be used.
                self._clients, self._process = {}, os.getpid()
            if name not in self._clients:
                self._clients[name] = make()
            return self._clients[name]

    def take(self) -> list[Any]:
        """Mark the pool as closed; returns the clients to close."""
        with self._lock:
            clients, self._clients, self.closed = list(self._clients.values()), {}, True
        return clients


class Clients:
    """The settings of a transport, and its clients."""

    _kind: str

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, **options: Unpack[Options]) -> None:
        self._settings = TransportSettings(url, headers, **options)
        self._pool = ClientPool()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._settings.host}>"

    def with_timeout(self, timeout: Timeouts | float | None) -> Self:
        """A transport with other time limits on the same connections, with the same login."""
        other = copy(self)
        other._settings = copy(self._settings)
        other._settings.timeouts = checked_timeouts(timeout)
        return other

    def _client(self, request: Request) -> Any:
        """The client for a request, made on first use; clients for other addresses do not get the key."""
        elsewhere = is_elsewhere(request)
        # One client for the server, and one for each proxy to other addresses.
        name = self._settings.proxy(request.path) or "" if elsewhere else None

        def make() -> Any:
            import httpx

            return self._made(getattr(httpx, self._kind)(**self._settings.options(elsewhere, name or None)))

        return self._pool.client(name, make, self._settings.host)

    def listen(
        self, open_stream: OpenStream, deliver: Deliver, on_state: OnState, after: Position | None = None
    ) -> Listener:
        """A listener to the server's events on a connection of its own (for its use see ``listen.py``)."""
        return Listener(Listening(open_stream, self._settings, after), deliver, on_state)

    def _made(self, client: Any) -> Any:
        """A client that was just made."""
        return client


class HttpTransport(Clients):
    """Sends requests over a pool of connections; safe to share between threads.

    ``timeout`` is the read limit in seconds or `Timeouts`; ``retries`` a number or a `RetryPolicy`;
    ``verify`` False, or a file or folder of certificates to trust; ``on_exchange`` is called with every exchange.

    >>> transport = HttpTransport("https://callsheet.example.org", {"authorization": "Bearer secret"})
    >>> transport
    <HttpTransport callsheet.example.org>
    >>> transport.close()
    """

    _kind = "Client"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _made(self, client: Any) -> Any:
        timely.keep_deadlines(client)
        return client

    def send(self, request: Request) -> Response:
        """The server's response, whatever its status; raises `Timeout` or `Disconnected` if there is none."""
        renewals = self._settings.renewals
        if renewals is None or request.anonymous or is_elsewhere(request):
            return self._transmit(request)
        return renewals.send(request, self._transmit)

    def _transmit(self, request: Request) -> Response:
        """Send a request with the login's present token, if there is a login."""
        client, exchange = self._client(request), Exchange(self._settings, request)
        while True:
            try:
                with timely.until(exchange.until), client.stream(**exchange.arguments()) as answer:
                    for chunk in answer.iter_bytes():
                        exchange.add(chunk)
            except Exception as error:
                exchange.failed(error, self._pool.closed)
            else:
                exchange.answered(answer)
            wait = exchange.wait()
            if wait is None:
                return exchange.conclude()
            time.sleep(wait)

    def close(self) -> None:
        """Close the connections; later requests raise `Closed`. Idempotent."""
        for client in self._pool.take():
            client.close()


class AsyncHttpTransport(Clients):
    """The same, awaited, under asyncio or trio; it belongs to the event loop of its first request."""

    _kind = "AsyncClient"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def send(self, request: Request) -> Response:
        """The server's response, whatever its status; raises `Timeout` or `Disconnected` if there is none."""
        renewals = self._settings.renewals
        if renewals is None or request.anonymous or is_elsewhere(request):
            return await self._transmit(request)
        return await renewals.asend(request, self._transmit)

    async def _transmit(self, request: Request) -> Response:
        """Send a request with the login's present token, if there is a login."""
        import anyio

        client, exchange = self._client(request), Exchange(self._settings, request)
        while True:
            try:
                # A server may send so slowly that no time limit between bytes is ever reached.
                with anyio.fail_after(exchange.remaining):
                    async with client.stream(**exchange.arguments()) as answer:
                        async for chunk in answer.aiter_bytes():
                            exchange.add(chunk)
            except TimeoutError:
                exchange.failed(exchange.overdue(), self._pool.closed)
            except Exception as error:
                exchange.failed(error, self._pool.closed)
            else:
                exchange.answered(answer)
            wait = exchange.wait()
            if wait is None:
                return exchange.conclude()
            await anyio.sleep(wait)

    def alisten(
        self, open_stream: OpenStream, deliver: DeliverAsync, on_state: OnState, after: Position | None = None
    ) -> AsyncListener:
        """The same, awaited."""
        return AsyncListener(Listening(open_stream, self._settings, after), deliver, on_state)

    async def aclose(self) -> None:
        """Close the connections; later requests raise `Closed`. Idempotent."""
        for client in self._pool.take():
            await client.aclose()
