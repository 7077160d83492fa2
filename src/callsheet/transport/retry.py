"""Retries: which attempts may be repeated, and after how long. Without clock or sleep, which the transport has.

Theory. After an outage, clients that all wait the same time arrive together and overload the server again. So waits are
random between zero and a limit that doubles ("full jitter"), ``Retry-After`` is obeyed, and a *budget* limits the share
of retries: every request adds a tenth of a token to a bucket, every retry takes a whole one. In normal operation the
bucket is full, and single failures are retried at once; when everything fails, retries are at most a tenth of the
requests, and the caller gets the error.
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
    """The limits of retries: at most ``retries``, all within ``deadline`` seconds.

    The wait before repetition n (from 0) is random between 0 and ``min(longest, first * 2**n)`` seconds.
    """

    retries: int = 4
    deadline: float = 120.0
    first: float = 0.25
    longest: float = 5.0


@frozen
class Failure:
    """The reason why an attempt has no usable response.

    ``sent`` is whether the server may have received the request; ``status`` is its status, if any; ``retry_after`` are
    the seconds it requires to wait; ``lasting`` marks failures that a retry cannot cure.
    """

    reason: str
    sent: bool = True
    status: int | None = None
    retry_after: float | None = None
    lasting: bool = False
    timeout: bool = False

    def may_be_repeated(self, safe: bool) -> bool:
        """Whether a retry cannot repeat an effect (a ``safe`` request never does).

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
        """Whether another retry is allowed now; if so, its token is taken."""
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
            # The jitter is added: clients with the same Retry-After must not come at the same time.
            seconds += failure.retry_after
        if seconds >= self.remaining(now) or not self.budget.take():
            return None
        return seconds


def status_failure(status: int, retry_after: str | None, now: datetime | None = None) -> Failure | None:
    """The failure of a status; None if the response is to be returned."""
    if status not in OVERLOADED and status not in GATEWAY:
        return None
    return Failure(f"status {status}", status=status, retry_after=retry_after_seconds(retry_after, now))


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds of a ``Retry-After`` header (RFC 9110 §10.2.3: a number or a date); None if invalid.

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
