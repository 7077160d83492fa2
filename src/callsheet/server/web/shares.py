"""Running requests and the bytes of their bodies are limited per account.

An account above its share gets 429. The server answers 503 only when all accounts together reach its own limit.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock

from callsheet.dialects.routes import OverQuota
from callsheet.errors import Unavailable
from callsheet.server.limits import Limits

__all__ = ["Share", "Shares"]


class Shares:
    """The requests and bytes of all accounts.

    >>> shares = Shares(Limits(account_requests=1))
    >>> with shares.request("anna"), shares.request("ben"):
    ...     shares.requests.total()
    2
    >>> shares.requests.total()
    0
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.most_held = 0
        """The highest number of bytes held at one time."""
        self._all = 0
        self._lock = Lock()

    def request(self, account: str) -> Share:
        """The share of one request; `OverQuota` if the account has too many. Without an account, there is no limit."""
        most = self.limits.account_requests
        with self._lock:
            if account and self.requests[account] >= most:
                named = _name(account)
                error = OverQuota(f"`{named}` has {most} requests under way already, its limit; wait for one to end")
                error.retry_after = 1
                raise error
            self.requests[account] += 1
        return Share(self, account)

    def take(self, account: str, size: int) -> None:
        """Count bytes that a request holds. Raises `OverQuota` or `Unavailable` at the account's or server's limit."""
        with self._lock:
            self._check(account, size)
            self.held[account] += size
            self._all += size
            self.most_held = max(self.most_held, self._all)

    def give_back(self, account: str, size: int) -> None:
        """The request has released these bytes."""
        with self._lock:
            self._all -= size
            self.held[account] -= size
            if not self.held[account]:
                del self.held[account]

    def ended(self, account: str) -> None:
        """A request has ended."""
        with self._lock:
            self.requests[account] -= 1
            if not self.requests[account]:
                del self.requests[account]

    def _check(self, account: str, size: int) -> None:
        limits = self.limits
        error: Unavailable | None = None
        if self.held[account] + size > limits.account_bytes:
            named = _name(account)
            error = OverQuota(
                f"the requests of `{named}` hold more than {limits.account_bytes:,} bytes; send fewer at a time"
            )
        elif self._all + size > limits.held_bytes:
            error = Unavailable(f"the server holds {limits.held_bytes:,} bytes of requests, its limit; try again soon")
        if error is not None:
            error.retry_after = 1
            raise error


def _name(holder: str) -> str:
    """The account's name, without its workspace."""
    return holder.partition("\n")[0]


class Share:
    """What one request holds until it ends. After ``done``, it only sends its response, and no longer counts."""

    __slots__ = ("_account", "_shares", "_size", "_under_way")

    def __init__(self, shares: Shares, account: str) -> None:
        self._shares, self._account, self._size, self._under_way = shares, account, 0, True

    def __enter__(self) -> Share:
        return self

    def __exit__(self, *_: object) -> None:
        self.done()
        if self._size:
            self._shares.give_back(self._account, self._size)
            self._size = 0

    def take(self, size: int) -> None:
        """Hold this many more bytes."""
        if size:
            self._shares.take(self._account, size)
            self._size += size

    def done(self) -> None:
        """The request is answered and no longer counts. Idempotent."""
        if self._under_way:
            self._under_way = False
            self._shares.ended(self._account)
