"""The options of time limits and retries are checked when a transport is made."""

from __future__ import annotations

from attrs import frozen

from callsheet.errors import UsageError
from callsheet.transport.retry import RetryPolicy

__all__ = ["Timeouts", "checked_policy", "checked_timeouts"]

LONGEST_WAIT = 1_000_000
MOST_RETRIES = 1_000


@frozen
class Timeouts:
    """Seconds to wait for a connection, and for the next bytes of a response."""

    connect: float = 3.0
    read: float = 30.0


def checked_timeouts(timeout: object) -> Timeouts:
    """The option ``timeout``: seconds, or `Timeouts`."""
    chosen = Timeouts() if timeout is None else timeout
    if isinstance(chosen, int | float) and not isinstance(chosen, bool):
        chosen = Timeouts(read=_seconds(chosen, "timeout"))
    if not isinstance(chosen, Timeouts):
        raise UsageError(f"`timeout` is a number of seconds, or `Timeouts`, not {timeout!r:.80}")
    _seconds(chosen.connect, "timeout"), _seconds(chosen.read, "timeout")
    return chosen


def _seconds(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LONGEST_WAIT:
        raise UsageError(f"`{name}` is a number of seconds above 0 and below {LONGEST_WAIT:,}, not {value!r:.80}")
    return float(value)


def checked_policy(retries: object) -> RetryPolicy:
    """The option ``retries``: a count, or a `RetryPolicy`."""
    if retries is None or isinstance(retries, RetryPolicy):
        return retries or RetryPolicy()
    if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= MOST_RETRIES:
        raise UsageError(f"`retries` is a count from 0 to {MOST_RETRIES}, or a `RetryPolicy`, not {retries!r:.80}")
    return RetryPolicy(retries=retries)
