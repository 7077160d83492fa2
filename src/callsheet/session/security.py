"""``session.security``: accounts, their passwords and their roles, for administrators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from callsheet.analytics.asked import AwaitingMember, BlockingMember
from callsheet.core.core import Core
from callsheet.core.verb import Verb
from callsheet.credentials.passwords import hidden
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.secret import Secret

__all__ = ["AsyncSecurity", "Security", "SecurityVerbs"]

DEFAULT_ROLE = "user"
"""The role of an account that is added by its password alone."""


class SecurityVerbs:
    """What both kinds have."""

    def __init__(self, core: Core) -> None:
        self._core: Any = core

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._core!r}>"

    @Verb
    def roles(self: Any) -> Flow[dict[str, list[str]]]:
        """The rules of each role by its name; built-in roles first."""
        said = yield from self._call("roles.list")
        return {each["name"]: list(each["rules"]) for each in said}

    @Verb
    def accounts(self: Any) -> Flow[dict[str, set[str]]]:
        """The roles of each account by its name: its own, and those that it is granted everywhere."""
        found: dict[str, set[str]] = {each["name"]: {each["role"]} for each in (yield from self._call("users.list"))}
        for grant in (yield from self._call("grants.list")):
            if grant["project"] is None and grant["account"] in found:
                found[grant["account"]].add(grant["role"])
        return found

    @Verb
    def set_password(self: Any, name: str, password: str | Secret, role: str = DEFAULT_ROLE) -> Flow[None]:
        """Give an account a password; an account that is not there is added, with this role.

        >>> session.security.set_password("anna", secret)  # doctest: +SKIP
        """
        secret = hidden(password)
        del password
        if name not in {each["name"] for each in (yield from self._call("users.list"))}:
            yield from self._call("users.add", name=name, role=role)
        yield from self._call("users.password", name=name, password=secret.reveal())

    @Verb
    def set_roles(self: Any, name: str, roles: Iterable[str]) -> Flow[None]:
        """Give an account exactly these roles; those in projects stay. Each is a built-in role, or one that was added.

        >>> session.security.set_roles("anna", {"user", "producer"})  # doctest: +SKIP
        """
        wanted = [roles] if isinstance(roles, str) else list(dict.fromkeys(roles))
        if not wanted:
            raise UsageError(f"`{name}` needs a role; `guest` allows nothing")
        known = yield from self._call("roles.list")
        if unknown := [role for role in wanted if role not in {each["name"] for each in known}]:
            raise UsageError(
                f"there is no role `{unknown[0]!s:.80}`; known are {', '.join(each['name'] for each in known)}"
            )
        own = "admin" if "admin" in wanted else wanted[0]
        grants = yield from self._call("grants.list", account=name)
        granted = {each["role"] for each in grants if each["project"] is None}
        # First what is added: an account is never without a right that it keeps.
        for role in wanted:
            if role != own and role not in granted:
                yield from self._call("grants.add", account=name, role=role)
        yield from self._call("users.role", name=name, role=own)
        for role in granted - set(wanted):
            yield from self._call("grants.remove", account=name, role=role)

    @Verb
    def disable(self: Any, name: str) -> Flow[None]:
        """Let nobody act for an account any more; its history stays."""
        yield from self._call("users.disable", name=name)

    def _call(self, action: str, **arguments: Any) -> Flow[Any]:
        self._core._check_capability("security.manage")
        self._core.statistics.count("call")
        return (yield from self._core._dialect.call(action, arguments))


class Security(BlockingMember, SecurityVerbs):
    """The accounts of a server, with their passwords and roles.

    >>> session.security.individual_roles["anna"] = {"user", "producer"}  # doctest: +SKIP
    """

    @property
    def basic_authentication(self) -> BasicAuthenticationAccounts:
        """Accounts with passwords: ``credentials`` is a mapping that takes a password for a name, and shows none."""
        return BasicAuthenticationAccounts(self)

    @property
    def individual_roles(self) -> IndividualRoles:
        """The roles of each account, a mapping; a value that is set replaces all of them."""
        return IndividualRoles(self)


class AsyncSecurity(AwaitingMember, SecurityVerbs):
    """The accounts of a server; see `Security`. Mappings cannot be awaited, so it has the verbs only."""


class BasicAuthenticationAccounts:
    """Accounts that log in by a name and a password."""

    def __init__(self, security: Security) -> None:
        self.credentials = PasswordsByName(security)


class _ByName(MutableMapping[str, Any]):
    def __init__(self, security: Security) -> None:
        self._security = security

    def __iter__(self) -> Iterator[str]:
        return iter(self._security.accounts())

    def __len__(self) -> int:
        return len(self._security.accounts())

    def __delitem__(self, name: str) -> None:
        """An account is disabled, and not deleted: what it did names it."""
        if name not in self._security.accounts():
            raise KeyError(name)
        self._security.disable(name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self)}>"


class PasswordsByName(_ByName):
    """Passwords by the name of the account, to be set; no server knows them to show them."""

    def __getitem__(self, name: str) -> Secret:
        if name not in self._security.accounts():
            raise KeyError(name)
        return Secret("")

    def __setitem__(self, name: str, password: str | Secret) -> None:
        self._security.set_password(name, password)


class IndividualRoles(_ByName):
    """Roles by the name of the account."""

    def __getitem__(self, name: str) -> set[str]:
        return self._security.accounts()[name]

    def __setitem__(self, name: str, roles: Iterable[str]) -> None:
        self._security.set_roles(name, roles)

    def __repr__(self) -> str:
        shown: Mapping[str, set[str]] = self._security.accounts()
        return f"{type(self).__name__}({shown!r})"
