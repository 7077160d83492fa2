"""Refresh tokens: each is used once, for a new access token and the refresh token that follows it.

A token is ``cr_<login>_<number>_<signature>``. The signature shows that this database made it, so that only a token
that was once valid can end a login by being used again, and wrong ones are refused without a look at the database. The
next token is computed from the one that was used and the request that used it: so a request that is sent again, because
its answer was lost, gets the same answer, and the database holds only digests.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from attrs import field, frozen

from callsheet.errors import Unauthorised
from callsheet.server.access.login_secret import LoginKeys

__all__ = ["REFUSED", "RefreshToken", "first_token", "next_token", "read_token"]

REFUSED = "the refresh token is unknown, used or expired, or its login has ended; log in again"
_TOKEN = re.compile(r"cr_([0-9a-f]{32})_([0-9a-f]{32})_([0-9a-f]{64})")


@frozen
class RefreshToken:
    """A token that this database made, of this login."""

    login: str
    text: str = field(repr=False)

    @property
    def digest(self) -> str:
        """What is stored of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def name(self, keys: LoginKeys) -> str:
        """The name of the access token that comes with it."""
        return _signature(keys, "name", self.text)[:32]


def first_token(keys: LoginKeys, login: str) -> RefreshToken:
    """The first token of a login."""
    return _token(keys, login, secrets.token_hex(16))


def next_token(keys: LoginKeys, used: RefreshToken, request: str) -> RefreshToken:
    """The token that follows one that was used by this request."""
    return _token(keys, used.login, _signature(keys, "next", used.text, request)[:32])


def read_token(keys: LoginKeys | None, text: str) -> RefreshToken:
    """The token of a text; raises `Unauthorised` if this database did not make it."""
    found = _TOKEN.fullmatch(text)
    if keys is None or found is None:
        raise Unauthorised(REFUSED)
    if not hmac.compare_digest(found[3], _signature(keys, "token", found[1], found[2])):
        raise Unauthorised(REFUSED)
    return RefreshToken(found[1], text)


def _token(keys: LoginKeys, login: str, number: str) -> RefreshToken:
    return RefreshToken(login, f"cr_{login}_{number}_{_signature(keys, 'token', login, number)}")


def _signature(keys: LoginKeys, *parts: str) -> str:
    return hmac.new(keys.refresh, "\n".join(parts).encode("utf-8", "replace"), "sha256").hexdigest()
