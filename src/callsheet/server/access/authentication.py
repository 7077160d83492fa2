"""Who calls: a chain of providers that recognise callers by what they present, and a bound on wrong attempts.

A caller that was recognised is remembered for a moment, so that not every request looks it up.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, Protocol, TypeAlias

from attrs import evolve

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
    """What knows the accounts; its generation counts what changes of them."""

    @property
    def generation(self) -> int: ...

    def is_guessable(self, key: str) -> bool: ...

    def authenticate(self, name: str | None, key: str) -> str: ...


class KeyAttempts:
    """Bounds how many wrong keys may be tried at a place: ``most``, and one more every ``seconds``.

    A place is an address, or the name of an account. Addresses of IPv6 count by their network, of which everybody has
    a whole one.
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
        """Raise `TooManyAttempts` where a place has used up its attempts."""
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
    """What counts as one address: of IPv6 a whole network; what is no address stays as it is."""
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

    def is_guessable(self, credentials: Credentials) -> bool:
        """Whether trying many could find these; False only for credentials of its kind with 128 random bits or more."""

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

    def is_guessable(self, credentials: Credentials) -> bool:
        return credentials.kind not in ("bearer", "key") or self._accounts.is_guessable(credentials.secret)

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
    remembered, and secrets are kept only as digests. Where an address, or the account that is named, has used up its
    attempts, only two kinds of credentials are still looked up: those that were right before, and those that nobody can
    guess. So a stranger cannot keep a colleague out.
    """

    def __init__(
        self, providers: Sequence[Provider], clock: Callable[[], float] = time.monotonic, limits: Limits | None = None
    ) -> None:
        limits = limits or Limits()
        self._providers, self._clock = tuple(providers), clock
        self._of_addresses = KeyAttempts(clock, limits.address_attempts, limits.attempt_seconds)
        self._of_accounts = KeyAttempts(clock, limits.account_attempts, limits.attempt_seconds, "named this account")
        self._lock = threading.Lock()
        self._known: dict[_Place, _CachedPrincipal] = {}

    def remembered(self, credentials: Credentials, address: str = "") -> Principal | None:
        """The caller, if these credentials were right a moment ago. Never blocks."""
        return self._remembered(_place(credentials), address)

    def was_right(self, credentials: Credentials) -> bool:
        """Whether these credentials were right when they were last looked up. Never blocks."""
        return _place(credentials) in self._known

    def check(self, credentials: Credentials, address: str = "") -> None:
        """Raise `TooManyAttempts` where these credentials may not be tried now. Never blocks."""
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
        self._remember(place, _CachedPrincipal(principal, now + REMEMBERED_SECONDS, generations))
        return evolve(principal, address=address)

    def _remember(self, place: _Place, cached: _CachedPrincipal) -> None:
        """The last that were right are kept; who comes often is among them."""
        with self._lock:
            self._known.pop(place, None)
            self._known[place] = cached
            while len(self._known) > MOST_REMEMBERED:
                self._known.pop(next(iter(self._known)))

    def _remembered(self, place: _Place, address: str) -> Principal | None:
        found = self._known.get(place)
        if found is None or self._clock() >= found.until or found.generations != self._generations():
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
        raise Unauthorised(f"this server takes no credentials of the kind `{credentials.kind:.40}`")


def _place(credentials: Credentials) -> _Place:
    digest = hashlib.sha256(credentials.secret.encode("utf-8", "surrogatepass")).digest()
    return credentials.kind, credentials.user, digest


def _account(name: str) -> str:
    """A name as a place of attempts: no longer than a name may be, for strangers choose it."""
    return name[:255]
