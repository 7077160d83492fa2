"""``callsheet serve``: a server for others, in the foreground."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attrs import evolve

from callsheet.cli.config import config_options
from callsheet.cli.connection import DialectName
from callsheet.cli.logs import log_options, set_up
from callsheet.config import log_level
from callsheet.errors import UsageError
from callsheet.model.record import NOT_SET

if TYPE_CHECKING:
    from callsheet.dialects.routes import Route
    from callsheet.server.limits import Limits
    from callsheet.server.service import Service
    from callsheet.server.sign_on.configuring import SignOnConfiguration

__all__ = ["command", "database_option", "require_extra"]

F = TypeVar("F", bound=Callable[..., Any])

NEEDED = ("uvicorn", "starlette", "sqlalchemy", "filelock")
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


def database_option(help_text: str) -> Callable[[F], F]:
    """Add ``--database`` with its environment variable."""
    return click.option(
        "--database",
        envvar="CALLSHEET_DATABASE",
        default="sqlite:///callsheet.db",
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help=help_text,
    )


@click.command("serve")
@click.option(
    "--schema",
    default=None,
    show_default="production",
    metavar="production|lab|FILE",
    help="What a new database holds (FILE: a schema, or a site's own); one that exists keeps its own.",
)
@database_option("sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/NAME.")
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for uploaded files; else it is beside the database's file.",
)
@click.option(
    "--dialect",
    "dialects",
    multiple=True,
    show_default="all",
    type=DialectName(served=True),
    help="The language that clients are answered in; may be repeated.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines in.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--certificate", type=_FILE, help="A certificate (PEM), for HTTPS.")
@click.option("--certificate-key", type=_FILE, help="Its private key (PEM).")
@click.option("--insecure", is_flag=True, help="Let other machines in without HTTPS: API keys can be read on the way.")
@click.option(
    "--admin-key",
    envvar="CALLSHEET_ADMIN_KEY",
    show_envvar=True,
    help="The API key of the account admin. Prefer the variable: others can read a command line.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    envvar="CALLSHEET_LIMITS",
    show_envvar=True,
    metavar="NAME=NUMBER",
    help="What the server takes at most, such as requests=200; may be repeated.",
)
@click.option(
    "--trust-proxy",
    "proxies",
    multiple=True,
    envvar="CALLSHEET_TRUSTED_PROXIES",
    show_envvar=True,
    metavar="ADDRESS",
    help="A proxy, or a network of them, that may say where a request comes from; may be repeated.",
)
@click.option("--analytics", is_flag=True, help="Answer aggregates from a mirror in DuckDB (extra analytics).")
@click.option(
    "--analytics-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the mirror's file; else it is beside the database's file, for PostgreSQL temporary.",
)
@click.option(
    "--analytics-memory",
    type=click.IntRange(min=32),
    metavar="MEBIBYTES",
    help="What the mirror may use of the memory.",
    show_default="256",
)
@click.option(
    "--user-content",
    envvar="CALLSHEET_USER_CONTENT",
    show_envvar=True,
    metavar="PATH|URL",
    help="Where views and dashboards are kept; else beside the database's file. memory: keeps them until the end.",
)
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    envvar="CALLSHEET_SERVER_PLUGINS",
    show_envvar=True,
    type=click.Path(path_type=Path, exists=True),
    help="A file, or a folder of them, whose endpoints are answered; may be repeated.",
)
@config_options
@log_options
def command(
    config: Path | None,
    stated: tuple[str, ...],
    schema: str | None,
    database: str,
    files: Path | None,
    dialects: tuple[str, ...],
    host: str,
    port: int,
    certificate: Path | None,
    certificate_key: Path | None,
    insecure: bool,
    admin_key: str | None,
    limits: tuple[str, ...],
    proxies: tuple[str, ...],
    analytics: bool,
    analytics_folder: Path | None,
    analytics_memory: int | None,
    user_content: str | None,
    plugins: tuple[Path, ...],
    log_file: Path | None,
    log_format: str,
) -> None:
    """Run a server until you press Ctrl-C.

    On its first start it makes the account `admin` and prints its API key, once.
    """
    require_extra()
    configuration = _configuration(config, stated)
    if configuration.https is not None:
        certificate, certificate_key = map(Path, configuration.https)
    if (certificate is None) != (certificate_key is None):
        raise click.UsageError("HTTPS needs both --certificate and --certificate-key")
    _check_certificate(certificate, certificate_key)
    from callsheet.endpoints.routes import endpoint_routes, load_endpoints
    from callsheet.server.service import Service
    from callsheet.server.sign_on.settings import checked_sign_on
    from callsheet.server.sign_on.signing_on import client_authority, sign_on_by
    from callsheet.server.web.connections import bound, check_exposure
    from callsheet.server.web.newcomers import networks

    checked_sign_on(configuration.authentication, configuration.same_site, certificate is not None)
    check_exposure(host, certificate is not None, insecure)
    taken = _limits(host, limits)
    if analytics_memory is not None:
        taken = evolve(taken, analytics_bytes=analytics_memory * 2**20)
    networks(proxies)
    set_up(log_level(), log_format == "json", log_file)
    added = endpoint_routes(load_endpoints(plugins))
    # First the port, so that a port in use leaves no new database, and prints no key.
    with bound(host, port) as listening:
        service = Service.open(
            database,
            schema,
            admin_key,
            seed=True,
            files=files,
            limits=taken,
            analytics=analytics or analytics_folder is not None or analytics_memory is not None,
            analytics_folder=analytics_folder,
            user_content=NOT_SET if user_content is None else user_content,
        )
        gc.freeze()
        try:
            sign_on_by(service, configuration.authentication, configuration.same_site)
            _print_key(service)
            _listen(
                service,
                listening,
                host,
                certificate,
                certificate_key,
                dialects,
                taken,
                proxies,
                added,
                client_authority(configuration.authentication),
            )
        finally:
            service.close()


def _configuration(config: Path | None, stated: tuple[str, ...]) -> SignOnConfiguration:
    """The settings of signing on, of file, environment and command line."""
    from callsheet.server.sign_on.configuring import gathered

    return gathered(config, os.environ, stated)


def _check_certificate(certificate: Path | None, key: Path | None) -> None:
    """Raise `UsageError` for files that HTTPS cannot use, before a database is made."""
    if certificate is None or key is None:
        return
    try:
        # An encrypted key would ask for its password in the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        both = f"{certificate} and {key}"
        raise UsageError(f"{both} are not a certificate and a key that HTTPS can use: {error}") from None


def require_extra() -> None:
    """Raise `UsageError` where the server's packages are not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"the server needs {', '.join(missing)}: pip install 'callsheet[server]'")


