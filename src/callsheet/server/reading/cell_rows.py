"""The rows by which a cell goes back: the facts that commits touched, and what these refer to, in any of the states."""

from __future__ import annotations

from sqlalchemy import Connection, select

from callsheet.chunks import chunks
from callsheet.errors import TooLarge
from callsheet.model.history import Commit, EntityChange
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.measure import Aggregate, AggregateFunction, Level
from callsheet.model.query import Select, Step
from callsheet.model.record import Identity
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.reading.cell import Keys, ReadCell, changed_keys
from callsheet.server.store.store import CHUNK, Store

__all__ = ["rows_of_cell"]


def rows_of_cell(store: Store, connection: Connection, cell: ReadCell, commits: list[Commit], most: int) -> Keys:
    """The keys of these rows, by root type; raises `TooLarge` if they are more than ``most``."""
    changed: Keys = {}
    changes: dict[tuple[str, str], list[EntityChange]] = {}
    for commit in commits:
        for root, keys in changed_keys(store.schema, commit).items():
            changed.setdefault(root, set()).update(keys)
        for change in commit.changes:
            kind, key = change.identity
            changes.setdefault((store.schema.types[kind].root, key), []).append(change)
    reader = _RowKeys(store, connection, cell, changes, most)
    return reader.read(changed)


class _RowKeys:
    """Collects the keys."""

    def __init__(
        self,
        store: Store,
        connection: Connection,
        cell: ReadCell,
        changes: dict[tuple[str, str], list[EntityChange]],
        most: int,
    ) -> None:
        self._store, self._connection, self._cell = store, connection, cell
        self._changes, self._most = changes, most
        self._found: Keys = {}

    def read(self, changed: Keys) -> Keys:
        fact = self._store.schema.types[self._cell.aggregate.select.entity_type].root
        facts = set(changed.get(fact, ()))
        for condition in self._cell.reach.touched(changed):
            facts |= self._facts(Select(self._cell.aggregate.select.entity_type, where=condition))
        if not self._cell.adds_up:
            facts |= self._facts(self._cell.entities())
        reached: dict[tuple[Step, ...], set[str]] = {(): facts}
        self._add(fact, facts)
        for way, root in sorted(self._cell.reach.ways.items(), key=lambda each: len(each[0])):
            if way:
                before = self._cell.reach.ways[way[:-1]]
                reached[way] = self._referred(before, reached[way[:-1]], way[-1].name)
                self._add(root, reached[way])
        return self._found

    def _add(self, root: str, keys: set[str]) -> None:
        self._found.setdefault(root, set()).update(keys)
        if sum(map(len, self._found.values())) > self._most:
            raise TooLarge(f"the commits touched more than {self._most:,} entities: ask since a later position")

    def _facts(self, wanted: Select) -> set[str]:
        """The keys of present facts."""
        asked = Aggregate(wanted, (AggregateFunction("count"),), (Level("id"),), limit=self._most + 1)
        checked = check_aggregate(asked, self._store.schema)
        return {row[0] for row in read_aggregate(self._store, self._connection, checked)}

    def _referred(self, root: str, keys: set[str], name: str) -> set[str]:
        """What entities refer to by an attribute, now or before or after any of the commits."""
        table = self._store.tables[root]
        found: set[str] = set()
        if name in table.c:
            for some in chunks(sorted(keys), CHUNK):
                rows = self._connection.execute(select(table.c[name]).where(table.c.id.in_(some)))
                found.update(str(key) for (key,) in rows if key is not None)
        for key in keys:
            for change in self._changes.get((root, key), ()):
                found.update(
                    held.key
                    for values in (change.before, change.after)
                    if isinstance(held := values.get(name), Identity)
                )
        return found
