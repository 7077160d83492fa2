"""Logging in: what a server exchanges for a name and a password, and what it says about the caller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from callsheet.dialects.protocol import Dialect
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.secret import Secret

__all__ = [
    "AccountDescription",
    "AccountDialect",
    "DeviceSignOn",
    "IssuedTokens",
    "LoginDialect",
    "LoginTokens",
    "Person",
    "SignOnDialect",
    "SystemInfo",
    "account_of",
    "checked_for_logins",
    "checked_for_sign_on",
]


@frozen
class LoginTokens:
    """What a login consists of. Times are seconds since 1970; ``lifetime`` is how long ``access`` is valid in all.

    ``access`` is sent with each request. ``refresh`` is exchanged, once, for new tokens.
    """

    access: Secret
    refresh: Secret
    expires: float
    lifetime: float
    refresh_expires: float
    session_id: str
    account: str


@frozen(repr=False)
class IssuedTokens:
    """The tokens of a login as a server issues them: they are valid for so many seconds from then on.

    This is the answer to a login and to a renewal on the native wire; its ``repr`` shows no token.

    >>> IssuedTokens("anna", "s1", "eyJ…", 600, "cr_…", 86_400)
    <IssuedTokens of 'anna'>
    """

    account: str
    session_id: str
    access_token: str
    expires_in: float
    refresh_token: str
    refresh_expires_in: float

    def __repr__(self) -> str:
        return f"<IssuedTokens of {self.account!r}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("account", self.account)]

    def counted_from(self, sent: float) -> LoginTokens:
        """The tokens with times, counted from when they were requested, which is on the safe side."""
        return LoginTokens(
            Secret(self.access_token),
            Secret(self.refresh_token),
            sent + self.expires_in,
            self.expires_in,
            sent + self.refresh_expires_in,
            self.session_id,
            self.account,
        )


@frozen
class Person:
    """Who a session acts for. What the server does not have is an empty text.

    >>> Person("anna", "Anna", "Berg", "anna@example.org").surname
    'Berg'
    """

    username: str
    first_name: str = ""
    surname: str = ""
    email_address: str = ""


@frozen
class SystemInfo:
    """The system that a session works on.

    ``build_date`` is when the server's data began, where it says so, and ``view_name`` the data view it belongs to.
    """

    name: str
    description: str = ""
    build_date: datetime | None = None
    view_name: str = ""


@frozen
class AccountDescription:
    """What a server says of a caller. ``session_id`` and ``expires`` are None for an API key.

    ``user_key`` is the key of the account's ``User`` entity, None if it has none.
    """

    account: str
    administrator: bool = False
    roles: tuple[str, ...] = ()
    session_id: str | None = None
    expires: datetime | None = None
    workspace: str = ""
    person: Person = field(factory=lambda: Person(""))
    user_key: str | None = None
    system: SystemInfo = field(factory=lambda: SystemInfo(""))


def account_of(plain: Mapping[str, Any]) -> AccountDescription:
    """The description in what the action ``own.account``, or ``/v1/me``, returns. Missing parts have their defaults.

    >>> account_of({"account": "anna", "user": {"id": 7, "last_name": "Berg"}}).person.surname
    'Berg'
    """
    account, user, server = str(plain["account"]), plain.get("user"), plain.get("server") or {}
    workspace = str(plain.get("workspace") or "")
    data_view, _, system = workspace.partition("/")
    known = {} if user is None else {name: "" if value is None else str(value) for name, value in user.items()}
    return AccountDescription(
        account,
        bool(plain.get("administrator")),
        tuple(map(str, plain.get("roles") or ())),
        plain.get("session_id"),
        _moment(plain.get("expires_at")),
        workspace,
        Person(
            known.get("username") or account,
            known.get("first_name", ""),
            known.get("last_name", ""),
            known.get("email", ""),
        ),
        known.get("id") or None,
        SystemInfo(
            system or str(server.get("name", "")),
            str(server.get("description") or ""),
            _moment(server.get("built")),
            data_view,
        ),
    )


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)


def checked_for_logins(dialect: Any) -> LoginDialect:
    """The dialect; raises `UsageError`, which says what to do, if its servers have no logins."""
    if isinstance(dialect, LoginDialect):
        return dialect
    raise UsageError(f"servers of the dialect `{dialect.name}` have no logins; give `api_user` and `api_key`")


@frozen
class DeviceSignOn:
    """A code that a person enters at the provider of the house, in any browser; ``handle`` asks whether it was."""

    user_code: str
    verification_uri: str
    handle: str
    verification_uri_complete: str = ""
    interval: float = 5.0
    expires_in: float = 600.0


@runtime_checkable
class AccountDialect(Dialect, Protocol):
    """A dialect of a server that says who calls."""

    def account(self) -> Flow[AccountDescription]:
        """What the server says of the caller."""
        ...


@runtime_checkable
class LoginDialect(Dialect, Protocol):
    """A dialect of a server that people log in to."""

    def login(self, name: str, password: Secret, device: str) -> Flow[LoginTokens]:
        """The tokens for a name and a password; raises `Unauthorised`, and `Unavailable` after too many attempts."""
        ...

    def accept_invitation(self, code: Secret, password: Secret, device: str) -> Flow[LoginTokens]:
        """Choose the password of the account that an invitation is for; the tokens of a first login.

        Raises `Unauthorised` for an invitation that is not valid, and `Invalid` for a password that is not accepted.
        """
        ...

    def renew(self, refresh: Secret, request: str) -> Flow[LoginTokens]:
        """New tokens for a refresh token, which is then used up.

        The same token with the same ``request`` gets the same answer, so a lost answer can be requested again.
        """
        ...

    def logout(self, refresh: Secret, everywhere: bool) -> Flow[None]:
        """End the login that a refresh token belongs to, or all logins of its account."""
        ...

    def change_password(self, old: Secret, new: Secret) -> Flow[None]:
        """Replace the caller's password, and end the account's other logins.

        Raises `Forbidden` if the old one is wrong, `Invalid` for a new one that is not accepted, and `Unavailable`
        after too many attempts.
        """
        ...


def checked_for_sign_on(dialect: Any) -> SignOnDialect:
    """The dialect; raises `UsageError` if its servers have no single sign-on."""
    if isinstance(dialect, SignOnDialect):
        return dialect
    raise UsageError(f"servers of the dialect `{dialect.name}` have no single sign-on; give `api_user` and `api_key`")


@runtime_checkable
class SignOnDialect(LoginDialect, Protocol):
    """A dialect of a server that people may sign on to by the provider of the house."""

    def begin_sign_on(self) -> Flow[DeviceSignOn]:
        """A code for a person to enter. Raises `NotFound` if the server has no such provider."""
        ...

    def finish_sign_on(self, handle: Secret, device: str) -> Flow[LoginTokens | None]:
        """The tokens of the person who entered the code; None while nobody has. Raises `Unauthorised`."""
        ...
