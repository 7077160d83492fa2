"""The options that say which server to talk to, and the session they open."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import click

from callsheet.dialects import declarations

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

    _NameType = click.ParamType[str]
else:
    # Older versions of click have no parameters of this type.
    _NameType = click.ParamType

__all__ = ["DialectName", "account_options", "bare_server_options", "connected", "server_options", "workspace_option"]

F = TypeVar("F", bound=Callable[..., Any])


class DialectName(_NameType):
    """The name of a dialect. Names are looked up when they are needed: installed packages may add some."""

    name = "dialect"

    def __init__(self, served: bool = False) -> None:
        self._served = served

    @property
    def names(self) -> list[str]:
        """All names that are taken: the native dialect first. ``served``: only those that a server can answer."""
        return [each.name for each in declarations() if each.server or not self._served]

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self.names)}]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.names:
            self.fail(f"{value!r} is not one of {', '.join(map(repr, self.names))}.", param, ctx)
        return value


class ServerOption(click.Option):
    """The option ``--server``. Its variables are Callsheet's own and those of the dialects."""

    @property
    def envvar(self) -> list[str]:
        return ["CALLSHEET_SERVER", *(name for each in declarations() for name in each.environment.server)]

    @envvar.setter
    def envvar(self, _: Any) -> None:
        """The variables are not given: the dialects name them."""


def account_options(command: F) -> F:
    """Add ``--user``, ``--key`` and ``--workspace``, each with its environment variable, and ``--dialect``."""
    return workspace_option(_bare_account_options(command))


def workspace_option(command: F) -> F:
    """Add ``--workspace`` with its environment variable."""
    return click.option(
        "--workspace", envvar="CALLSHEET_WORKSPACE", show_envvar=True, metavar="NAME", help="A workspace of the server."
    )(command)


def _bare_account_options(command: F) -> F:
    spoken = click.option(
        "--dialect", type=DialectName(), help="The server's language, if its address does not decide it."
    )
    user = click.option("--user", envvar="CALLSHEET_API_USER", show_envvar=True, help="Your account.")
    key = click.option("--key", envvar="CALLSHEET_API_KEY", show_envvar=True, help="Your API key.")
    return user(key(spoken(command)))


def server_options(command: F) -> F:
    """Add ``--server``, ``--user``, ``--key`` and ``--workspace``, each with its environment variable."""
    return _server_option(account_options(command))


def bare_server_options(command: F) -> F:
    """The same, without ``--workspace``: for commands about the server."""
    return _server_option(_bare_account_options(command))


def _server_option(command: F) -> F:
    server = click.option(
        "--server",
        cls=ServerOption,
        default="http://127.0.0.1:8765",
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="The server, or a database to open in this process (sqlite:///FILE).",
    )
    return server(command)


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command an open session as its first argument, and close it afterwards."""

    @server_options
    @functools.wraps(command)
    def run(
        server: str,
        user: str | None,
        key: str | None,
        workspace: str | None,
        dialect: str | None,
        **arguments: Any,
    ) -> Any:
        with closing(_session(server, user, key, workspace, dialect)) as session:
            return command(session, **arguments)

    return run


def _session(server: str, user: str | None, key: str | None, workspace: str | None, dialect: str | None) -> Session:
    from callsheet.session.blocking import Session

    return Session(server, api_user=user, api_key=key, workspace=workspace, dialect=dialect)
