"""Who is asking: the account behind an API key, remembered for a moment so that not every request looks it up."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Protocol

from callsheet.errors import Unauthorised

__all__ = ["Authenticator", "RecentKeys", "bearer"]

REMEMBERED_SECONDS = 1.0
MOST_REMEMBERED = 1024


class Authenticator(Protocol):
    """What knows the accounts."""

    def authenticate(self, name: str | None, key: str) -> str: ...


class RecentKeys:
    """Asks the accounts at most once a second for the same key, so a revoked key works a second longer at most.

    Refusals are not remembered, and keys are kept only as digests.
    """

    def __init__(self, accounts: Authenticator, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts, self._clock = accounts, clock
        self._known: dict[tuple[str | None, bytes], tuple[str, float]] = {}

    def account(self, user: str | None, key: str) -> str:
        """The account's name, or `Unauthorised`."""
        place = user, hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        now = self._clock()
        found = self._known.get(place)
        if found is not None and now < found[1]:
            return found[0]
        self._known.pop(place, None)
        name = self._accounts.authenticate(user, key)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[place] = name, now + REMEMBERED_SECONDS
        return name


def bearer(authorization: str) -> str:
    """The key in an ``Authorization`` header.

    >>> bearer("Bearer cs_1_2_3")
    'cs_1_2_3'
    """
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorised("no API key came with the request; it travels as `Authorization: Bearer <key>`")
    return key.strip()
