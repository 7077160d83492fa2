"""Log in with a name and a password; a session is what you get.

The password is exchanged for tokens and forgotten. The session renews the tokens as long as it lives.
"""

from __future__ import annotations

import platform
from typing import Any

from attrs import frozen

from callsheet.credentials.login import SessionLogin
from callsheet.credentials.passwords import Ask, found_password, hidden
from callsheet.dialects.accounts import LoginTokens
from callsheet.errors import Unauthorised, UsageError
from callsheet.flow import Flow
from callsheet.secret import Secret
from callsheet.session.awaiting import AsyncSession
from callsheet.session.blocking import Session

__all__ = ["login", "login_async", "login_with_password", "login_with_password_async"]


def login(
    base_url: str,
    *place: str,
    user: str | None = None,
    password: str | Secret | None = None,
    ask: Ask | None = None,
    **options: Any,
) -> Session:
    """An open session of a person: ``login(url, user)``, or ``login(url, data_view, system, user)``.

    The password is typed, and not shown: in the terminal, or in a small window if there is no terminal but a display.
    Before that it is looked up: in ``password``, in the variable ``CALLSHEET_PASSWORD``, in the keyring, by the
    callback ``ask``. ``options`` are those of `Session`. Raises `Unauthorised` for a wrong name or password, after one
    attempt, and `UsageError` if there is no place to type it.

    >>> session = callsheet.login("https://callsheet.example.org", "anna")  # doctest: +SKIP
    Enter your password:
    """
    entry = _entry(base_url, place, user, password, ask)
    del password
    session = Session(entry.url, api_user=entry.user, login=entry.login, **entry.options(options))
    try:
        session._drive(entry.entering())
        session.open()
    except BaseException:
        session.close()
        raise
    return session


def login_with_password(base_url: str, *place: str, password: str | Secret | None = None, **options: Any) -> Session:
    """An open session: ``login_with_password(url, user, password)``, or with ``data_view, system`` before the user.

    A password in the code can be read by all who read the code; `login` lets a person type it.

    >>> session = callsheet.login_with_password(url, "anna", secret)  # doctest: +SKIP
    """
    parts = [hidden(each) for each in (*place, password) if each is not None]
    del place, password
    shown, given = _split(parts)
    return login(base_url, *shown, password=given, **options)


async def login_async(
    base_url: str,
    *place: str,
    user: str | None = None,
    password: str | Secret | None = None,
    ask: Ask | None = None,
    **options: Any,
) -> AsyncSession:
    """The same as `login`, awaited; gives an open `AsyncSession`. ``ask`` may be a coroutine function.

    >>> session = await callsheet.login_async("https://callsheet.example.org", "anna")  # doctest: +SKIP
    """
    entry = _entry(base_url, place, user, password, ask)
    del password
    session = AsyncSession(entry.url, api_user=entry.user, login=entry.login, **entry.options(options))
    try:
        await session._drive(entry.entering())
        await session.open()
    except BaseException:
        await session.close()
        raise
    return session


async def login_with_password_async(
    base_url: str, *place: str, password: str | Secret | None = None, **options: Any
) -> AsyncSession:
    """The same as `login_with_password`, awaited; gives an open `AsyncSession`.

    >>> session = await callsheet.login_with_password_async(url, "anna", secret)  # doctest: +SKIP
    """
    parts = [hidden(each) for each in (*place, password) if each is not None]
    del place, password
    shown, given = _split(parts)
    return await login_async(base_url, *shown, password=given, **options)


@frozen
class LoginEntry:
    """The arguments of a login."""

    url: str
    user: str
    data_view: str | None
    system: str | None
    password: Secret | None
    ask: Ask | None
    login: SessionLogin

    def options(self, given: dict[str, Any]) -> dict[str, Any]:
        """The options of the session."""
        place = {"data_view": self.data_view, "system": self.system}
        return {**given, **{name: value for name, value in place.items() if value is not None}}

    def entering(self) -> Flow[LoginTokens]:
        """Find the password, and exchange it for tokens."""
        secret = yield from found_password(self.url, self.user, self.password, self.ask)
        try:
            tokens: LoginTokens = yield from self.login.entering(self.user, secret, platform.node())
        except Unauthorised as error:
            raise Unauthorised(f"{self.user} cannot log in to {self.url}: {error}", details=error.details) from None
        return tokens


def _entry(
    base_url: str, place: tuple[str, ...], user: str | None, password: str | Secret | None, ask: Ask | None
) -> LoginEntry:
    data_view, system = (place[0], place[1]) if len(place) >= 2 else (None, None)
    if len(place) in (1, 3) and user is None:
        user = place[-1]
    elif len(place) not in (0, 2) or user is None:
        raise UsageError("log in as `login(url, user)`, or as `login(url, data_view, system, user)`")
    for name, value in (("base_url", base_url), ("user", user)):
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"`{name}` is a text that is not empty, not {type(value).__name__}")
    if "://" not in base_url and "://" in user:
        raise UsageError("the address comes first, then the user: `login(url, user)`")
    return LoginEntry(
        base_url, user, data_view, system, None if password is None else hidden(password), ask, SessionLogin()
    )


def _split(place: list[Secret]) -> tuple[list[str], Secret]:
    """The place, and the password, which is its last part."""
    if len(place) not in (2, 4):
        raise UsageError(
            "log in as `login_with_password(url, user, password)`, "
            "or as `login_with_password(url, data_view, system, user, password)`"
        )
    return [each.reveal() for each in place[:-1]], place[-1]
