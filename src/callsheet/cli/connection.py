"""The options that say which server to talk to, and the session they open."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from callsheet.session.sync import Session

__all__ = ["connected", "server_options"]

F = TypeVar("F", bound=Callable[..., Any])


def server_options(command: F) -> F:
    """Add ``--server``, ``--user`` and ``--key``, each with its environment variable."""
    options = (
        click.option(
            "--server",
            envvar="CALLSHEET_SERVER",
            default="http://127.0.0.1:8765",
            show_default=True,
            show_envvar=True,
            metavar="URL",
            help="The server, or a database to open in this process (sqlite:///FILE).",
        ),
        click.option("--user", envvar="CALLSHEET_API_USER", show_envvar=True, help="Your account."),
        click.option("--key", envvar="CALLSHEET_API_KEY", show_envvar=True, help="Your API key."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command an open session as its first argument, and close it afterwards."""

    @server_options
    @functools.wraps(command)
    def run(server: str, user: str | None, key: str | None, **arguments: Any) -> Any:
        with closing(_session(server, user, key)) as session:
            return command(session, **arguments)

    return run


def _session(server: str, user: str | None, key: str | None) -> Session:
    from callsheet.session.sync import Session

    return Session(server, api_user=user, api_key=key)
