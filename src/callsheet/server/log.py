"""The commit log, read: which commit changed what, in the order in which they became visible.

One row is one commit, written in the commit's own transaction. Positions are numbered by a counter row, so
their order is the order of commits and a reader that asks for what comes after a position misses nothing.
A change names the commit that touched the same entity before, so an entity's history is a walk, not a search.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from attrs import field, frozen
from sqlalchemy import Connection, Row, select

from callsheet.model.record import Identity
from callsheet.server.store import Store
from callsheet.server.tagged import to_plain, to_value

__all__ = ["EntityChange", "LogEntry", "decode_changes", "encode_changes", "entity_history", "entries", "last_position"]


@frozen
class EntityChange:
    """What one commit did to one entity.

    ``before`` and ``after`` hold the attributes that changed (an item of a mapping under its dotted name);
    of a deleted entity ``before`` is all it held, so that it can be made again. ``added`` and ``removed``
    are members of its many-to-many collections. ``previous`` is the commit that touched it before, or None.
    """

    identity: Identity
    kind: Literal["create", "update", "delete"]
    previous: int | None = None
    before: Mapping[str, Any] = field(factory=dict)
    after: Mapping[str, Any] = field(factory=dict)
    added: Mapping[str, tuple[Identity, ...]] = field(factory=dict)
    removed: Mapping[str, tuple[Identity, ...]] = field(factory=dict)


@frozen
class LogEntry:
    """One commit: its place in the log, who sent it, and what it changed."""

    position: int
    commit_id: str
    user: str
    origin: str
    time: datetime
    changes: tuple[EntityChange, ...]


def encode_changes(changes: Iterable[EntityChange]) -> bytes:
    """Changes as the log keeps them: JSON, compressed.

    >>> change = EntityChange(Identity("Task", "a"), "update", 3, {"bid": 1.0}, {"bid": 2.0})
    >>> decode_changes(encode_changes([change])) == (change,)
    True
    """
    return zlib.compress(msgspec.json.encode([_plain(change) for change in changes]), 1)


def decode_changes(data: bytes) -> tuple[EntityChange, ...]:
    """What `encode_changes` was given."""
    return tuple(_change(plain) for plain in msgspec.json.decode(zlib.decompress(data)))


def _plain(change: EntityChange) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "type": change.identity.entity_type,
        "key": change.identity.key,
        "kind": change.kind,
        "previous": change.previous,
    }
    if change.before:
        plain["before"] = {name: to_plain(value) for name, value in change.before.items()}
    if change.after:
        plain["after"] = {name: to_plain(value) for name, value in change.after.items()}
    if change.added:
        plain["added"] = change.added
    if change.removed:
        plain["removed"] = change.removed
    return plain


def _change(plain: Mapping[str, Any]) -> EntityChange:
    return EntityChange(
        Identity(plain["type"], plain["key"]),
        plain["kind"],
        plain["previous"],
        {name: to_value(value) for name, value in plain.get("before", {}).items()},
        {name: to_value(value) for name, value in plain.get("after", {}).items()},
        _members(plain.get("added", {})),
        _members(plain.get("removed", {})),
    )


def _members(plain: Mapping[str, Any]) -> dict[str, tuple[Identity, ...]]:
    return {name: tuple(Identity(*member) for member in members) for name, members in plain.items()}


def _entry(row: Row[Any]) -> LogEntry:
    changes = decode_changes(row.changes)
    return LogEntry(row.position, row.commit_id, row.user_name, row.origin or "", row.time, changes)


def entries(store: Store, connection: Connection, after: int = 0, limit: int = 100) -> list[LogEntry]:
    """At most ``limit`` commits whose position is greater than ``after``, oldest first."""
    log = store.table("_log")
    statement = select(log).where(log.c.position > after).order_by(log.c.position).limit(limit)
    return [_entry(row) for row in connection.execute(statement)]


def last_position(store: Store, connection: Connection) -> int:
    """The position of the newest commit; 0 before the first."""
    counter = store.table("_counter")
    return connection.execute(select(counter.c.value).where(counter.c.name == "log")).scalar() or 0


def entity_history(
    store: Store, connection: Connection, root: str, key: str
) -> Iterator[tuple[LogEntry, EntityChange]]:
    """The commits that touched an entity, newest first, each with what it did to it; also of a deleted one."""
    log = store.table("_log")
    position = _newest(store, connection, root, key)
    while position:
        row = connection.execute(select(log).where(log.c.position == position)).first()
        if row is None:
            return
        entry = _entry(row)
        change = next((c for c in entry.changes if _is(store, c, root, key)), None)
        if change is None:
            return
        yield entry, change
        position = change.previous


def _is(store: Store, change: EntityChange, root: str, key: str) -> bool:
    return change.identity.key == key and store.schema.types[change.identity.entity_type].root == root


def _newest(store: Store, connection: Connection, root: str, key: str) -> int | None:
    table, tombstone = store.tables[root], store.table("_tombstone")
    found: int | None = connection.execute(select(table.c._commit).where(table.c.id == key)).scalar()
    if found is None:
        found = connection.execute(
            select(tombstone.c.position).where(tombstone.c.root == root, tombstone.c.key == key)
        ).scalar()
    return found
