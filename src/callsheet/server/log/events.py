"""Events are read from the log: changes of commits and published events, in the order in which they happened.

The log is the stream. Each change of a commit becomes an event (topic ``callsheet.update``) when it is read; published
events are in the table ``_event``, numbered by the same counter. So a reader that continues from a position misses
nothing and gets nothing twice, and a slow reader is only a position that lags, not a queue that grows. A batch is
limited by its events, by the changes it examines and by the bytes it reads; a commit larger than a batch continues in
the next. An account gets only what it may read now, as in ``history.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from attrs import frozen
from sqlalchemy import Connection, Row, func, select

from callsheet.events.topics import UPDATE
from callsheet.model.event import LAST_INDEX, Event, Position
from callsheet.model.history import EntityChange
from callsheet.model.record import Identity
from callsheet.model.values import unpack
from callsheet.server.access.access import Access
from callsheet.server.log import commits as log
from callsheet.server.log.projects import ProjectFinder
from callsheet.server.log.recent import CommitChanges, Recent
from callsheet.server.log.visible import Visible
from callsheet.server.store.store import Store

__all__ = ["Wanted", "beginning", "end_of", "events_after", "readable_now"]

CHANGES_READ = 2_000
"""Approximately how many changes a batch examines, whether they become events or not."""
READ = 100
"""Rows read with one statement."""
READ_BYTES = 2**20
"""Compressed bytes of changes read with one statement, or one commit's."""
STEP = 250

Wanted: TypeAlias = Callable[[Event], bool]
"""Whether the reader wants an event (`filter_of`)."""
Rows: TypeAlias = Iterator["_LogRow | Row[Any]"]


def end_of(position: int) -> Position:
    """The position after all events of this commit."""
    return Position(position, LAST_INDEX)


def beginning(after: Position | int) -> Position:
    """The position to continue after; a number means all of that commit."""
    return after if isinstance(after, Position) else end_of(after)


def events_after(
    store: Store,
    connection: Connection,
    access: Access,
    after: Position | int,
    limit: int,
    wanted: Wanted | None = None,
    until: int | None = None,
    recent: Recent | None = None,
) -> tuple[list[Event], Position]:
    """At most ``limit`` events after a position, oldest first, and the position up to which the log was read.

    Only events that the account may read and wants (None: all) are returned, of commits and publications up to
    ``until``. There may be more even if the list is empty: the end is reached when the position no longer moves.
    ``recent`` caches decoded changes for readers of the same commits.
    """
    after = beginning(after)
    last = log.last_position(store, connection)
    last = last if until is None else min(last, until)
    if last < after.commit:
        return [], after
    batch = _Batch(store, connection, access, limit, wanted, after)
    rows, complete = _rows(store, connection, after, last, Recent() if recent is None else recent)
    for row in rows:
        if not (batch.commit(row) if isinstance(row, _LogRow) else batch.published(row)):
            return batch.events, batch.place
    return batch.events, max(after, end_of(last) if complete else batch.place)


def readable_now(
    store: Store, connection: Connection, access: Access, events: Sequence[Event], recent: Recent
) -> list[Event | None]:
    """The same events as far as the account may read them now; None for an event that it may not read.

    For events that were read earlier and are delivered now.
    """
    positions = {event.position.commit for event in events if event.position is not None and event.topic == UPDATE}
    if access.reads_all or not positions:
        return list(events)
    changes = recent.changes(store, connection, positions)
    table = store.table("_log")
    wanted: list[Any] = [column for column in table.c if column.name not in ("changes", "result", "digest")]
    rows = {row.position: row for row in connection.execute(select(*wanted).where(table.c.position.in_(positions)))}
    reader = _EventReader(store, Visible(store, connection, access), ProjectFinder(store, connection))

    def now(event: Event) -> Event | None:
        if event.topic != UPDATE or event.position is None:
            return event
        place, index = event.position
        if place not in rows:
            return None
        return next(reader.events(rows[place], index, changes[place].some(index, index + 1)), None)

    return [now(event) for event in events]


class _Batch:
    """The events of one batch while they are collected. ``place`` is the position reached so far."""

    def __init__(
        self,
        store: Store,
        connection: Connection,
        access: Access,
        limit: int,
        wanted: Wanted | None,
        after: Position,
    ) -> None:
        self.events: list[Event] = []
        self.place = after
        self._wanted, self._limit, self._room = wanted, limit, CHANGES_READ
        self._visible = Visible(store, connection, access)
        self._reader = _EventReader(store, self._visible, ProjectFinder(store, connection))

    def published(self, row: Row[Any]) -> bool:
        """Add a published event; returns whether there is room for more."""
        self._room -= 1
        self._take(_published(row))
        self.place = end_of(row.position)
        return self._has_room()

    def commit(self, commit: _LogRow) -> bool:
        """Add a commit's events after the position; returns whether there is room for more."""
        start = self.place.index + 1 if self.place.commit == commit.row.position else 0
        for first in range(start, len(commit.changes), STEP):
            changes = commit.changes.some(first, min(first + STEP, len(commit.changes)))
            self._room -= len(changes)
            for event in self._reader.events(commit.row, first, changes):
                self._take(event)
                if len(self.events) == self._limit:
                    self.place = event.position or self.place
                    return False
            self.place = Position(commit.row.position, first + len(changes) - 1)
            if not self._has_room():
                return False
        self.place = end_of(commit.row.position)
        return self._has_room()

    def _take(self, event: Event) -> None:
        if self._wanted is None or self._wanted(event):
            self.events.append(event)

    def _has_room(self) -> bool:
        return self._room > 0 and len(self.events) < self._limit


