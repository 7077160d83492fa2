"""Sign on by the provider of the house, without a browser of one's own: a code is entered in any browser."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import Any

from callsheet.credentials.login import SessionLogin
from callsheet.dialects.accounts import DeviceSignOn, checked_for_sign_on
from callsheet.errors import Unauthorised
from callsheet.secret import Secret
from callsheet.session.blocking import Session

__all__ = ["sign_on"]


def sign_on(
    base_url: str,
    show: Callable[[str, str], None] | None = None,
    wait: Callable[[float], None] = time.sleep,
    **options: Any,
) -> Session:
    """An open session of a person who signs on at the provider of the house, in any browser.

    ``show`` gets the address to open and the code to enter there; the default prints both. ``wait`` is called with the
    seconds between two looks. ``options`` are those of `Session`. Raises `Unauthorised` if the person is refused, or
    does not sign on in time, and `NotFound` if the server has no single sign-on.

    >>> session = callsheet.sign_on("https://callsheet.example.org")  # doctest: +SKIP
    Open https://login.example.org/device and enter the code WDJB-MJHT
    """
    login = SessionLogin()
    session = Session(base_url, login=login, **options)
    try:
        begun: DeviceSignOn = session._drive(checked_for_sign_on(session._dialect).begin_sign_on())
        (show or _print)(begun.verification_uri_complete or begun.verification_uri, begun.user_code)
        left, handle = begun.expires_in, Secret(begun.handle)
        while session._drive(login.signing_on(handle, platform.node())) is None:
            if left <= 0:
                raise Unauthorised("nobody signed on by this code in time; begin again")
            wait(begun.interval)
            left -= begun.interval
        session.open()
    except BaseException:
        session.close()
        raise
    return session


def _print(address: str, code: str) -> None:
    print(f"Open {address} and enter the code {code}")
