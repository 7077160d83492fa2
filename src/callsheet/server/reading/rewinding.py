"""A state that goes back commit by commit: a store in memory, read by the same code as any other.

It is made of rows of the present and goes back by reverting one commit after the other, newest first. Between two steps
it can be asked anything. Where only some rows are wanted, the others are not there, and their changes are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from attrs import evolve
from sqlalchemy import Connection

from callsheet.chunks import chunks
from callsheet.model.history import Commit, EntityChange
from callsheet.server.reading.snapshot import ROWS, RevertedRows, insert_rows
from callsheet.server.store.store import CHUNK, Store

__all__ = ["Rewinding"]


class Rewinding:
    """Rows of a store as they were after one commit, then after the one before it."""

    def __init__(self, rows: RevertedRows, store: Store, wanted: Mapping[str, Collection[str]] | None) -> None:
        self._rows, self.store, self._wanted = rows, store, wanted

    @staticmethod
    @contextmanager
    def begun(
        present: Store, source: Connection, wanted: Mapping[str, Collection[str]] | None = None, most: int = ROWS
    ) -> Iterator[Rewinding]:
        """The present rows of a store, those of some keys by root type (None: all), ready to go back.

        Raises `TooLarge` above ``most`` rows.
        """
        rows = RevertedRows(present, most)
        if wanted is None:
            rows.read(source)
        else:
            for root in present.tables.keys() - present.user_tables.keys():
                rows.take(source, root, wanted.get(root, ()))
        past = Store.open("memory:", present.described.document, deadline=present.deadline)
        try:
            past.schema = present.schema
            past.write(lambda connection: _write(rows, past, connection))
            yield Rewinding(rows, past, wanted)
        finally:
            past.close()

    def revert(self, commit: Commit) -> None:
        """Go back to the state before a commit; raises `TooLarge` if that are too many changes."""
        if self._wanted is not None:
            commit = evolve(commit, changes=tuple(self._meant(commit)))
        self._rows.revert(commit)
        self.store.write(lambda connection: self._rewrite(connection, commit))

    def _meant(self, commit: Commit) -> Iterator[EntityChange]:
        """The changes of the rows that are here, without links, which are not."""
        assert self._wanted is not None
        for change in commit.changes:
            kind, key = change.identity
            if key in self._wanted.get(self.store.schema.types[kind].root, ()):
                yield evolve(change, added={}, removed={})

    def _rewrite(self, connection: Connection, commit: Commit) -> None:
        """Bring what a reverted commit changed to the store."""
        changed: dict[str, dict[str, None]] = {}
        for change in commit.changes:
            kind, key = change.identity
            changed.setdefault(self.store.schema.types[kind].root, {})[key] = None
        for root, keys in changed.items():
            table, rows = self.store.tables[root], self._rows.rows[root]
            for some in chunks(list(keys), CHUNK):
                connection.execute(table.delete().where(table.c.id.in_(some)))
            insert_rows(connection, table, [tuple(rows[key]) for key in keys if key in rows])
        for change in commit.changes:
            for name in dict.fromkeys((*change.added, *change.removed)):
                self._rewrite_links(connection, *change.identity, name)

    def _rewrite_links(self, connection: Connection, kind: str, key: str, name: str) -> None:
        link = self.store.link(kind, name)
        connection.execute(link.table.delete().where(link.near == key))
        place = 0 if link.near.name == "owner" else 1
        pairs = [pair for pair in self._rows.links[link.table.name] if pair[place] == key]
        insert_rows(connection, link.table, pairs)


def _write(rows: RevertedRows, past: Store, connection: Connection) -> None:
    for root, held in rows.rows.items():
        insert_rows(connection, past.tables[root], [tuple(row) for row in held.values()])
    for link in {link.table.name: link.table for link in past.layout.links.values()}.values():
        insert_rows(connection, link, list(rows.links.get(link.name, ())))
