"""Timers: a user has at most one, which becomes a time log when it is stopped.

Starting and stopping are pending changes until the next commit. A time log has the whole seconds from the start of the
timer until it was stopped. A server without support for time zones has local times that are marked as UTC; there the
difference is computed between local times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from callsheet.core import calls
from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.errors import MultipleResults, NoResult, ServerError, StateError
from callsheet.flow import Flow
from callsheet.production.queries import entities, is_, known

__all__ = ["Worker", "seconds_between", "start_timer", "stop_timer"]


class Worker:
    """The timer methods of users."""

    __slots__ = ()
    session: Any

    def start_timer(
        self, context: Any = None, comment: str = "", name: str | None = None, force: bool = False
    ) -> Annotated[Any, Gives("Timer")]:
        """Start a timer, pending until the next commit.

        Raises `StateError` if one is running; with ``force`` that one is stopped first, and its time logged.
        """
        return self.session.run(start_timer(self.session, self, context, comment, name, force))

    def stop_timer(self) -> Annotated[Any, Gives("Timelog")]:
        """Stop the running timer; returns its time log, pending until the next commit.

        Raises `NoResult` if none is running, `MultipleResults` if several are.
        """
        return self.session.run(stop_timer(self.session, self))


def start_timer(
    core: Core, user: Any, context: Any = None, comment: str = "", name: str | None = None, force: bool = False
) -> Flow[Any]:
    """Start a timer of a user."""
    running = yield from _running(core, user)
    if running and not force:
        raise StateError(
            f"a timer of {user!r} is running since {running[0].peek('start')}; "
            "`stop_timer()` ends it, `start_timer(…, force=True)` ends it and starts the next"
        )
    for timer in running:
        yield from _stopped(core, timer)
    start = _local_now() if (yield from _is_local(core)) else _now()
    data = {"user": user, "context": context, "comment": comment, "start": start}
    return core.create("Timer", data if name is None else {**data, "name": name})


def stop_timer(core: Core, user: Any) -> Flow[Any]:
    """Stop a user's running timer; returns its time log."""
    running = yield from _running(core, user)
    if not running:
        raise NoResult(f"no timer of {user!r} is running; `start_timer()` starts one")
    if len(running) > 1:
        raise MultipleResults(f"{len(running)} timers of {user!r} are running; delete those that should not be")
    return (yield from _stopped(core, running[0]))


def _running(core: Core, user: Any) -> Flow[list[Any]]:
    """The timers of a user, pending ones included, without those deleted in this session."""
    found: list[Any] = []
    if not (user._changes is not None and user._changes.born):
        found = yield from entities(core, "Timer", is_("user.id", user.id))
    found += [timer for timer in core.created if timer.entity_type == "Timer" and timer.peek("user") is user]
    return [timer for timer in dict.fromkeys(found) if core.unit.is_alive(timer)]


def _stopped(core: Core, timer: Any) -> Flow[Any]:
    user, context, start, comment, name = yield from known(core, timer, "user", "context", "start", "comment", "name")
    local = yield from _is_local(core)
    values = {"context": context, "comment": comment or "", "name": name}
    data = {"user": user, "start": start, "duration": seconds_between(start, _now(), local)}
    core.delete(timer)
    return core.create("Timelog", {**data, **{key: value for key, value in values.items() if value is not None}})


def seconds_between(start: datetime, now: datetime, local: bool = False) -> float:
    """Whole seconds, at least 0. ``local``: the start is a local time, whatever its time zone.

    >>> seconds_between(datetime(2026, 5, 4, 9, 0, tzinfo=UTC), datetime(2026, 5, 4, 9, 0, 59, 999_999, tzinfo=UTC))
    59.0
    """
    if local:
        start = start.replace(tzinfo=None).astimezone()
    return float(max(0, int((now - start).total_seconds())))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _local_now() -> datetime:
    """The local time marked as UTC, as on a server without time zones."""
    return datetime.now().replace(microsecond=0, tzinfo=UTC)


def _is_local(core: Core) -> Flow[bool]:
    """Whether the server has local times, because its support for time zones is off."""
    if "query_server_information" not in core.declaration.actions:
        return False
    try:
        information = yield from calls.call(core, "query_server_information", {})
    except ServerError:
        return False
    return isinstance(information, Mapping) and information.get("is_timezone_support_enabled") is False
