"""Where to connect and as whom, from arguments and environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import field, frozen

from callsheet.credentials.profiles import Profiles, profile_in_use
from callsheet.dialects import declaration_named, declarations, dialect_at
from callsheet.dialects.declaration import DialectDeclaration
from callsheet.errors import UsageError
from callsheet.later import Later
from callsheet.model.workspace import DEFAULT, address_with, check_name, split_address

if TYPE_CHECKING:
    from callsheet.credentials.login import SessionLogin
else:
    SessionLogin = Later("callsheet.credentials.login").SessionLogin

__all__ = ["ConnectionSettings", "log_level", "resolve", "shown"]


@frozen
class ConnectionSettings:
    """Where to connect and as whom. ``embedded`` says the server is a database opened in this process.

    ``dialect`` is the server's wire language. ``login`` stands for the key, where a person has logged in.
    ``url`` ends with the path of the ``workspace`` if the server is remote.
    """

    url: str = field(repr=False)
    user: str
    key: str = field(repr=False)
    embedded: bool
    schema_cache: Path | None
    dialect: str = "native"
    login: SessionLogin | None = None
    profile: str = ""
    workspace: str = DEFAULT
    address: str = field(init=False)

    @address.default
    def _address(self) -> str:
        """The URL as it may be shown and kept. It tells workspaces of one server apart."""
        return shown(address_with(self.url, self.workspace) if self.embedded else self.url)


def shown(url: str) -> str:
    """A server's or database's URL without its password.

    >>> shown("postgresql+psycopg://ann:se@c/ret@db.example.org/show")
    'postgresql+psycopg://ann@db.example.org/show'
    """
    scheme, separator, rest = url.partition("://")
    if scheme.lower().startswith(("sqlite", "memory")):
        return url
    who, at, where = rest.rpartition("@")
    secret = re.sub(r"(?i)((?:password|key|token|secret)=)[^&]*", r"\1…", where)
    return f"{scheme}{separator}{who.partition(':')[0]}{at}{secret}"


def log_level(environment: Mapping[str, str] | None = None) -> str:
    """How much a server logs: the level named by ``CALLSHEET_LOG_LEVEL``, or ``INFO``."""
    known = os.environ if environment is None else environment
    named = known.get("CALLSHEET_LOG_LEVEL", "").upper()
    return named if named in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL") else "INFO"


def resolve(
    url: str | None,
    user: str | None,
    key: str | None,
    schema_cache: str | Path | bool | None = None,
    environment: Mapping[str, str] | None = None,
    dialect: str | None = None,
    *,
    profile: str | None = None,
    login: SessionLogin | None = None,
    workspace: str | None = None,
    keyless: bool = False,
) -> ConnectionSettings:
    """Arguments win over ``CALLSHEET_SERVER``, ``CALLSHEET_API_USER`` and ``CALLSHEET_API_KEY``.

    These win over the variables that the server's dialect declares. The dialect is the one of this name, else the
    one that recognises the address, or whose variable names it.

    The ``workspace`` is named by the argument, else at the end of the address, else by ``CALLSHEET_WORKSPACE``.

    ``schema_cache`` is a folder, False for no cache, or None for ``CALLSHEET_SCHEMA_CACHE`` or the user's
    cache folder. A ``profile`` has its server and its login; so has ``CALLSHEET_PROFILE``, if neither an address nor a
    key is given, and the profile ``default``, if nothing else names a server. With a ``login`` no key is needed, nor if
    the session is ``keyless`` because it presents something else.

    >>> resolve("memory:", None, None, environment={}).embedded
    True
    """
    known = os.environ if environment is None else environment
    server = url or known.get("CALLSHEET_SERVER", "") or _server_of_a_dialect(known)
    if login is None:
        named = profile_in_use(profile, url, key, known, bool(server))
        if named is not None:
            return _of_profile(named, user, schema_cache, known, workspace)
    if not server:
        raise UsageError(
            'no server is named: Session("https://…"), Session("sqlite:///show.db"), CALLSHEET_SERVER, '
            "or `callsheet login URL`"
        )
    user = user or known.get("CALLSHEET_API_USER", "")
    key = key or known.get("CALLSHEET_API_KEY", "")
    scheme = server.partition(":")[0].lower()
    if "\0" in server:
        raise UsageError(f"{shown(server)!r} is no server address: it has a character that no address has")
    if scheme in ("http", "https"):
        _check_address(server)
        base, chosen = _workspace(server, workspace, known)
        declared = declaration_named(dialect) if dialect else dialect_at(server, known)
        if login is None and not (keyless and not key):
            user, key = _account(declared, user, key, known)
        cache = _cache_folder(schema_cache, known)
        address = address_with(base, chosen)
        return ConnectionSettings(address, user, key, False, cache, declared.name, login, workspace=chosen)
    if login is not None:
        raise UsageError(f"`{shown(server)}` is no server to log in to; use the address of one, https://…")
    if scheme in ("memory", "sqlite") or scheme.startswith("postgresql"):
        base, chosen = _workspace(server, workspace, known)
        return ConnectionSettings(base, user or "admin", key, True, None, workspace=chosen)
    raise UsageError(
        f"`{shown(server)}` is no server address: use https://…, sqlite:///FILE, postgresql+psycopg://… or memory:"
    )


def _workspace(server: str, stated: str | None, environment: Mapping[str, str]) -> tuple[str, str]:
    """The address of the server, and the workspace; raises `UsageError` if address and argument name two."""
    base, named = split_address(server)
    if stated and named is not None and stated != named:
        raise UsageError(f"the address names the workspace `{named}`, and the option `{stated:.80}`; give one of them")
    return base, check_name(named or stated or environment.get("CALLSHEET_WORKSPACE", "") or DEFAULT)


def _of_profile(
    name: str,
    user: str | None,
    schema_cache: str | Path | bool | None,
    environment: Mapping[str, str],
    workspace: str | None,
) -> ConnectionSettings:
    """The settings of a profile, whose login is renewed where it is kept."""
    profiles = Profiles(environment)
    found = profiles.read(name)
    if user and user != found.user:
        raise UsageError(f"profile `{name}` is the login of {found.user}, not of {user}; see `callsheet profiles`")
    chosen = split_address(found.url)[1] or DEFAULT
    if workspace and workspace != chosen:
        raise UsageError(f"profile `{name}` is a login in the workspace `{chosen}`, not in `{workspace:.80}`")
    keeper = profiles.keeper(found)
    tokens = keeper.read()
    if tokens is None:
        raise UsageError(f"profile `{name}` is logged out; {keeper.cure}")
    login = SessionLogin(declaration_named(found.dialect).client_class(), tokens, keeper)
    cache = _cache_folder(schema_cache, environment)
    return ConnectionSettings(found.url, found.user, "", False, cache, found.dialect, login, name, chosen)


def _check_address(server: str) -> None:
    """Dialects look at the host of an address; it must have one that can be read."""
    try:
        _ = urlsplit(server).hostname
    except ValueError as error:
        raise UsageError(f"the server's URL cannot be read: {error}") from None


def _server_of_a_dialect(environment: Mapping[str, str]) -> str:
    """The address that the variable of a dialect names, if any does."""
    return next(filter(None, (_first(each.environment.server, environment) for each in declarations())), "")


def _account(declared: DialectDeclaration, user: str, key: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The account and its key. What is not given comes from the dialect's variables."""
    user = user or _first(declared.environment.user, environment)
    key = key or _first(declared.environment.key, environment)
    if not user and declared.system_user:
        import getpass

        user = getpass.getuser()
    if not key:
        names = " or ".join(("CALLSHEET_API_KEY", *declared.environment.key[:1]))
        raise UsageError(f"no API key is given: Session(…, api_key=…) or {names}")
    return user, key


def _first(names: Iterable[str], environment: Mapping[str, str]) -> str:
    """The value of the first variable that has one."""
    return next(filter(None, (environment.get(name, "") for name in names)), "")


def _cache_folder(stated: str | Path | bool | None, environment: Mapping[str, str]) -> Path | None:
    if stated is False:
        return None
    if stated is None or stated is True:
        stated = environment.get("CALLSHEET_SCHEMA_CACHE")
    if stated:
        return Path(stated)
    return _default_cache() / "callsheet" / "schemas"


def _default_cache() -> Path:
    """Where the user's caches are on this kind of system."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
