"""HTTP: pooled keep-alive connections, time limits, retries. httpx is imported at the first send.

`HttpTransport` blocks, `AsyncHttpTransport` awaits. They share the management of clients here, and the exchange in
``exchange.py``; only the sending is written twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
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

if TYPE_CHECKING:
    from callsheet.transport import timely
else:
    timely = Later("callsheet.transport.timely")

__all__ = ["AsyncHttpTransport", "HttpTransport", "OnExchange", "Timeouts"]


class Clients:
    """The settings of a transport and its httpx clients: one for the server, others for other addresses."""

    _kind: str

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, **options: Unpack[Options]) -> None:
        self._settings = TransportSettings(url, headers, **options)
        self._clients: dict[str | None, Any] = {}
        self._process = os.getpid()
        self._lock = Lock()
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._settings.host}>"

    def _client(self, request: Request) -> Any:
        """The client for a request, made on first use; clients for other addresses do not get the key."""
        elsewhere = is_elsewhere(request)
        # One client for the server, and one for each proxy to other addresses.
        name = self._settings.proxy(request.path) or "" if elsewhere else None
        client = self._clients.get(name)
        if client is not None and self._process == os.getpid():
            return client
        import httpx

        with self._lock:
            if self._closed:
                raise_closed(self._settings.host)
            if self._process != os.getpid():
                # After a fork, the parent's sockets must not be used.
                self._clients, self._process = {}, os.getpid()
            if name not in self._clients:
                options = self._settings.options(elsewhere, name or None)
                self._clients[name] = self._made(getattr(httpx, self._kind)(**options))
            return self._clients[name]

    def _made(self, client: Any) -> Any:
        """A client that was just made."""
        return client

    def _take_clients(self) -> list[Any]:
        """Mark the transport as closed; returns the clients to close."""
        with self._lock:
            clients, self._clients, self._closed = list(self._clients.values()), {}, True
        return clients


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
        client, exchange = self._client(request), Exchange(self._settings, request)
        while True:
            try:
                with timely.until(exchange.until), client.stream(**exchange.arguments()) as answer:
                    for chunk in answer.iter_bytes():
                        exchange.add(chunk)
            except Exception as error:
                exchange.failed(error, self._closed)
            else:
                exchange.answered(answer)
            wait = exchange.wait()
            if wait is None:
                return exchange.conclude()
            time.sleep(wait)

    def listen(
        self, open_stream: OpenStream, deliver: Deliver, on_state: OnState, after: Position | None = None
    ) -> Listener:
        """A listener to the server's events on a connection of its own (for its use see ``listen.py``)."""
        return Listener(Listening(open_stream, self._settings, after), deliver, on_state)

    def close(self) -> None:
        """Close the connections; later requests raise `Closed`. Idempotent."""
        for client in self._take_clients():
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
                exchange.failed(exchange.overdue(), self._closed)
            except Exception as error:
                exchange.failed(error, self._closed)
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
        for client in self._take_clients():
            await client.aclose()
