"""HTTP: pooled keep-alive connections, time limits, retries. httpx is imported at the first send.

`HttpTransport` blocks, `AsyncHttpTransport` awaits; what they agree on is in ``exchange.py``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Unpack

from callsheet.flow import Request, Response
from callsheet.model.event import Position
from callsheet.transport.exchange import (
    OnExchange,
    Options,
    Reception,
    Timeouts,
    TransportSettings,
    conclude,
    failure_of_error,
    failure_of_status,
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
from callsheet.transport.retry import Attempts, Failure

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncHttpTransport", "HttpTransport", "OnExchange", "Timeouts"]


class HttpTransport:
    """Sends requests over a pool of connections; safe to share between threads.

    ``timeout`` is the read limit in seconds or `Timeouts`; ``retries`` a number or a `RetryPolicy`;
    ``verify`` False, or a file or folder of certificates to trust; ``on_exchange`` is told of every exchange.

    >>> transport = HttpTransport("https://callsheet.example.org", {"authorization": "Bearer secret"})
    >>> transport
    <HttpTransport callsheet.example.org>
    >>> transport.close()
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, **options: Unpack[Options]) -> None:
        self._settings = TransportSettings(url, headers, **options)
        self._client: httpx.Client | None = None
        self._elsewhere: httpx.Client | None = None
        self._process = os.getpid()
        self._lock = Lock()
        self._closed = False

    def __repr__(self) -> str:
        return f"<HttpTransport {self._settings.host}>"

    def __enter__(self) -> HttpTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, request: Request) -> Response:
        """The server's answer, whatever its status; `Timeout` or `Disconnected` when none came."""
        settings, client = self._settings, self._open(is_elsewhere(request))
        content, headers = settings.content(request)
        attempts = settings.attempts(request)
        number = 0
        while True:
            received, answered, failure = self._attempt(client, request, content, headers, attempts)
            wait = attempts.wait(number, failure, time.monotonic()) if failure else None
            number += 1
            if wait is None:
                return conclude(settings, request, attempts, answered, failure, len(content), received, number)
            time.sleep(wait)

    def _attempt(
        self, client: httpx.Client, request: Request, content: bytes, headers: dict[str, str], attempts: Attempts
    ) -> tuple[int, Response | None, Failure | None]:
        settings = self._settings
        reception = Reception(settings, attempts)
        try:
            with client.stream(
                request.method,
                settings.url(request),
                content=content or None,
                params=dict(request.params) or None,
                headers=headers,
                timeout=settings.timeout(attempts),
            ) as answer:
                for chunk in answer.iter_bytes():
                    reception.add(chunk)
        except Exception as error:
            return 0, None, failure_of_error(error, self._closed)
        response = reception.response(answer)
        return answer.num_bytes_downloaded, response, failure_of_status(response)

    def listen(
        self, open_stream: OpenStream, deliver: Deliver, on_state: OnState, after: Position | None = None
    ) -> Listener:
        """A listener to the server's events (``listen.py`` says how it is used), on a connection of its own."""
        return Listener(Listening(open_stream, self._settings, after), deliver, on_state)

    def close(self) -> None:
        """Close the connections; later requests raise `Closed`. May be called again."""
        with self._lock:
            clients = self._client, self._elsewhere
            self._client, self._elsewhere, self._closed = None, None, True
        for client in clients:
            if client is not None:
                client.close()

    def _open(self, elsewhere: bool = False) -> httpx.Client:
        client = self._elsewhere if elsewhere else self._client
        if client is not None and self._process == os.getpid():
            return client
        import httpx

        with self._lock:
            if self._closed:
                raise_closed(self._settings.host)
            if self._process != os.getpid():
                # After a fork the parent's sockets are not ours to talk on.
                self._client, self._elsewhere, self._process = None, None, os.getpid()
            if elsewhere:
                if self._elsewhere is None:
                    self._elsewhere = httpx.Client(**self._settings.options(elsewhere=True))
                return self._elsewhere
            if self._client is None:
                self._client = httpx.Client(**self._settings.options())
            return self._client


class AsyncHttpTransport:
    """The same, awaited, under asyncio or trio; belongs to the event loop of its first request."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, **options: Unpack[Options]) -> None:
        self._settings = TransportSettings(url, headers, **options)
        self._client: httpx.AsyncClient | None = None
        self._elsewhere: httpx.AsyncClient | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<AsyncHttpTransport {self._settings.host}>"

    async def __aenter__(self) -> AsyncHttpTransport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def send(self, request: Request) -> Response:
        """The server's answer, whatever its status; `Timeout` or `Disconnected` when none came."""
        import anyio

        settings, client = self._settings, self._open(is_elsewhere(request))
        content, headers = settings.content(request)
        attempts = settings.attempts(request)
        number = 0
        while True:
            received, answered, failure = await self._attempt(client, request, content, headers, attempts)
            wait = attempts.wait(number, failure, time.monotonic()) if failure else None
            number += 1
            if wait is None:
                return conclude(settings, request, attempts, answered, failure, len(content), received, number)
            await anyio.sleep(wait)

    async def _attempt(
        self, client: httpx.AsyncClient, request: Request, content: bytes, headers: dict[str, str], attempts: Attempts
    ) -> tuple[int, Response | None, Failure | None]:
        settings = self._settings
        reception = Reception(settings, attempts)
        try:
            async with client.stream(
                request.method,
                settings.url(request),
                content=content or None,
                params=dict(request.params) or None,
                headers=headers,
                timeout=settings.timeout(attempts),
            ) as answer:
                async for chunk in answer.aiter_bytes():
                    reception.add(chunk)
        except Exception as error:
            return 0, None, failure_of_error(error, self._closed)
        response = reception.response(answer)
        return answer.num_bytes_downloaded, response, failure_of_status(response)

    def alisten(
        self, open_stream: OpenStream, deliver: DeliverAsync, on_state: OnState, after: Position | None = None
    ) -> AsyncListener:
        """The same, awaited."""
        return AsyncListener(Listening(open_stream, self._settings, after), deliver, on_state)

    async def aclose(self) -> None:
        """Close the connections; later requests raise `Closed`. May be called again."""
        clients = self._client, self._elsewhere
        self._client, self._elsewhere, self._closed = None, None, True
        for client in clients:
            if client is not None:
                await client.aclose()

    def _open(self, elsewhere: bool = False) -> httpx.AsyncClient:
        if self._closed:
            raise_closed(self._settings.host)
        if elsewhere:
            if self._elsewhere is None:
                import httpx

                self._elsewhere = httpx.AsyncClient(**self._settings.options(elsewhere=True))
            return self._elsewhere
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(**self._settings.options())
        return self._client
