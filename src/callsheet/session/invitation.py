"""Accept an invitation: choose the password of an account, and be logged in.

An administrator gives the code (``callsheet users invite``). It is valid once, and for some days.
"""

from __future__ import annotations

import platform
from typing import Any

from callsheet.credentials.login import SessionLogin
from callsheet.credentials.passwords import hidden
from callsheet.secret import Secret
from callsheet.session.awaiting import AsyncSession
from callsheet.session.blocking import Session

__all__ = ["accept_invitation", "accept_invitation_async"]


def accept_invitation(base_url: str, code: str | Secret, password: str | Secret, **options: Any) -> Session:
    """An open session of the account that an invitation is for; ``password`` is its password from now on.

    ``options`` are those of `Session`. Raises `Unauthorised` if the invitation is unknown, used or expired, and
    `Invalid` if the password is not accepted; then the invitation can still be used.

    >>> session = callsheet.accept_invitation(url, code, password)  # doctest: +SKIP
    """
    login, code, password = SessionLogin(), hidden(code), hidden(password)
    session = Session(base_url, login=login, **options)
    try:
        session._drive(login.accepting(code, password, platform.node()))
        session.open()
    except BaseException:
        session.close()
        raise
    return session


async def accept_invitation_async(
    base_url: str, code: str | Secret, password: str | Secret, **options: Any
) -> AsyncSession:
    """The same as `accept_invitation`, awaited; gives an open `AsyncSession`.

    >>> session = await callsheet.accept_invitation_async(url, code, password)  # doctest: +SKIP
    """
    login, code, password = SessionLogin(), hidden(code), hidden(password)
    session = AsyncSession(base_url, login=login, **options)
    try:
        await session._drive(login.accepting(code, password, platform.node()))
        await session.open()
    except BaseException:
        await session.close()
        raise
    return session
