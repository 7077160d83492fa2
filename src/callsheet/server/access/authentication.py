"""Authentication: a chain of providers that check credentials, and a limit on failed attempts.

A recognised caller is cached for a second, so that not every request reads the database.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, Protocol, TypeAlias

from attrs import evolve

from callsheet.bounded import BoundedDict
from callsheet.dialects.routes import Credentials, TooManyAttempts
from callsheet.errors import Unauthorised
from callsheet.server.access.allowance import Allowance
from callsheet.server.access.principal import Principal
from callsheet.server.limits import Limits

__all__ = ["ApiKeys", "Authentication", "Authenticator", "KeyAttempts", "Provider", "TooManyAttempts", "network_of"]

_Place: TypeAlias = tuple[str, str | None, bytes]

REMEMBERED_SECONDS = 1.0
MOST_REMEMBERED = 1024
FAILURES = 30
REFILL_SECONDS = 2.0


class Authenticator(Protocol):
    """What API keys need of the accounts; ``generation`` counts their changes."""

    @property
    def generation(self) -> int: ...

    def is_guessable(self, key: str) -> bool: ...

    def authenticate(self, name: str | None, key: str) -> str: ...


class KeyAttempts:
    """Limits the wrong keys that may be tried at a place: ``most``, and one more every ``seconds``.

    A place is a network address, or the name of an account. IPv6 addresses count by their /64 network, because a client
    usually has all addresses of one.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        most: int = FAILURES,
        seconds: float = REFILL_SECONDS,
        what: str = "came from your address",
    ) -> None:
        self._left, self._what = Allowance(most, most * seconds, clock), what

    def check(self, place: str) -> None:
        """Raise `TooManyAttempts` if a place has used up its attempts."""
        wait = self._left.wait(network_of(place), 1)
        if wait:
            wait = round(wait, 1) or 0.1
            error = TooManyAttempts(
                f"too many wrong API keys {self._what} (more than {self._left.most}); try again in {wait:g} s"
            )
            error.retry_after = wait
            raise error

    def failed(self, place: str) -> None:
        """Count a wrong key."""
        self._left.spend(network_of(place), 1)


