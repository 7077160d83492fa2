"""What a plugin file says is done at certain times: ``@callsheet.schedule(…)`` marks a function as a schedule."""

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
    """A moment at which a schedule is due.

    ``due`` is when, in the schedule's time zone; ``previous`` is when the tick was due that was done last, or None
    where none was. So what happened since the last run is what happened since ``previous``.
    """

    schedule: str
    due: datetime
    previous: datetime | None = None


@frozen
class Schedule(Retrying):
    """A function, when it is called, and what is done when it fails or was missed; see `schedule`."""

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
        """Do what is due. The event is the tick as the queue holds it."""
        return self.function(self.tick(event), session)

    def check(self, schema: Schema | None) -> None:
        """Raise `UsageError` for an expression or a zone that cannot be read."""
        cron.check_cron(f"schedule `{self.name}`", self.expression, self.zone)

    def tick(self, event: Event) -> Tick:
        """The tick that an event of the queue is."""
        zone = cron.zone_of(f"schedule `{self.name}`", self.zone)
        previous = event.data.get("previous")
        return Tick(
            self.name, event.data["due"].astimezone(zone), None if previous is None else previous.astimezone(zone)
        )

    def next_due(self, after: datetime | None = None) -> datetime | None:
        """When it is due next, after a moment or now.

        >>> declared = Schedule("nightly", "0 2 * * *", "Europe/Stockholm", lambda tick, session: None)
        >>> str(declared.next_due(datetime(2026, 11, 30, 12, tzinfo=UTC)))
        '2026-12-01 02:00:00+01:00'
        """
        return next(cron.ticks(self.expression, self.zone, after or datetime.now(UTC)), None)

    def due(self, after: int, until: float) -> list[int]:
        """The ticks after one second since 1970 and until another: at most `MOST`, and of those that are missed
        together only the last, unless each is to be done."""
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
    committed after it returns, together with the note that the tick is done. `callsheet listen` runs it; each tick
    is done once, however many listeners there are, and one after the other. ``missed`` says what becomes of ticks at
    which nobody listened, or the one before was still under way: ``"once"``, the latest of them is done; ``"all"``,
    each is; ``"skip"``, none is. ``name`` is what its place is kept under, the function's name if none is given.
    Failures are tried again and end as dead letters, as a handler's do. Raises `UsageError` for an expression or a
    zone that cannot be read.

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
            # Where it is not, the file's other contents are of use all the same; a listener refuses the schedule.
            declared.check(None)
        return marked(function, declared, whose, "tick")

    return mark
