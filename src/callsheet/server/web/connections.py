"""How the server listens: uvicorn's settings in one place."""

from __future__ import annotations

import importlib.util
import logging
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callsheet.dialects import declarations
from callsheet.errors import UsageError
from callsheet.server.limits import Limits
from callsheet.server.web.newcomers import Connections, networks
from callsheet.server.web.prompt import prompt
from callsheet.transport.address import is_loopback

if TYPE_CHECKING:
    import uvicorn

    from callsheet.server.web.asgi import Application

__all__ = [
    "bound",
    "check_dialects",
    "check_exposure",
    "configured",
    "ending",
    "served_dialects",
]

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
    limits: Limits | None = None,
    proxies: Iterable[str] = (),
    **options: Any,
) -> uvicorn.Config:
    """The configuration of a uvicorn that listens for the application.

    ``proxies`` are the addresses and networks whose word is taken for where a request comes from (``X-Forwarded-For``)
    and how (``X-Forwarded-Proto``): nobody's, unless some are named.
    """
    import uvicorn

    limits, named = limits or Limits(), networks(proxies)

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
        http=prompt(protocol, limits, Connections(limits, named)),
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
        limit_concurrency=limits.connections,
        # By default it takes the word of everybody on this machine, or whom a variable of the environment names.
        proxy_headers=bool(named),
        forwarded_allow_ips=[str(network) for network in named],
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
