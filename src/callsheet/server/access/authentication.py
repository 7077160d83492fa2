"""Who is asking: the account behind an API key, remembered for a moment so that not every request looks it up."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, Protocol

from attrs import define

from callsheet.dialects.native.server import error_response
from callsheet.errors import ServerError, Unauthorised, Unavailable
from callsheet.flow import Response

__all__ = ["KeyAttempts", "Authenticator", "RecentKeys", "TooManyAttempts", "bearer", "unauthorised"]

REMEMBERED_SECONDS = 1.0
MOST_REMEMBERED = 1024
FAILURES = 30
REFILL_SECONDS = 2.0
ADDRESSES = 4096


class Authenticator(Protocol):
    """What knows the accounts; its generation counts what changes of them."""

    @property
    def generation(self) -> int: ...

    def authenticate(self, name: str | None, key: str) -> str: ...


class TooManyAttempts(Unavailable):
    """So many wrong keys came from an address that no more are looked at for a while."""


@define
class _Bucket:
    """How many more failures an address may have, as of a moment."""

    tokens: float
    at: float


class KeyAttempts:
    """Bounds how many wrong keys an address may try: thirty, and one more every two seconds.

    Addresses of IPv6 count by their network, of which everybody has a whole one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def check(self, address: str) -> None:
        """Raise `TooManyAttempts` where an address has used up its attempts."""
        with self._lock:
            bucket = self._bucket(_network(address))
            if bucket.tokens < 1:
                wait = round((1 - bucket.tokens) * REFILL_SECONDS, 1) or 0.1
                error = TooManyAttempts(f"too many wrong API keys came from your address; try again in {wait:g} s")
                error.retry_after = wait
                raise error

    def failed(self, address: str) -> None:
        """Count a wrong key."""
        with self._lock:
            self._bucket(_network(address)).tokens -= 1

    def _bucket(self, place: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.pop(place, None) or _Bucket(FAILURES, now)
        bucket.tokens = min(FAILURES, bucket.tokens + (now - bucket.at) / REFILL_SECONDS)
        bucket.at = now
        while len(self._buckets) >= ADDRESSES:
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets[place] = bucket
        return bucket


def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or found.packed[:8].hex())
    return str(found)


class _CachedAccount(NamedTuple):
    """An account that was found, until when, and at which generation of the accounts."""

    name: str
    until: float
    generation: int


class RecentKeys:
    """Asks the accounts at most once a second for the same key; after any change of them, at once.

    Refusals are not remembered, and keys are kept only as digests. A key that was right before is looked up
    even where an address has used up its attempts, so that a stranger cannot keep a colleague out.
    """

    def __init__(self, accounts: Authenticator, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts, self._clock = accounts, clock
        self._attempts = KeyAttempts(clock)
        self._known: dict[tuple[str | None, bytes], _CachedAccount] = {}

    def account(self, user: str | None, key: str, address: str = "") -> str:
        """The account's name; `Unauthorised`, or `TooManyAttempts` from this address."""
        place = user, hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        now, generation = self._clock(), self._accounts.generation
        found = self._known.get(place)
        if found is None:
            self._attempts.check(address)
        elif now < found.until and found.generation == generation:
            return found.name
        try:
            name = self._accounts.authenticate(user, key)
        except Unauthorised:
            self._known.pop(place, None)
            self._attempts.failed(address)
            raise
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[place] = _CachedAccount(name, now + REMEMBERED_SECONDS, generation)
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


def unauthorised(error: ServerError) -> Response:
    """The answer to whom `RecentKeys` did not let in."""
    challenge = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorised) else {}
    return error_response(error, 429 if isinstance(error, TooManyAttempts) else None, challenge)
