"""``callsheet.connect``: a session of a running server whose capabilities are known at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import field, frozen

from callsheet.core.capabilities import check_versions
from callsheet.credentials.login import SessionLogin
from callsheet.errors import UsageError
from callsheet.secret import Secret
from callsheet.session import login as logins
from callsheet.session.awaiting import AsyncSession
from callsheet.session.blocking import Session

__all__ = ["ApiKey", "BasicAuthentication", "connect", "connect_async"]


def _hidden(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


@frozen
class BasicAuthentication:
    """A name and a password, which are exchanged for the tokens of a login.

    >>> BasicAuthentication("anna", "a long walk home")
    BasicAuthentication(username='anna')
    """

    username: str
    password: Secret = field(repr=False, converter=_hidden)


@frozen
class ApiKey:
    """An API key, and the name of its account, which may be left out.

    >>> ApiKey("cs_…")
    ApiKey(username=None)
    """

    key: Secret = field(repr=False, converter=_hidden)
    username: str | None = None


def connect(
    url: str,
    *,
    authentication: BasicAuthentication | ApiKey | SessionLogin | None = None,
    certificate_authority: str | Path | None = None,
    require: Iterable[str] = (),
    **options: Any,
) -> Session:
    """An open session of the server at ``url``, whose `capabilities` are known: what is denied is refused at once.

    ``authentication`` is a `BasicAuthentication`, an `ApiKey` or a login; without it, keys and logins come from where
    `Session` takes them. ``certificate_authority`` is a PEM file of the authority that signed the server's
    certificate, if it is not a public one. ``require`` names capabilities: if one is denied, `CapabilityError` says
    which and why, and there is no session. ``options`` are those of `Session`.

    Raises `Unauthorised` for a wrong name, password or key, and `CapabilityError` for a server that speaks no version
    of the wire that this release speaks.

    >>> session = callsheet.connect(url, require={"tables.create"})  # doctest: +SKIP
    >>> session.capabilities.tier  # doctest: +SKIP
    'remote'
    """
    given = _options(certificate_authority, options)
    if isinstance(authentication, BasicAuthentication):
        password = authentication.password
        session = logins.login(url, user=authentication.username, password=password, **given)
    else:
        session = Session(url, **_credentials(authentication), **given)
    try:
        session._drive(check_versions(session))
        session.open()
        session.capabilities.require(require)
    except BaseException:
        session.close()
        raise
    return session


async def connect_async(
    url: str,
    *,
    authentication: BasicAuthentication | ApiKey | SessionLogin | None = None,
    certificate_authority: str | Path | None = None,
    require: Iterable[str] = (),
    **options: Any,
) -> AsyncSession:
    """The same as `connect`, awaited; gives an open `AsyncSession`.

    >>> session = await callsheet.connect_async(url, require={"tables.create"})  # doctest: +SKIP
    """
    given = _options(certificate_authority, options)
    if isinstance(authentication, BasicAuthentication):
        password = authentication.password
        session = await logins.login_async(url, user=authentication.username, password=password, **given)
    else:
        session = AsyncSession(url, **_credentials(authentication), **given)
    try:
        await session._drive(check_versions(session))
        await session.open()
        (await session.capabilities).require(require)
    except BaseException:
        await session.close()
        raise
    return session


def _options(certificate_authority: str | Path | None, options: dict[str, Any]) -> dict[str, Any]:
    if certificate_authority is None:
        return options
    if "verify" in options:
        raise UsageError("`certificate_authority` and `verify` say the same; give one of them")
    return {**options, "verify": certificate_authority}


def _credentials(authentication: Any) -> dict[str, Any]:
    if authentication is None:
        return {}
    if isinstance(authentication, ApiKey):
        key = {"api_key": authentication.key.reveal()}
        return key if authentication.username is None else {**key, "api_user": authentication.username}
    if isinstance(authentication, SessionLogin):
        return {"login": authentication}
    raise UsageError(
        f"`authentication` is a BasicAuthentication, an ApiKey or a login, not {type(authentication).__name__}"
    )