def network_of(address: str) -> str:
    """The key under which an address counts: for IPv6 its /64 network; a text that is not an address is unchanged."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or found.packed[:8].hex())
    return str(found)


class Provider(Protocol):
    """Authenticates callers by one kind of credentials."""

    @property
    def generation(self) -> int:
        """Counts changes of the provider's data; results of an earlier generation are not used again."""

    def is_guessable(self, credentials: Credentials) -> bool:
        """Whether these could be guessed; False only for credentials of its kind with 128 random bits or more."""

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The caller; None for credentials of another kind. Raises `Unauthorised` for wrong ones of its kind."""


class ApiKeys:
    """The provider for API keys of accounts, whichever way a dialect sends them."""

    name = "key"

    def __init__(self, accounts: Authenticator) -> None:
        self._accounts = accounts

    @property
    def generation(self) -> int:
        return self._accounts.generation

    def is_guessable(self, credentials: Credentials) -> bool:
        return credentials.kind not in ("bearer", "key") or self._accounts.is_guessable(credentials.secret)

    def authenticate(self, credentials: Credentials) -> Principal | None:
        if credentials.kind not in ("bearer", "key"):
            return None
        return Principal(self._accounts.authenticate(credentials.user, credentials.secret), provider=self.name)


def utc_now() -> datetime:
    return datetime.now(UTC)


class _CachedPrincipal(NamedTuple):
    """A recognised caller, its expiry, and the generations of the providers at that time."""

    principal: Principal
    until: float
    generations: tuple[int, ...]


class Authentication:
    """The chain of providers: the first that recognises the credentials decides.

    The same credentials are looked up at most once a second, and again after any change. Refusals are not cached, and
    secrets are kept only as digests. If an address, or the named account, has used up its attempts, only two kinds of
    credentials are still looked up: those that were valid before, and those that cannot be guessed. So an attacker
    cannot lock out a user.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        now: Callable[[], datetime] = utc_now,
        standing: Callable[[str], None] | None = None,
    ) -> None:
        """``standing`` raises for an account that its provider no longer vouches for."""
        limits = limits or Limits()
        self._standing = standing
        self._providers, self._clock, self._now = tuple(providers), clock, now
        self._of_addresses = KeyAttempts(clock, limits.address_attempts, limits.attempt_seconds)
        self._of_accounts = KeyAttempts(clock, limits.account_attempts, limits.attempt_seconds, "named this account")
        self._lock = threading.Lock()
        self._known: BoundedDict[_Place, _CachedPrincipal] = BoundedDict(MOST_REMEMBERED)

    def remembered(self, credentials: Credentials, address: str = "") -> Principal | None:
        """The caller, if these credentials are in the cache. Never blocks."""
        return self._remembered(_place(credentials), address)

    def was_right(self, credentials: Credentials) -> bool:
        """Whether these credentials were valid when they were last looked up. Never blocks."""
        return _place(credentials) in self._known

    def check(self, credentials: Credentials, address: str = "") -> None:
        """Raise `TooManyAttempts` if these credentials may not be tried now. Never blocks."""
        if self.was_right(credentials) or not self._is_guessable(credentials):
            return
        self._of_addresses.check(address)
        if credentials.user:
            self._of_accounts.check(_account(credentials.user))

    def principal(self, credentials: Credentials, address: str = "") -> Principal:
        """The caller. Raises `Unauthorised`, or `TooManyAttempts`."""
        place = _place(credentials)
        found = self._remembered(place, address)
        if found is not None:
            return found
        self.check(credentials, address)
        now, generations = self._clock(), self._generations()
        try:
            principal = self._recognised(credentials)
        except Unauthorised:
            with self._lock:
                self._known.pop(place, None)
            self._failed(credentials, address)
            raise
        self._check_standing(place, principal)
        self._remember(place, _CachedPrincipal(principal, now + REMEMBERED_SECONDS, generations))
        return evolve(principal, address=address)

    def _check_standing(self, place: _Place, principal: Principal) -> None:
        """Raise for an account that may not be here any more. It is no failed attempt: the credentials were right."""
        if self._standing is None:
            return
        try:
            self._standing(principal.account)
        except Unauthorised:
            with self._lock:
                self._known.pop(place, None)
            raise

    def _remember(self, place: _Place, cached: _CachedPrincipal) -> None:
        """Cache a caller; the least recently used one is evicted."""
        with self._lock:
            self._known.renew(place, cached)

    def _remembered(self, place: _Place, address: str) -> Principal | None:
        found = self._known.get(place)
        if found is None or self._clock() >= found.until or found.generations != self._generations():
            return None
        if found.principal.expires is not None and self._now() >= found.principal.expires:
            return None
        return evolve(found.principal, address=address)

    def _generations(self) -> tuple[int, ...]:
        return tuple(each.generation for each in self._providers)

    def _is_guessable(self, credentials: Credentials) -> bool:
        return all(provider.is_guessable(credentials) for provider in self._providers)

    def _failed(self, credentials: Credentials, address: str) -> None:
        self._of_addresses.failed(address)
        if credentials.user:
            self._of_accounts.failed(_account(credentials.user))

    def _recognised(self, credentials: Credentials) -> Principal:
        for provider in self._providers:
            principal = provider.authenticate(credentials)
            if principal is not None:
                return principal
        raise Unauthorised(f"this server does not accept credentials of the kind `{credentials.kind:.40}`")


def _place(credentials: Credentials) -> _Place:
    digest = hashlib.sha256(credentials.secret.encode("utf-8", "surrogatepass")).digest()
    return credentials.kind, credentials.user, digest


def _account(name: str) -> str:
    """A name as a place of attempts, truncated to the longest valid name, because clients choose it."""
    return name[:255]
