"""Retries: which attempt may be repeated, how long to wait, and when to stop."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callsheet.transport.retry import Attempts, Budget, Failure, RetryPolicy, retry_after_seconds, status_failure

NOT_SENT = Failure("refused", sent=False)
LOST = Failure("lost")


def attempts(safe: bool = True, random: float = 1.0, tokens: float = 10.0, **policy: float) -> Attempts:
    return Attempts(RetryPolicy(**policy), Budget(tokens), safe, start=100.0, random=lambda: random)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("failure", "safe", "unsafe"),
    [
        (NOT_SENT, True, True),
        (LOST, True, False),
        (Failure("", timeout=True), True, False),
        (Failure("", status=429), True, False),
        (Failure("", status=429, retry_after=1.0), True, True),
        (Failure("", status=503), True, False),
        (Failure("", status=503, retry_after=0.0), True, True),
        (Failure("", status=502), True, False),
        (Failure("", status=504, retry_after=1.0), True, False),
        (Failure("", sent=False, lasting=True), False, False),
    ],
)
def test_what_may_be_repeated(failure: Failure, safe: bool, unsafe: bool) -> None:
    """A safe request is repeated after anything passing; another only if nothing was sent, or the server asked."""
    assert failure.may_be_repeated(safe=True) is safe
    assert failure.may_be_repeated(safe=False) is unsafe


def test_bounds_double_up_to_the_longest() -> None:
    """With the random number at its largest, waits are the bounds themselves."""
    trying = attempts(first=0.5, longest=3.0, retries=9)
    assert [trying.wait(number, LOST, 100.0) for number in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_jitter_is_full() -> None:
    """The wait is spread over the whole range from nothing."""
    assert attempts(random=0.0).wait(3, LOST, 100.0) == 0.0
    assert attempts(random=0.5, first=1.0, longest=60.0).wait(3, LOST, 100.0) == 4.0


def test_retry_after_is_obeyed_and_jitter_added() -> None:
    """Nobody comes before the server asked, nor all at once."""
    failure = Failure("", status=503, retry_after=7.0)
    assert attempts(random=0.0).wait(0, failure, 100.0) == 7.0
    assert attempts(random=1.0, first=1.0).wait(0, failure, 100.0) == 8.0


def test_number_of_retries() -> None:
    """After the last retry there is no other."""
    trying = attempts(retries=2)
    assert trying.wait(1, LOST, 100.0) is not None
    assert trying.wait(2, LOST, 100.0) is None


def test_deadline() -> None:
    """A wait that would reach the deadline is not begun."""
    trying = attempts(deadline=10.0, first=1.0)
    assert trying.wait(0, LOST, 108.5) == 1.0
    assert trying.wait(0, LOST, 109.0) is None
    assert trying.wait(0, Failure("", status=503, retry_after=60.0), 100.0) is None
    assert trying.remaining(104.0) == 6.0


def test_budget_dries_up_and_refills() -> None:
    """Every retry takes a token; ten requests earn one."""
    budget = Budget(tokens=2.0)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    for _ in range(11):
        budget.request()
    assert [budget.take(), budget.take()] == [True, False]


def test_budget_ends_retries() -> None:
    """Without a token the failure is told at once."""
    assert attempts(tokens=1.0).wait(0, LOST, 100.0) is not None
    trying = attempts(tokens=1.0)
    trying.wait(0, LOST, 100.0)
    assert trying.wait(1, LOST, 100.0) is None


@pytest.mark.parametrize("status", [200, 400, 401, 404, 409, 422, 500])
def test_statuses_that_are_answers(status: int) -> None:
    """What will be the same next time is returned as it is."""
    assert status_failure(status, None) is None


def test_retry_after_as_a_date() -> None:
    """A date is counted from now; one that is past asks for no wait."""
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    assert retry_after_seconds("Sat, 21 Nov 2026 12:00:30 GMT", now) == 30.0
    assert retry_after_seconds("Sat, 21 Nov 2026 11:00:00 GMT", now) == 0.0
    assert status_failure(503, "Sat, 21 Nov 2026 12:00:05 GMT", now) == Failure(
        "status 503", status=503, retry_after=5.0
    )


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "٣"])
def test_unreadable_retry_after(value: str | None) -> None:
    """What RFC 9110 does not know is as if it were not there."""
    assert retry_after_seconds(value) is None
