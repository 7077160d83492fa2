"""Who calls: a chain of providers that recognise callers by what they present, and a bound on wrong attempts.

A caller that was recognised is remembered for a moment, so that not every request looks it up.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, Protocol

from attrs import define, evolve

from callsheet.dialects.routes import Credentials, TooManyAttempts
from callsheet.errors import Unauthorised
from callsheet.server.access.principal import Principal

__all__ = ["ApiKeys", "Authentication", "Authenticator", "KeyAttempts", "Provider", "TooManyAttempts"]

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


class Provider(Protocol):
    """Recognises callers by one kind of credentials."""

    @property
    def generation(self) -> int:
        """Counts changes of what the provider knows, so that nothing from before is used after one."""

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The caller; None for credentials of another kind. Raises `Unauthorised` for wrong ones of its kind."""


class ApiKeys:
    """The provider that recognises API keys of accounts, however they travel."""

    name = "key"

    def __init__(self, accounts: Authenticator) -> None:
        self._accounts = accounts

    @property
    def generation(self) -> int:
        return self._accounts.generation

    def authenticate(self, credentials: Credentials) -> Principal | None:
        if credentials.kind not in ("bearer", "key"):
            return None
        return Principal(self._accounts.authenticate(credentials.user, credentials.secret), provider=self.name)


class _CachedPrincipal(NamedTuple):
    """A caller that was recognised, until when, and at which generations of the providers."""

    principal: Principal
    until: float
    generations: tuple[int, ...]


class Authentication:
    """The chain of providers: the first that recognises a caller decides.

    The same credentials are looked up at most once a second, and at once after any change. Refusals are not
    remembered, and secrets are kept only as digests. Credentials that were right before are looked up even if an
    address has used up its attempts, so that a stranger cannot keep a colleague out.
    """

    def __init__(self, providers: Sequence[Provider], clock: Callable[[], float] = time.monotonic) -> None:
        self._providers, self._clock = tuple(providers), clock
        self._attempts = KeyAttempts(clock)
        self._known: dict[tuple[str, str | None, bytes], _CachedPrincipal] = {}

    def principal(self, credentials: Credentials, address: str = "") -> Principal:
        """The caller. Raises `Unauthorised`, or `TooManyAttempts` from this address."""
        digest = hashlib.sha256(credentials.secret.encode("utf-8", "surrogatepass")).digest()
        place = credentials.kind, credentials.user, digest
        now, generations = self._clock(), tuple(each.generation for each in self._providers)
        found = self._known.get(place)
        if found is None:
            self._attempts.check(address)
        elif now < found.until and found.generations == generations:
            return evolve(found.principal, address=address)
        try:
            principal = self._recognised(credentials)
        except Unauthorised:
            self._known.pop(place, None)
            self._attempts.failed(address)
            raise
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[place] = _CachedPrincipal(principal, now + REMEMBERED_SECONDS, generations)
        return evolve(principal, address=address)

    def _recognised(self, credentials: Credentials) -> Principal:
        for provider in self._providers:
            principal = provider.authenticate(credentials)
            if principal is not None:
                return principal
        raise Unauthorised(f"this server takes no credentials of the kind `{credentials.kind:.40}`")
