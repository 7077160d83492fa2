"""The options that say which server to talk to, and the session they open."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["account_options", "connected", "server_options"]

F = TypeVar("F", bound=Callable[..., Any])


def account_options(command: F) -> F:
    """Add ``--user`` and ``--key``, each with its environment variable, and ``--dialect``."""
    languages = click.Choice(["native", "ftrack"])
    spoken = click.option("--dialect", type=languages, help="The server's language, where its address does not tell.")
    user = click.option("--user", envvar="CALLSHEET_API_USER", show_envvar=True, help="Your account.")
    key = click.option("--key", envvar="CALLSHEET_API_KEY", show_envvar=True, help="Your API key.")
    return user(key(spoken(command)))


def server_options(command: F) -> F:
    """Add ``--server``, ``--user`` and ``--key``, each with its environment variable."""
    server = click.option(
        "--server",
        envvar=["CALLSHEET_SERVER", "FTRACK_SERVER"],
        default="http://127.0.0.1:8765",
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="The server, or a database to open in this process (sqlite:///FILE).",
    )
    return server(account_options(command))


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command an open session as its first argument, and close it afterwards."""

    @server_options
    @functools.wraps(command)
    def run(server: str, user: str | None, key: str | None, dialect: str | None, **arguments: Any) -> Any:
        with closing(_session(server, user, key, dialect)) as session:
            return command(session, **arguments)

    return run


def _session(server: str, user: str | None, key: str | None, dialect: str | None) -> Session:
    from callsheet.session.blocking import Session

    return Session(server, api_user=user, api_key=key, dialect=dialect)
