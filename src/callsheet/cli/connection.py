"""The options that say which server to talk to, and the session they open."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attrs import field, frozen
from click.core import ParameterSource

from callsheet.dialects import declarations
from callsheet.errors import UsageError

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

    _NameType = click.ParamType[str]
else:
    # Older versions of click have no parameters of this type.
    _NameType = click.ParamType

__all__ = [
    "DialectName", "ServerChoice", "account_options", "bare_server_options", "connected", "profile_option",
    "server_options", "workspace_option",
]  # fmt: skip

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
    """Add ``--user``, ``--key``, ``--profile``, ``--workspace``, each with its variable, and ``--dialect``."""
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
    return user(key(profile_option(spoken(command))))


def profile_option(command: F) -> F:
    """Add ``--profile``."""
    profile = click.option(
        "--profile",
        envvar="CALLSHEET_PROFILE",
        show_envvar=True,
        metavar="NAME",
        help="Your login, which `callsheet login` keeps; it has the server and the account.",
    )
    return profile(command)


def server_options(command: F) -> F:
    """Add ``--server``, ``--user``, ``--key``, ``--profile`` and ``--workspace``, each with its variable."""
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
        profile: str | None,
        **arguments: Any,
    ) -> Any:
        choice = ServerChoice(server, user, key, workspace, dialect, profile)
        with closing(choice.session()) as session:
            return command(session, **arguments)

    return run


@frozen
class ServerChoice:
    """The server, the account and the login that the options of a command choose."""

    server: str | None = None
    user: str | None = None
    key: str | None = field(default=None, repr=False)
    workspace: str | None = None
    dialect: str | None = None
    profile: str | None = None

    def session(self, **options: Any) -> Session:
        """The session, not open yet.

        What was typed wins over the environment, and there a profile wins over an address and a key. Without all of
        them it is the profile ``default``, if there is one.
        """
        from callsheet.session.blocking import Session

        chosen = self.chosen_profile()
        if chosen is None:
            account = self.server, self.user, self.key
            return Session(*account, workspace=self.workspace, dialect=self.dialect, **options)
        user = self.user if _is_typed("user") else None
        workspace = self.workspace if _is_typed("workspace") else None
        return Session(profile=chosen, api_user=user, workspace=workspace, **options)

    def chosen_profile(self) -> str | None:
        """The profile that is used, or None; raises `UsageError` for options that contradict each other."""
        from callsheet.credentials.profiles import DEFAULT, Profiles

        typed = [name for name in ("server", "key", "profile") if _is_typed(name)]
        if self.profile is None:
            named = self.server is not None and _source("server") is not ParameterSource.DEFAULT
            return DEFAULT if not named and not self.key and Profiles().has(DEFAULT) else None
        if "profile" not in typed:
            return None if typed else self.profile
        if "key" in typed:
            raise UsageError("`--profile` is a login; leave out `--key`")
        url = Profiles().read(self.profile).url
        if "server" in typed and self.server is not None and url != self.server.rstrip("/"):
            raise UsageError(f"profile `{self.profile}` is a login to {url}, not to {self.server}")
        return self.profile


def _is_typed(name: str) -> bool:
    return _source(name) is ParameterSource.COMMANDLINE


def _source(name: str) -> ParameterSource | None:
    return click.get_current_context().get_parameter_source(name)
