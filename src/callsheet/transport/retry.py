"""Which attempt may be repeated, and after how long. No clock, no sleep: the transport has those.

Theory. When a server comes back after an outage, clients that all wait alike arrive together and push it
over again. So waits are random between nothing and a bound that doubles ("full jitter"), what the server
asks for (``Retry-After``) is obeyed, and a *budget* bounds how much of all traffic may be retries: every
request puts a tenth of a token into a bucket, every retry takes a whole one out. While all goes well the
bucket is full and single failures are repeated at once; when everything fails, retries dry up to a tenth
of the requests and the caller hears of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock

from attrs import field, frozen

__all__ = ["Attempts", "Budget", "Failure", "RetryPolicy", "retry_after_seconds", "status_failure"]

OVERLOADED = frozenset({429, 503})
GATEWAY = frozenset({502, 504})


@frozen
class RetryPolicy:
    """How often and how long: at most ``retries`` repetitions, all within ``deadline`` seconds.

    The wait before repetition n (from 0) is random between 0 and ``min(longest, first * 2**n)`` seconds.
    """

    retries: int = 4
    deadline: float = 120.0
    first: float = 0.25
    longest: float = 5.0


@frozen
class Failure:
    """Why an attempt gave no answer worth returning.

    ``sent`` says whether the server may have seen the request; ``status`` is its answer, if any;
    ``retry_after`` the seconds it asked to wait; ``lasting`` marks what no repetition can heal.
    """

    reason: str
    sent: bool = True
    status: int | None = None
    retry_after: float | None = None
    lasting: bool = False
    timeout: bool = False

    def may_be_repeated(self, safe: bool) -> bool:
        """Whether sending again cannot do something twice (a ``safe`` request never does).

        >>> Failure("connection refused", sent=False).may_be_repeated(safe=False)
        True
        >>> Failure("connection lost").may_be_repeated(safe=False)
        False
        """
        if self.lasting:
            return False
        if self.status in OVERLOADED:
            return safe or self.retry_after is not None
        return safe or (self.status is None and not self.sent)


class Budget:
    """A token bucket shared by all requests of a transport: retries are at most a share of the requests."""

    def __init__(self, tokens: float = 10.0, share: float = 0.1) -> None:
        self._most = self._tokens = tokens
        self._share = share
        self._lock = Lock()

    def request(self) -> None:
        """A first attempt was made."""
        with self._lock:
            self._tokens = min(self._most, self._tokens + self._share)

    def take(self) -> bool:
        """Whether one more retry may be made now; if so, it is paid for."""
        with self._lock:
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True


@frozen
class Attempts:
    """The attempts of one request, begun at ``start`` on the transport's clock."""

    policy: RetryPolicy
    budget: Budget
    safe: bool
    start: float
    random: Callable[[], float] = field(default=random.random)

    @property
    def until(self) -> float:
        """The deadline, on the transport's clock."""
        return self.start + self.policy.deadline

    def remaining(self, now: float) -> float:
        """The seconds left of the deadline."""
        return self.until - now

    def wait(self, number: int, failure: Failure, now: float) -> float | None:
        """The seconds to wait after attempt ``number`` (from 0) failed, or None to give up."""
        if number >= self.policy.retries or not failure.may_be_repeated(self.safe):
            return None
        seconds = self.random() * min(self.policy.longest, self.policy.first * 2.0**number)
        if failure.retry_after is not None:
            # The jitter comes on top: all who were told the same moment must not come at that moment.
            seconds += failure.retry_after
        if seconds >= self.remaining(now) or not self.budget.take():
            return None
        return seconds


def status_failure(status: int, retry_after: str | None, now: datetime | None = None) -> Failure | None:
    """The failure a status stands for, or None where the answer is to be returned as it is."""
    if status not in OVERLOADED and status not in GATEWAY:
        return None
    return Failure(f"status {status}", status=status, retry_after=retry_after_seconds(retry_after, now))


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds a ``Retry-After`` header asks for (RFC 9110 §10.2.3: a number or a date); None if unreadable.

    >>> retry_after_seconds("3")
    3.0
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