def _print_key(service: Service) -> None:
    """Print the administrator's key if it is new; the database has only its hash."""
    if service.new_admin_key is not None:
        click.echo("This is the API key of the account admin. It is not shown again:")
        click.echo(f"\n  {service.new_admin_key}\n")


def _listen(
    service: Service,
    listening: socket.socket,
    host: str,
    certificate: Path | None,
    key: Path | None,
    dialects: tuple[str, ...],
    limits: Limits,
    proxies: tuple[str, ...],
    added: tuple[Route, ...],
    authority: dict[str, Any],
) -> None:
    """Answer requests until a signal ends it."""
    from callsheet.explorer.routes import explorer_routes
    from callsheet.server.web.application import application
    from callsheet.server.web.connections import configured, served_dialects, stoppable_server
    from callsheet.server.web.routing import routes_of

    app = application(service, limits, [added, explorer_routes(), routes_of(dialects or served_dialects())])
    port = listening.getsockname()[1]
    config = configured(
        app, host, port, certificate, key, limits, proxies, **authority, log_level="warning", log_config=None
    )
    try:
        # uvicorn raises the signal it ended by once more, which must not end us before the database is closed.
        signal.signal(signal.SIGTERM, lambda *_: None)
        address = _url(config, port)
        click.echo(f"Serving at {address} — stop with Ctrl-C.\nThe explorer is at {address}/explorer/")
        stoppable_server(config, service.stop).run(sockets=[listening])
    except KeyboardInterrupt:
        pass


def _limits(host: str, given: tuple[str, ...]) -> Limits:
    """A server for this machine alone answers to its local names only, so that no web page reaches it by another."""
    from callsheet.server.limits import limits_of, limits_read
    from callsheet.transport.address import is_loopback

    names = {"127.0.0.1", "localhost", "[::1]", host.lower()}
    return limits_of(limits_read(given), names if is_loopback(host) else None)


def _url(config: Any, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.host, config.host)
    return f"{'https' if config.is_ssl else 'http'}://{shown}:{port}"
