"""How the server listens: uvicorn's settings in one place, and connections that must speak up.

uvicorn waits for ever for the end of a request's headers, and httptools takes headers of any length. So
whoever opens a connection here has to send the whole of them within some seconds and bytes, or is hung up on;
the guard (``guard.py``) bounds what comes after.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callsheet.dialects import declarations
from callsheet.errors import UsageError
from callsheet.transport.address import is_loopback

if TYPE_CHECKING:
    import uvicorn

    from callsheet.server.web.guard import Application

__all__ = [
    "HEADER_SECONDS",
    "bound",
    "check_dialects",
    "check_exposure",
    "configured",
    "ending",
    "prompt",
    "served_dialects",
]

HEADER_SECONDS = 10.0
HEADER_BYTES = 128 * 2**10
CONNECTIONS = 2_000
FRAME_BYTES = 2 * 2**20


def served_dialects() -> list[str]:
    """The dialects that a server can answer: the native one first."""
    return [each.name for each in declarations() if each.server]


def check_exposure(host: str, encrypted: bool, insecure: bool) -> None:
    """Raise `UsageError` where keys and data would cross a network for everybody to read.

    >>> check_exposure("0.0.0.0", False, False)
    Traceback (most recent call last):
    callsheet.errors.UsageError: other machines would talk to 0.0.0.0 without encryption, API keys included; ...
    """
    if not (encrypted or insecure or is_loopback(host)):
        raise UsageError(
            f"other machines would talk to {host} without encryption, API keys included; give a certificate and its "
            "key for HTTPS, or say `insecure` where a proxy in front of it or a private network encrypts"
        )


def check_dialects(dialects: Iterable[str]) -> frozenset[str]:
    """The languages to answer; raises `UsageError` where one is unknown, or none is left.

    >>> check_dialects(["natve"])
    Traceback (most recent call last):
    callsheet.errors.UsageError: there is no dialect `natve`; a server answers native, ...
    """
    chosen, known = list(dialects), served_dialects()
    unknown = next((name for name in chosen if name not in known), None)
    if unknown is not None or not chosen:
        what = "a server without a dialect answers nobody" if unknown is None else f"there is no dialect `{unknown}`"
        raise UsageError(f"{what}; a server answers {', '.join(known)}, or {'both' if len(known) == 2 else 'several'}")
    return frozenset(chosen)


def configured(
    application: Application,
    host: str,
    port: int,
    certificate: str | Path | None = None,
    certificate_key: str | Path | None = None,
    **options: Any,
) -> uvicorn.Config:
    """The configuration of a uvicorn that listens for the application."""
    import uvicorn

    logging.getLogger("uvicorn.error").addFilter(_is_discreet)
    fast = importlib.util.find_spec("httptools") is not None
    if fast:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as protocol
    else:
        from uvicorn.protocols.http.h11_impl import H11Protocol as protocol  # type: ignore[assignment]
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        http=prompt(protocol),
        ws=_websockets(),
        # What frames hold is bounded by the routes too; the heart beats in their own packets.
        ws_max_size=FRAME_BYTES,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        ssl_certfile=certificate,
        ssl_keyfile=certificate_key,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        # Longer than clients keep idle connections, so that it is they who close them.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
        **options,
    )


def bound(host: str, port: int) -> socket.socket:
    """A socket at a place where nobody listens yet. Raises `UsageError` where somebody does, or nobody can."""
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        told = error.strerror or str(error)
        raise UsageError(
            f"cannot listen at {host}, port {port}: {told}; name another port, or 0 for any free one"
        ) from error
    return taken


def ending(config: uvicorn.Config, before: Callable[[], None]) -> uvicorn.Server:
    """A server that calls ``before`` when it begins to stop, so that answers end which would not by themselves."""
    import uvicorn

    class Ending(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            before()
            await super().shutdown(sockets)

    return Ending(config)


def _is_discreet(record: logging.LogRecord) -> bool:
    """Whether a record may be logged: addresses of websockets may have a session or a key in them."""
    return '"WebSocket %s"' not in str(record.msg)


def _websockets() -> Any:
    """The protocol that websockets are spoken with; none where the library is missing."""
    return "none" if importlib.util.find_spec("websockets") is None else "websockets-sansio"


def at_once(transport: asyncio.BaseTransport) -> None:
    """What is written is sent at once, however small it is.

    asyncio sees to that only for sockets that were made with the number of TCP, and uvicorn's are not. Otherwise
    the body of an answer waits until its head is acknowledged, which takes the other side 40 ms.
    """
    taken = transport.get_extra_info("socket")
    if taken is not None and taken.family in (socket.AF_INET, socket.AF_INET6):
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def prompt(
    protocol: type[asyncio.Protocol], seconds: float = HEADER_SECONDS, most: int = HEADER_BYTES
) -> type[asyncio.Protocol]:
    """One of uvicorn's protocols, that hangs up when headers take longer than so many seconds or bytes."""
    parent: Any = protocol

    class Prompt(parent):  # type: ignore[misc]
        _timer: asyncio.TimerHandle | None = None
        _received = 0
        _upgraded = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            at_once(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._upgraded:
                return
            if self.cycle is not None and not self.cycle.response_complete:
                self._relax()
                return
            # Idle, or in the middle of headers; uvicorn itself hangs up on those that stay idle.
            self._received += len(data)
            if self._received > most:
                self._hang_up()
            elif self._timer is None:
                self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._relax()
            super().connection_lost(exc)

        def handle_websocket_upgrade(self, *arguments: Any) -> None:
            # The headers are here, and what follows is another protocol's.
            self._upgraded = True
            self._relax()
            super().handle_websocket_upgrade(*arguments)

        def _expect(self) -> None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._hang_up)

        def _relax(self) -> None:
            self._received = 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _hang_up(self) -> None:
            self._relax()
            if not self.transport.is_closing():
                self.transport.abort()

    return Prompt
