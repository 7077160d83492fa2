"""The broker publishes events, and wakes readers that wait for events.

A published event is a row of ``_event`` with a position of the log's counter, so it is ordered among the commits and
read with them (``events.py``). Events are not passed to readers: a reader has a position, is woken when events after
it exist, and reads them. Commits of this process are announced to the broker; on PostgreSQL, where other processes
commit too, a thread polls the counter while any reader waits. Waiting tasks need no thread: each event loop has one
`_LoopWaker`, which wakes all tasks that wait there.
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

POLL_SECONDS = 0.2
"""Seconds between two polls for commits of other processes."""
ROW = 200
"""Bytes counted for an event in addition to its data and source."""
BETWEEN_DROPS = timedelta(hours=1)

logger = logging.getLogger("callsheet.server")


class Broker:
    """The events of one service. ``recent`` caches decoded changes for all readers."""

    def __init__(self, store: Store, clock: Callable[[], datetime], limits: Limits | None = None) -> None:
        self._store, self._clock = store, clock
        limits = limits or Limits()
        self._seconds = limits.event_seconds
        self._allowance = Allowance(limits.account_event_bytes, limits.event_seconds, monotonic)
        self.recent = Recent()
        self.closed = False
        self._last = -1
        self._changed = Condition()
        self._wakers: dict[asyncio.AbstractEventLoop, _LoopWaker] = {}
        self._waiting = 0
        self._polling = False
        self._dropped: datetime | None = None

    def publish(self, event: Event, user: str) -> Position:
        """Publish an event durably; returns its position. Publishing the same id again returns the first position.

        Raises `Forbidden` for topics reserved for the server, `TooLarge` and `Invalid` for events that cannot be
        stored, and `OverQuota` if the account has published too much.
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
                "its limit; publish where the data is, not the data itself, or try again later"
            )
            error.retry_after = float(ceil(wait))
            raise error

    @property
    def last(self) -> int:
        """The last known position; -1 before the first read."""
        return self._last

    def batch(
        self,
        access: Access,
        after: Position | None,
        wanted: Wanted | None,
        subscriber: Mapping[str, Any],
        limit: int,
    ) -> EventBatch:
        """Events after a position (None: from now on) that an account may read; see `events_after`.

        An event with a target is omitted if the subscriber, unless empty, does not fulfil the target. Raises `Invalid`
        for a position that the log has not reached.
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
        """Wake all readers that wait after an earlier position: this position is committed."""
        with self._changed:
            self._last = max(self._last, position)
            self._wake()

    def wait(self, after: Position | int, timeout: float) -> bool:
        """Whether there are events after a position; blocks up to ``timeout`` seconds for them, or until `close`."""
        first, until = _first(after), monotonic() + timeout
        self._ensure_position()
        with self._changed:
            self._start_waiting()
            try:
                while not self.closed and self._last < first:
                    left = until - monotonic()
                    if left <= 0 or not self._changed.wait(left):
                        break
                return not self.closed and self._last >= first
            finally:
                self._waiting -= 1

    async def wait_async(self, after: Position | int, timeout: float) -> bool:
        """The same as `wait`, awaited; asyncio only."""
        first = _first(after)
        if self._last < 0:
            await asyncio.to_thread(self._ensure_position)
        loop = asyncio.get_running_loop()
        with self._changed:
            if self.closed or self._last >= first:
                return not self.closed
            self._start_waiting()
            waker = self._wakers.setdefault(loop, _LoopWaker(loop))
            waker.waiting += 1
            woken = waker.woken
        try:
            await asyncio.wait_for(woken.wait(), timeout)
        except TimeoutError:
            pass
        finally:
            with self._changed:
                self._waiting -= 1
                waker.waiting -= 1
                if not waker.waiting:
                    self._wakers.pop(loop, None)
        return not self.closed and self._last >= first

    def close(self) -> None:
        """Wake all waiting readers; from now on, no call waits."""
        with self._changed:
            self.closed = True
            self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        for loop, waker in list(self._wakers.items()):
            if not waker.wake():
                self._wakers.pop(loop)

    def _ensure_position(self) -> None:
        """Read the last position, once: later ones are announced or polled."""
        if self._last < 0:
            self.announce(self._last_position())

    def _last_position(self) -> int:
        with self._store.reading() as connection:
            return log.last_position(self._store, connection)

    def _start_waiting(self) -> None:
        """Count a waiting reader, and poll for other processes' commits if the database can have any."""
        self._waiting += 1
        if not self._polling and not self.closed and self._store.engine_name != "sqlite":
            self._polling = True
            Thread(target=self._poll, name="callsheet-doorbell", daemon=True).start()

    def _poll(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.closed, POLL_SECONDS)
                if self.closed or not self._waiting:
                    self._polling = False
                    return
            try:
                position = self._last_position()
            except CallsheetError as error:
                # The database is unreachable: waiting readers keep waiting, and reads raise the error.
                logger.warning("cannot poll for new events: %s", error)
            else:
                if position > self._last:
                    self.announce(position)


def _first(after: Position | int) -> int:
    """The first commit position that may have events after this one: a commit may be read partly."""
    place = beginning(after)
    return place.commit + (place == end_of(place.commit))


class _LoopWaker:
    """Wakes the tasks that wait in one event loop. ``woken`` is a new event after each `wake`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.woken = asyncio.Event()
        self.waiting = 0
        self._scheduled = False

    def wake(self) -> bool:
        """Wake all tasks, from any thread; returns false if the loop is closed."""
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                return False
        return True

    def _wake(self) -> None:
        self._scheduled = False
        self.woken.set()
        self.woken = asyncio.Event()


def is_meant(event: Event, subscriber: Mapping[str, Any]) -> bool:
    """Whether an event targets this subscriber or one of its ``subscribers``; an invalid target matches none."""
    if not event.target:
        return True
    held = subscriber.get("subscribers")
    several = [each for each in held if isinstance(each, Mapping)] if isinstance(held, list) else []
    try:
        target = parse_expression(event.target)
        return any(matches(target, each) for each in (subscriber, *several))
    except QueryError:
        return False