@frozen
class _LogRow:
    """A row of the log, with its changes."""

    row: Row[Any]
    changes: CommitChanges


def _rows(store: Store, connection: Connection, after: Position, last: int, recent: Recent) -> tuple[Rows, bool]:
    """Commits and publications after a position, in order; and whether these are all up to ``last``."""
    commits, published = store.table("_log"), store.table("_event")
    wanted: list[Any] = [column for column in commits.c if column.name not in ("changes", "result", "digest")]
    first = after.commit if after.index < LAST_INDEX else after.commit + 1
    here: Any = select(*wanted, func.length(commits.c.changes).label("size"))
    here = here.where(commits.c.position >= first, commits.c.position <= last)
    found: Sequence[Row[Any]] = connection.execute(here.order_by(commits.c.position).limit(READ)).all()
    # A published event is the only one of its position.
    other: Any = select(published).where(published.c.position > after.commit, published.c.position <= last)
    others: Sequence[Row[Any]] = connection.execute(other.order_by(published.c.position).limit(READ)).all()
    ends = [rows[-1].position for rows in (found, others) if len(rows) == READ]
    known, complete = _affordable(found, recent)
    ends += [] if complete else [known[-1].position]
    end = min(ends, default=last)
    known = [row for row in known if row.position <= end]
    changes = recent.changes(store, connection, [row.position for row in known])
    merged: list[_LogRow | Row[Any]] = [_LogRow(row, changes[row.position]) for row in known]
    merged += [row for row in others if row.position <= end]
    merged.sort(key=lambda one: one.row.position if isinstance(one, _LogRow) else one.position)
    return iter(merged), not ends


def _affordable(rows: Sequence[Row[Any]], recent: Recent) -> tuple[list[Row[Any]], bool]:
    """The first rows, up to `READ_BYTES` of changes, and whether these are all rows."""
    size = 0
    for number, row in enumerate(rows):
        size += 0 if row.position in recent else row.size or 0
        if number and size > READ_BYTES:
            return list(rows[:number]), False
    return list(rows), True


def _published(row: Row[Any]) -> Event:
    return Event(
        topic=row.topic,
        data=unpack(msgspec.json.decode(row.data)),
        id=row.id,
        sent=row.sent,
        source=unpack(msgspec.json.decode(row.source)),
        target=row.target,
        in_reply_to_event=row.in_reply_to,
        position=Position(row.position, 0),
    )


@frozen
class _EventReader:
    """Makes events of changes, as far as the account may read them."""

    store: Store
    visible: Visible
    projects: ProjectFinder

    def events(self, row: Row[Any], first: int, changes: Sequence[EntityChange]) -> Iterator[Event]:
        """The events of changes of a commit; ``first`` is the index of the first one."""
        shown = self.visible.changes(changes)
        kept = [change for change in shown if change is not None]
        projects = self.projects.of(kept)
        readable = self.visible.among({project for project in projects.values() if project is not None})
        for index, change in enumerate(shown, first):
            if change is not None:
                project = projects.get(change.identity)
                yield self._event(row, index, change, project if project in readable else None)

    def _event(self, row: Row[Any], index: int, change: EntityChange, project: Identity | None) -> Event:
        kind, key = change.identity
        data = {
            "entity": {"type": kind, "id": key, "types": [kind, *self.store.schema.types[kind].ancestors]},
            "action": change.kind,
            "changes": _changes(change),
            "added": _members(change.added),
            "removed": _members(change.removed),
            "user": row.user_name,
            "commit_id": row.commit_id,
            "origin": row.origin or "",
            "time": row.time,
            "entity_type": kind,
            "entity_id": key,
            "project_id": None if project is None else project.key,
            "version": change.version,
        }
        source = {"id": row.origin or "", "user": {"username": row.user_name}}
        position = Position(row.position, index)
        return Event(UPDATE, data, f"{row.commit_id}:{index}", row.time, source, position=position)


def _changes(change: EntityChange) -> dict[str, dict[str, Any]]:
    return {
        name: {"old": _value(change.before.get(name)), "new": _value(change.after.get(name))}
        for name in {**change.before, **change.after}
    }


def _value(value: Any) -> Any:
    return _reference(value) if isinstance(value, Identity) else value


def _members(members: Mapping[str, Sequence[Identity]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [_reference(member) for member in held] for name, held in members.items()}


def _reference(identity: Identity) -> dict[str, Any]:
    return {"type": identity.entity_type, "id": identity.key}
