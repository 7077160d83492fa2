"""The connection of a session: a dialect and a transport, to a remote server or to one in this process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define

from callsheet import __version__
from callsheet.config import ConnectionSettings
from callsheet.core.schema_cache import SchemaCache
from callsheet.core.statistics import talking
from callsheet.dialects.accounts import checked_for_logins
from callsheet.dialects.local import LocalDialect
from callsheet.dialects.protocol import Dialect
from callsheet.errors import UsageError
from callsheet.flow import Request, Response
from callsheet.model.workspace import DEFAULT

if TYPE_CHECKING:
    from callsheet.credentials.login import SessionLogin
    from callsheet.transport.exchange import TransportOptions
    from callsheet.transport.journal import Journal

__all__ = ["ServerConnection", "connect", "journal_at", "over", "set_timeout"]

_log = logging.getLogger("callsheet")
_warned: set[str] = set()


@define
class ServerConnection:
    """A dialect, its transport, and the embedded server to close with it, if there is one."""

    dialect: Dialect
    transport: Any
    cache: SchemaCache | None
    service: Any = None
    server: str = ""
    user: str = ""
    login: SessionLogin | None = None
    profile: str = ""
    workspace: str = ""


def count_exchange(
    request: Request, response: Response | None, sent: int, received: int, seconds: float, attempts: int
) -> None:
    """Count an exchange in the statistics of the session that runs a flow."""
    statistics = talking.get()
    if statistics is not None:
        statistics.bytes_sent += sent
        statistics.bytes_received += received
        statistics.retries += max(0, attempts - 1)


def connect(
    settings: ConnectionSettings,
    *,
    blocking: bool,
    dialect: str | None,
    schema: Any,
    seed: bool,
    headers: Mapping[str, str],
    options: TransportOptions,
) -> ServerConnection:
    """A connection by these settings; nothing is sent yet. ``headers`` are sent with each request."""
    if settings.embedded:
        return _embedded(settings, schema, seed, ["headers"] if headers else list(options))
    from callsheet.dialects import dialect_class
    from callsheet.transport.http import AsyncHttpTransport, HttpTransport

    spoken = dialect_class(dialect or settings.dialect)
    connection = ServerConnection(
        spoken(), None, None, server=settings.address, user=settings.user, workspace=settings.workspace
    )
    connection.profile = settings.profile
    if settings.schema_cache is not None:
        connection.cache = SchemaCache(settings.schema_cache, settings.url)
    _warn_of_plain(settings.url)
    own = {"user-agent": f"callsheet/{__version__}", **headers}
    transport = HttpTransport if blocking else AsyncHttpTransport
    if settings.login is not None:
        settings.login.bind(checked_for_logins(connection.dialect))
    elif settings.key or not options.get("certificate"):
        own |= spoken.credentials(settings.user, settings.key)
    connection.login = settings.login
    connection.transport = transport(settings.url, own, on_exchange=count_exchange, login=settings.login, **options)
    return connection


def _warn_of_plain(url: str) -> None:
    """Log a warning, once for each host, if a key would be sent to another machine without encryption."""
    from callsheet.transport.address import read_address

    address = read_address(url)
    if not address.encrypted and not address.loopback and address.host not in _warned:
        _warned.add(address.host)
        _log.warning("%s: without HTTPS your API key or your password can be read on the network", address.host)


def _embedded(
    settings: ConnectionSettings, schema: str | Path | dict[str, Any] | None, seed: bool, options: list[str]
) -> ServerConnection:
    if options:
        raise UsageError(f"`{min(options)}` is an option of the transport; a server inside this process has none")
    try:
        from callsheet.server.service import Service
    except ImportError as error:
        raise UsageError(
            f"a server inside this process needs the extra `server`: pip install 'callsheet[server]' ({error})"
        ) from error
    from callsheet.transport.local import LocalTransport

    if settings.workspace == DEFAULT:
        service = Service.open(settings.url, schema, seed=seed, administrator=False)
    else:
        service = Service.open_workspace(settings.url, settings.workspace)
    service.external.allow_any_place()
    dialect = LocalDialect(service.backend(settings.user))
    connection = ServerConnection(dialect, LocalTransport(), None, service, settings.address, settings.user)
    connection.workspace = settings.workspace
    return connection


def set_timeout(connection: ServerConnection, seconds: float) -> None:
    """Give a connection other time limits; other users of the same transport keep theirs."""
    from callsheet.transport.patience import checked_timeouts

    timeouts = checked_timeouts(seconds)
    if hasattr(connection.transport, "with_timeout"):
        connection.transport = connection.transport.with_timeout(timeouts)


def journal_at(path: str | Path | None, connection: ServerConnection) -> Journal | None:
    """The journal at a path, which records the server and the user of its commits."""
    if path is None:
        return None
    from callsheet.transport.journal import Journal

    return Journal(path, connection.server, connection.user)


def over(backend: Any) -> ServerConnection:
    """A connection to an open backend, which stays open after the session."""
    from callsheet.transport.local import LocalTransport

    return ServerConnection(LocalDialect(backend), LocalTransport(), None)
