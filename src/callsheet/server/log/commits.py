"""Reads of the commit log: commits and their changes, in the order in which they became visible.

One row is one commit, written in the commit's own transaction. Positions come from a counter row, so they have the
order of commits, and a reader that continues after a position misses nothing. Each change has the position of the
previous commit that changed the same entity, so the history of an entity is read without a search.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Row, select

from callsheet.chunks import chunks
from callsheet.errors import Invalid
from callsheet.model.converter import entity_changes_from_plain, entity_changes_to_plain
from callsheet.model.history import Commit, EntityChange
from callsheet.server.log import earlier
from callsheet.server.store.store import CHUNK, Store

__all__ = [
    "LOG_BEGINS",
    "EntityChange",
    "LogEntry",
    "check_begun",
    "check_reached",
    "decode_changes",
    "decode_pieces",
    "encode_changes",
    "entity_history",
    "entry",
    "entries",
    "first_position",
    "last_position",
    "newest",
    "pieces",
    "position_at",
    "read_changes",
    "touched_by_commits",
    "touched_entities",
    "translated",
]

LogEntry: TypeAlias = Commit
LOG_BEGINS = "log_begins"
"""The row of ``_meta`` with the position after which the log begins, if it does not begin with the first commit."""

SMALL = 1_024
"""Up to this size, data are compressed with a small window."""


def encode_changes(changes: Iterable[EntityChange]) -> bytes:
    """Changes as the log stores them: JSON, compressed.

    >>> from callsheet.model.record import Identity
    >>> change = EntityChange(Identity("Task", "a"), "update", 3, {"bid": 1.0}, {"bid": 2.0})
    >>> decode_changes(encode_changes([change])) == (change,)
    True
    """
    return _compressed(msgspec.json.encode(entity_changes_to_plain(changes)))


def _compressed(data: bytes) -> bytes:
    """Data as `zlib.decompress` reads them. A window of 32 KiB takes longer to set up than small data to compress."""
    if len(data) > SMALL:
        return zlib.compress(data, 1)
    engine = zlib.compressobj(1, zlib.DEFLATED, wbits=9, memLevel=1)
    return engine.compress(data) + engine.flush()


def decode_changes(data: bytes) -> tuple[EntityChange, ...]:
    """Decode changes, also those that an earlier version encoded."""
    return _read(_plain(data))


def pieces(data: bytes) -> list[msgspec.Raw]:
    """Encoded changes, split into one piece of JSON each."""
    return msgspec.json.decode(zlib.decompress(data), type=list[msgspec.Raw])


def read_changes(store: Store, connection: Connection, position: int, data: bytes) -> tuple[EntityChange, ...]:
    """The changes of the commit of a position, with the names that the schema of now has."""
    return tuple(translated(store, connection, position, decode_changes(data)))


def translated(
    store: Store, connection: Connection, position: int, changes: Iterable[EntityChange]
) -> Iterable[EntityChange]:
    """Changes of a commit with the names of now; the same where the schema was not changed since."""
    return changes if store.past is None else store.past.translated(connection, position, changes)


def decode_pieces(found: Iterable[msgspec.Raw]) -> tuple[EntityChange, ...]:
    """Decode changes from their pieces of JSON."""
    return _read([msgspec.json.decode(piece) for piece in found])


def _plain(data: bytes) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = msgspec.json.decode(zlib.decompress(data))
    return plain


def _read(plain: list[dict[str, Any]]) -> tuple[EntityChange, ...]:
    """The changes of one commit; all have the same form, of this version or an earlier one."""
    if plain and "entity" not in plain[0]:
        return tuple(map(earlier.change, plain))
    return entity_changes_from_plain(plain)


class _Touched(msgspec.Struct):
    """What a change says of its entity and collections; the values are passed over."""

    entity: tuple[str, str] | None = None
    type: str = ""
    key: str = ""
    added: dict[str, msgspec.Raw] = {}
    removed: dict[str, msgspec.Raw] = {}


_touched = msgspec.json.Decoder(list[_Touched]).decode


def touched_entities(data: bytes) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The type and the key of each entity of encoded changes, with its collections that changed.

    >>> from callsheet.model.record import Identity
    >>> list(touched_entities(encode_changes([EntityChange(Identity("Task", "a"), "update", 3, {"bid": 1.0})])))
    [('Task', 'a', ())]
    """
    for each in _touched(zlib.decompress(data)):
        kind, key = each.entity or (each.type, each.key)
        yield kind, key, (*each.added, *each.removed)


