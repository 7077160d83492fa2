"""The declaration of schedules in plugin files: ``@callsheet.schedule(…)`` marks a function as one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any, TypeVar

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.listening import cron
from callsheet.listening.retrying import (
    CHAIN,
    TIMEOUT,
    Function,
    Retrying,
    check_name,
    check_numbers,
    marked,
)
from callsheet.model.event import Event
from callsheet.model.schema import Schema

__all__ = ["POLICIES", "Schedule", "Tick", "schedule"]

POLICIES = ("once", "all", "skip")
MOST = 1_000
F = TypeVar("F", bound=Callable[[Any, Any], Any])


@frozen
class Tick:
    """A time at which a schedule is due.

    ``due`` is the time, in the schedule's time zone; ``previous`` is the time of the last handled tick, or None. So the
    changes since the last run are those since ``previous``.
    """

    schedule: str
    due: datetime
    previous: datetime | None = None


@frozen
class Schedule(Retrying):
    """A function, its times, and its rules for failures and missed ticks; see `schedule`."""

    name: str
    expression: str
    zone: str
    function: Function
    missed: str = "once"
    retries: int = 5
    delay: float = 1.0
    timeout: float = TIMEOUT
    chain: int = CHAIN
    file: str = field(default="", eq=False)

    def call(self, event: Event, session: Any) -> Any:
        """Call the function. The event is the tick in the form of the queue."""
        return self.function(self.tick(event), session)

    def check(self, schema: Schema | None) -> None:
        """Raise `UsageError` for an invalid expression or time zone."""
        cron.check_cron(f"schedule `{self.name}`", self.expression, self.zone)

    def tick(self, event: Event) -> Tick:
        """The tick of an event of the queue."""
        zone = cron.zone_of(f"schedule `{self.name}`", self.zone)
        previous = event.data.get("previous")
        return Tick(
            self.name, event.data["due"].astimezone(zone), None if previous is None else previous.astimezone(zone)
        )

    def next_due(self, after: datetime | None = None) -> datetime | None:
        """The next time at which it is due, after a time (default: now).

        >>> declared = Schedule("nightly", "0 2 * * *", "Europe/Stockholm", lambda tick, session: None)
        >>> str(declared.next_due(datetime(2026, 11, 30, 12, tzinfo=UTC)))
        '2026-12-01 02:00:00+01:00'
        """
        return next(cron.ticks(self.expression, self.zone, after or datetime.now(UTC)), None)

    def due(self, after: int, until: float) -> list[int]:
        """The ticks after one time and until another, in seconds since 1970.

        With the policy ``all`` at most `MOST`, otherwise only the last one.
        """
        start = datetime.fromtimestamp(after, UTC)
        if until <= after:
            return []
        end = start + timedelta(seconds=until - after)
        if self.missed != "all":
            last = cron.latest(self.expression, self.zone, start, end)
            return [] if last is None else [int(last.timestamp())]
        found = takewhile(lambda each: each <= end, cron.ticks(self.expression, self.zone, start))
        return [int(each.timestamp()) for each in islice(found, MOST)]


def schedule(
    expression: str,
    *,
    zone: str = "UTC",
    name: str | None = None,
    missed: str = "once",
    retries: int = 5,
    delay: float = 1.0,
    timeout: float = TIMEOUT,
) -> Callable[[F], F]:
    """Mark a function in a plugin file as a schedule: it is called at the times of a cron expression in a time zone.

    The function is called as ``function(tick, session)``, with a `Tick` and a session of its own, whose changes are
    committed after it returns, together with the checkpoint of the tick. `callsheet listen` runs it; each tick is
    handled once, however many listeners there are, one after the other. ``missed`` is the policy for ticks at which no
    listener was running, or the previous one was still being handled: ``"once"`` handles the latest of them, ``"all"``
    handles each, ``"skip"`` none. The server stores the schedule's position under ``name`` (default: the function's
    name). Failed ticks are retried, and become dead letters, as with handlers. Raises `UsageError` for an invalid
    expression or time zone.

    >>> @schedule("0 2 * * mon-fri", zone="Europe/Stockholm")
    ... def nightly(tick, session):
    ...     print(tick.due, tick.previous)
    >>> schedule("0 25 * * *")(nightly)
    Traceback (most recent call last):
    callsheet.errors.UsageError: schedule `nightly`: the hour of the cron expression '0 25 * * *' cannot be read
    """
    if missed not in POLICIES:
        raise UsageError(f"`missed` is one of {', '.join(POLICIES)}, not {missed!r:.80}")

    def mark(function: F) -> F:
        called = getattr(function, "__name__", "") if name is None else name
        check_name(called, "schedule")
        whose = f"schedule `{called}`"
        check_numbers(whose, retries=retries, delay=delay, timeout=timeout)
        declared = Schedule(called, expression, zone, function, missed, retries, delay, timeout)
        if cron.is_there():
            # Without the package, the rest of the file can be used; a listener refuses the schedule.
            declared.check(None)
        return marked(function, declared, whose, "tick")

    return mark
