"""How the server listens: uvicorn's settings in one place."""

from __future__ import annotations

import importlib.util
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callsheet.dialects import declarations
from callsheet.errors import UsageError
from callsheet.server.limits import Limits
from callsheet.server.web.newcomers import Connections, networks
from callsheet.server.web.timeouts import with_timeouts
from callsheet.transport.address import is_loopback

if TYPE_CHECKING:
    import uvicorn

    from callsheet.server.web.asgi import Application

__all__ = [
    "bound",
    "check_dialects",
    "check_exposure",
    "configured",
    "served_dialects",
    "stoppable_server",
]

FRAME_BYTES = 2 * 2**20


def served_dialects() -> list[str]:
    """The dialects that have a server half: the native one first."""
    return [each.name for each in declarations() if each.server]


def check_exposure(host: str, encrypted: bool, insecure: bool) -> None:
    """Raise `UsageError` if keys and data would cross a network unencrypted.

    >>> check_exposure("0.0.0.0", False, False)
    Traceback (most recent call last):
    callsheet.errors.UsageError: other machines would talk to 0.0.0.0 without encryption, API keys included; ...
    """
    if not (encrypted or insecure or is_loopback(host)):
        raise UsageError(
            f"other machines would talk to {host} without encryption, API keys included; give a certificate and its "
            "key for HTTPS, or set `insecure` if a proxy in front of the server or a private network encrypts"
        )


def check_dialects(dialects: Iterable[str]) -> frozenset[str]:
    """The dialects to serve; raises `UsageError` if one is unknown, or if there is none.

    >>> check_dialects(["natve"])
    Traceback (most recent call last):
    callsheet.errors.UsageError: there is no dialect `natve`; a server answers native, ...
    """
    chosen, known = list(dialects), served_dialects()
    unknown = next((name for name in chosen if name not in known), None)
    if unknown is not None or not chosen:
        what = "a server needs at least one dialect" if unknown is None else f"there is no dialect `{unknown}`"
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
    authority: str | None = None,
    required: bool = False,
    **options: Any,
) -> uvicorn.Config:
    """The configuration of a uvicorn server for the application.

    ``proxies`` are the addresses and networks of trusted proxies: only from them are ``X-Forwarded-For`` and
    ``X-Forwarded-Proto`` accepted. By default no proxy is trusted. ``authority`` is a PEM file with those whose
    certificates clients may present, or must, if they are ``required``.
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
        http=with_timeouts(protocol, limits, Connections(limits, named)),
        ws=_websockets(),
        # Routes limit frames as well, and have heartbeats of their own.
        ws_max_size=FRAME_BYTES,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        ssl_certfile=certificate,
        ssl_keyfile=certificate_key,
        ssl_ca_certs=authority,
        ssl_cert_reqs=ssl.CERT_NONE if authority is None else ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=limits.connections,
        # uvicorn's default trusts this machine, or the addresses in an environment variable.
        proxy_headers=bool(named),
        forwarded_allow_ips=[str(network) for network in named],
        # Longer than clients keep idle connections, so that the clients close them first.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
        **options,
    )


def bound(host: str, port: int) -> socket.socket:
    """A socket bound to this address. Raises `UsageError` if the address is in use, or cannot be bound."""
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        reason = error.strerror or str(error)
        raise UsageError(
            f"cannot listen at {host}, port {port}: {reason}; name another port, or 0 for any free one"
        ) from error
    return taken


def stoppable_server(config: uvicorn.Config, before_shutdown: Callable[[], None]) -> uvicorn.Server:
    """A server that calls ``before_shutdown`` when it begins to stop, so that event streams end."""
    import uvicorn

    class StoppableServer(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            before_shutdown()
            await super().shutdown(sockets)

    return StoppableServer(config)


def _is_discreet(record: logging.LogRecord) -> bool:
    """Whether a record may be logged: the URL of a websocket may contain a session id or a key."""
    return '"WebSocket %s"' not in str(record.msg)


def _websockets() -> Any:
    """uvicorn's name of the websocket implementation; ``none`` if the library is not installed."""
    return "none" if importlib.util.find_spec("websockets") is None else "websockets-sansio"
