"""A cache of the changes of recently read commits, because many readers follow the end of the log.

The changes of a commit are immutable, so they are decoded once. Those of a large commit stay encoded, and each piece is
decoded on every read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from threading import Lock

from sqlalchemy import Connection, select

from callsheet.model.history import EntityChange
from callsheet.server.log import commits as log
from callsheet.server.store.store import Store

__all__ = ["CommitChanges", "Recent"]

KEPT = 5_000
"""Approximately how many decoded changes are cached; of larger commits, only the JSON of the last one."""
SMALL = 1_000


class CommitChanges:
    """The changes of one commit, decoded when needed."""

    def __init__(self, data: bytes | None, decoded: Sequence[EntityChange] | None = None) -> None:
        self._pieces = log.pieces(data) if data and decoded is None else []
        self._decoded = decoded

    def __len__(self) -> int:
        return len(self._pieces) if self._decoded is None else len(self._decoded)

    def some(self, start: int, end: int) -> Sequence[EntityChange]:
        """The changes with indices from ``start`` up to, not including, ``end``."""
        if self._decoded is None and len(self._pieces) <= SMALL:
            self._decoded = log.decode_pieces(self._pieces)
        if self._decoded is not None:
            return self._decoded[start:end]
        return log.decode_pieces(self._pieces[start:end])


class Recent:
    """`CommitChanges` by the position of their commit; the oldest entries are evicted first. Thread-safe."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept, self._size, self._schema = kept, 0, 0
        self._known: dict[int, CommitChanges] = {}
        self._lock = Lock()

    def __contains__(self, position: int) -> bool:
        return position in self._known

    def __len__(self) -> int:
        return len(self._known)

    def changes(self, store: Store, connection: Connection, positions: Collection[int]) -> dict[int, CommitChanges]:
        """The changes of the commits of these positions."""
        with self._lock:
            if self._schema != store.schema_number:
                # They have other names now.
                self._known, self._size, self._schema = {}, 0, store.schema_number
            found = {position: self._known[position] for position in positions if position in self._known}
        missing = [position for position in positions if position not in found]
        if missing:
            table = store.table("_log")
            wanted = select(table.c.position, table.c.changes).where(table.c.position.in_(missing))
            rows = connection.execute(wanted).all()
            read = {position: _changes(store, connection, position, data) for position, data in rows}
            found |= read
            self._keep(read)
        return found

    def _keep(self, read: dict[int, CommitChanges]) -> None:
        with self._lock:
            for position, changes in read.items():
                if position not in self._known:
                    self._known[position] = changes
                    self._size += 1 + len(changes)
            while self._size > self._kept and len(self._known) > 1:
                self._size -= 1 + len(self._known.pop(next(iter(self._known))))


def _changes(store: Store, connection: Connection, position: int, data: bytes | None) -> CommitChanges:
    """The changes of a commit; those of before a change of the schema are decoded, with the names of now."""
    if data and store.past is not None and store.past.is_past(connection, position):
        return CommitChanges(None, log.read_changes(store, connection, position, data))
    return CommitChanges(data)