def touched_by_commits(
    store: Store, connection: Connection, after: int, limit: int = 100
) -> list[tuple[int, list[tuple[str, str, tuple[str, ...]]]]]:
    """The positions of commits after one, oldest first, each with what it touched (see `touched_entities`)."""
    log = store.table("_log")
    wanted = select(log.c.position, log.c.changes).where(log.c.position > after).order_by(log.c.position).limit(limit)
    found = []
    for position, data in connection.execute(wanted).all():
        if store.past is not None and store.past.is_past(connection, position):
            changes = read_changes(store, connection, position, data)
            found.append((position, [(*each.identity, (*each.added, *each.removed)) for each in changes]))
        else:
            found.append((position, list(touched_entities(data))))
    return found


def entry(row: Row[Any], changes: tuple[EntityChange, ...] | None = None) -> Commit:
    """The commit of a row of the log, with the given changes (None: all)."""
    known = decode_changes(row.changes) if changes is None else changes
    return Commit(row.position, row.commit_id, row.user_name, row.origin or "", row.time, known)


def entries(store: Store, connection: Connection, after: int = 0, limit: int = 100) -> list[Commit]:
    """At most ``limit`` commits whose position is greater than ``after``, oldest first."""
    log = store.table("_log")
    statement = select(log).where(log.c.position > after).order_by(log.c.position).limit(limit)
    rows = connection.execute(statement).all()
    return [entry(row, read_changes(store, connection, row.position, row.changes)) for row in rows]


def last_position(store: Store, connection: Connection) -> int:
    """The position of the newest commit; 0 before the first."""
    counter = store.table("_counter")
    return connection.execute(select(counter.c.value).where(counter.c.name == "log")).scalar() or 0


def first_position(store: Store, connection: Connection) -> int:
    """The position after which the log begins: 0, unless it was left out when the database was loaded."""
    meta = store.table("_meta")
    return int(connection.execute(select(meta.c.value).where(meta.c.name == LOG_BEGINS)).scalar() or 0)


def check_begun(store: Store, connection: Connection, position: int) -> None:
    """Raise `Invalid` for a position of before the log's beginning: what came after it is not known."""
    first = first_position(store, connection)
    if position < first:
        raise Invalid(f"the log begins after position {first}: what came before was left out when it was loaded")


def check_reached(store: Store, connection: Connection, position: int) -> None:
    """Raise `Invalid` for a position that the log has not reached: it comes from another log."""
    last = last_position(store, connection)
    if position > last:
        raise Invalid(
            f"there is nothing after position {position} yet: the log ends at {last}. The position is from another "
            "server, or this database was restored to an earlier state"
        )
    if position:
        check_begun(store, connection, position)


def position_at(store: Store, connection: Connection, time: datetime) -> int:
    """The position of the last commit at or before this time; 0 before the first."""
    log = store.table("_log")
    earlier = select(log.c.position).where(log.c.time <= time)
    return connection.execute(earlier.order_by(log.c.time.desc(), log.c.position.desc()).limit(1)).scalar() or 0


def entity_history(
    store: Store, connection: Connection, root: str, key: str, start: int | None = None
) -> Iterator[tuple[Commit, EntityChange]]:
    """The commits that changed an entity, newest first, each with its change; the entity may be deleted.

    ``start`` is the position of one of these commits to begin at. Other changes of the commits are not decoded.
    """
    log = store.table("_log")
    position = newest(store, connection, root, [key]).get(key) if start is None else start
    while position:
        row = connection.execute(select(log).where(log.c.position == position)).first()
        if row is None:
            return
        change = _change_of(store, connection, row, root, key)
        if change is None:
            return
        yield entry(row, (change,)), change
        position = change.previous


def _change_of(store: Store, connection: Connection, row: Row[Any], root: str, key: str) -> EntityChange | None:
    """The change of one entity in a row of the log."""
    if store.past is not None and store.past.is_past(connection, row.position):
        types, changes = store.schema.types, read_changes(store, connection, row.position, row.changes)
        mine = (each for each in changes if each.identity.key == key and types[each.identity.entity_type].root == root)
        return next(mine, None)
    plain = next((each for each in _plain(row.changes) if _is(store, each, root, key)), None)
    return None if plain is None else _read([plain])[0]


def _is(store: Store, plain: Mapping[str, Any], root: str, key: str) -> bool:
    found, held = plain["entity"] if "entity" in plain else (plain["type"], plain["key"])
    return bool(held == key and store.schema.types[found].root == root)


def newest(store: Store, connection: Connection, root: str, keys: Collection[str]) -> dict[str, int]:
    """For each key of a root type, the position of the last commit that changed the entity, deleted ones included."""
    table, tombstone = store.tables[root], store.table("_tombstone")
    found: dict[str, int] = {}
    for chunk in chunks(keys, CHUNK):
        gone = select(tombstone.c.key, tombstone.c.position).where(tombstone.c.root == root, tombstone.c.key.in_(chunk))
        here = select(table.c.id, table.c._commit).where(table.c.id.in_(chunk))
        for statement in (gone, here):
            found.update((key, position) for key, position in connection.execute(statement))
    return found
