"""Where events are published, and where who waits for events is woken.

A published event is a row of ``_event`` with a position of the log's counter, so it has its place among the commits
and is read with them (``events.py``). Nothing is handed to readers: a reader has a position, is told that there is
something behind it, and reads. Commits of this process are announced to it; on PostgreSQL, where other processes
commit too, a thread looks at the counter while anybody waits. Waiting tasks cost no thread: each event loop has one
bell, which wakes all that wait there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import ceil
from threading import Condition, Thread
from time import monotonic
from typing import Any

from sqlalchemy import Connection

from callsheet.dialects.protocol import EventBatch
from callsheet.dialects.routes import OverQuota
from callsheet.errors import CallsheetError, QueryError
from callsheet.model.event import Event, Position
from callsheet.model.language.events import parse_expression
from callsheet.model.language.matching import matches
from callsheet.server.access.access import Access
from callsheet.server.access.allowance import Allowance
from callsheet.server.limits import Limits
from callsheet.server.log import commits as log
from callsheet.server.log.events import Wanted, beginning, end_of, events_after
from callsheet.server.log.publications import drop_old_events, event_row, save_event
from callsheet.server.log.recent import Recent
from callsheet.server.store.store import Store

__all__ = ["Broker", "is_meant"]

LOOKS = 0.2
"""Seconds between two looks at what other processes have done."""
ROW = 200
"""Bytes that an event costs beside its data and its source."""
BETWEEN_DROPS = timedelta(hours=1)

logger = logging.getLogger("callsheet.server")


class Broker:
    """The events of one service. ``recent`` keeps what its readers have decoded."""

    def __init__(self, store: Store, clock: Callable[[], datetime], limits: Limits | None = None) -> None:
        self._store, self._clock = store, clock
        limits = limits or Limits()
        self._seconds = limits.event_seconds
        self._allowance = Allowance(limits.account_event_bytes, limits.event_seconds, monotonic)
        self.recent = Recent()
        self.closed = False
        self._last = -1
        self._changed = Condition()
        self._bells: dict[asyncio.AbstractEventLoop, _Bell] = {}
        self._waiting = 0
        self._looking = False
        self._dropped: datetime | None = None

    def publish(self, event: Event, user: str) -> Position:
        """Tell an event to all who ask for it, durably; once for an id: again, its first position is told.

        Raises `Forbidden` for topics of the server's own, `TooLarge` and `Invalid` for what cannot be kept, `OverQuota`
        where the account has published too much.
        """
        now = self._clock()
        row = event_row(event, user, now)
        size = len(row["data"]) + len(row["source"]) + ROW
        self._check_allowance(user, size)
        drops = self._dropped is None or now - self._dropped > BETWEEN_DROPS

        def save(connection: Connection) -> int:
            if drops:
                drop_old_events(self._store, connection, now)
            return save_event(self._store, connection, row)

        position = self._store.write(save)
        self._allowance.spend(user, size)
        self._dropped = now if drops else self._dropped
        self.announce(position)
        return Position(position, 0)

    def _check_allowance(self, user: str, size: int) -> None:
        wait = self._allowance.wait(user, size)
        if wait:
            error = OverQuota(
                f"`{user}` has published {self._allowance.most:,} bytes of events within {self._seconds:g} s, "
                "its limit; publish where the data is, not the data, or try again later"
            )
            error.retry_after = float(ceil(wait))
            raise error

    @property
    def last(self) -> int:
        """The last position that is known here; -1 before anybody has asked."""
        return self._last

    def batch(
        self,
        access: Access,
        after: Position | None,
        wanted: Wanted | None,
        subscriber: Mapping[str, Any],
        limit: int,
    ) -> EventBatch:
        """Events after a position (None: those to come) that an account may read; see `events_after`.

        An event with a target is left out where the subscriber, if anything is told of it, does not fulfil that.
        Raises `Invalid` for a position that the log has not reached.
        """
        store = self._store
        with store.reading() as connection:
            if after is None:
                return EventBatch((), end_of(log.last_position(store, connection)))
            found, place = events_after(store, connection, access, after, limit, wanted, recent=self.recent)
            if place == after:
                log.check_reached(store, connection, after.commit)
        return EventBatch([event for event in found if not subscriber or is_meant(event, subscriber)], place)

    def announce(self, position: int) -> None:
        """Wake who waits for what comes after an earlier position: this one is in the database now."""
        with self._changed:
            self._last = max(self._last, position)
            self._wake()

    def wait(self, after: Position | int, timeout: float) -> bool:
        """Whether there is something after a position; blocks for so many seconds until there is, or until `close`."""
        first, until = _first(after), monotonic() + timeout
        self._know()
        with self._changed:
            self._arrive()
            try:
                while not self.closed and self._last < first:
                    left = until - monotonic()
                    if left <= 0 or not self._changed.wait(left):
                        break
                return not self.closed and self._last >= first
            finally:
                self._waiting -= 1

    async def wait_async(self, after: Position | int, timeout: float) -> bool:
        """The same, awaited; under asyncio."""
        first = _first(after)
        if self._last < 0:
            await asyncio.to_thread(self._know)
        loop = asyncio.get_running_loop()
        with self._changed:
            if self.closed or self._last >= first:
                return not self.closed
            self._arrive()
            bell = self._bells.setdefault(loop, _Bell(loop))
            bell.waiting += 1
            rung = bell.rung
        try:
            await asyncio.wait_for(rung.wait(), timeout)
        except TimeoutError:
            pass
        finally:
            with self._changed:
                self._waiting -= 1
                bell.waiting -= 1
                if not bell.waiting:
                    self._bells.pop(loop, None)
        return not self.closed and self._last >= first

    def close(self) -> None:
        """End all waiting, now and from now on."""
        with self._changed:
            self.closed = True
            self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        for loop, bell in list(self._bells.items()):
            if not bell.ring():
                self._bells.pop(loop)

    def _know(self) -> None:
        """Learn the last position, once: later ones are announced, or looked for."""
        if self._last < 0:
            self.announce(self._look())

    def _look(self) -> int:
        with self._store.reading() as connection:
            return log.last_position(self._store, connection)

    def _arrive(self) -> None:
        """Somebody waits: look at what other processes do, where there may be others."""
        self._waiting += 1
        if not self._looking and not self.closed and self._store.engine_name != "sqlite":
            self._looking = True
            Thread(target=self._watch, name="callsheet-doorbell", daemon=True).start()

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.closed, LOOKS)
                if self.closed or not self._waiting:
                    self._looking = False
                    return
            try:
                position = self._look()
            except CallsheetError as error:
                # The database is away; who waits goes on waiting, and who reads hears of it.
                logger.warning("cannot look for new events: %s", error)
            else:
                if position > self._last:
                    self.announce(position)


def _first(after: Position | int) -> int:
    """The least position of the log at which something may come after this: there may be more of the same commit."""
    place = beginning(after)
    return place.commit + (place == end_of(place.commit))


class _Bell:
    """Wakes the tasks that wait in one event loop. ``rung`` is another event after each ring."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.rung = asyncio.Event()
        self.waiting = 0
        self._ringing = False

    def ring(self) -> bool:
        """Wake all, soon; whether the loop still runs."""
        if not self._ringing:
            self._ringing = True
            try:
                self._loop.call_soon_threadsafe(self._ring)
            except RuntimeError:
                return False
        return True

    def _ring(self) -> None:
        self._ringing = False
        self.rung.set()
        self.rung = asyncio.Event()


def is_meant(event: Event, subscriber: Mapping[str, Any]) -> bool:
    """Whether an event is for this subscriber or one of its ``subscribers``; an unreadable target is nobody."""
    if not event.target:
        return True
    held = subscriber.get("subscribers")
    several = [each for each in held if isinstance(each, Mapping)] if isinstance(held, list) else []
    try:
        target = parse_expression(event.target)
        return any(matches(target, each) for each in (subscriber, *several))
    except QueryError:
        return False
