"""How many wrong passwords may be tried, so that they cannot be guessed, and nobody is locked out by somebody else.

An address may have some wrong attempts, and an account, too. An attempt is counted before the password is compared, so
that many at once cannot pass together, and is not counted in the end if it was right. For an account, addresses from
which it has logged in before have a count of their own each: so somebody else who uses up the attempts of an account,
from elsewhere, does not keep its owner from logging in. API keys, access tokens and refresh tokens do not depend on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from callsheet.dialects.routes import TooManyAttempts
from callsheet.server.access.allowance import Allowance
from callsheet.server.access.authentication import network_of
from callsheet.server.limits import Limits

__all__ = ["Attempt", "LoginAttempts"]


class Attempt:
    """One attempt, which was counted at its places."""

    def __init__(self, counted: list[tuple[Allowance, str]]) -> None:
        self._counted = counted

    def was_right(self) -> None:
        """Do not count it."""
        while self._counted:
            allowance, place = self._counted.pop()
            allowance.give_back(place, 1)


class LoginAttempts:
    """The wrong attempts of one server process.

    >>> attempts = LoginAttempts(Limits(account_logins=1), lambda: 0.0)
    >>> attempt = attempts.begin("anna", "10.0.0.7", known=False)
    >>> attempts.begin("anna", "10.0.0.8", known=False)
    Traceback (most recent call last):
    callsheet.dialects.routes.TooManyAttempts: too many wrong passwords for this account; try again in 30 s
    >>> attempts.begin("anna", "10.0.0.9", known=True).was_right()
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        seconds = limits.login_attempt_seconds
        self._of_addresses = Allowance(limits.address_logins, limits.address_logins * seconds, clock)
        self._of_accounts = Allowance(limits.account_logins, limits.account_logins * seconds, clock)

    def count_addresses_with(self, other: LoginAttempts) -> None:
        """From now on, an address has its attempts here and there together."""
        self._of_addresses = other._of_addresses

    def begin(self, account: str, address: str, known: bool) -> Attempt:
        """Count an attempt; raises `TooManyAttempts` if there is none left. ``known``: the account was here before."""
        counted: list[tuple[Allowance, str]] = []
        attempt = Attempt(counted)
        network = network_of(address)
        places = [(self._of_addresses, network, "from your address")]
        if account:
            place = f"{account[:255]}\n{network}" if known else account[:255]
            places.append((self._of_accounts, place, "for this account"))
        for allowance, place, what in places:
            wait = allowance.take(place, 1)
            if wait:
                attempt.was_right()
                raise _too_many(what, wait)
            counted.append((allowance, place))
        return attempt


def _too_many(what: str, wait: float) -> TooManyAttempts:
    wait = round(wait, 1) or 0.1
    error = TooManyAttempts(f"too many wrong passwords {what}; try again in {wait:g} s")
    error.retry_after = wait
    return error
