"""The user tables as one transaction sees and changes them: rows of ``_table``, and the tables themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from callsheet.errors import Invalid, NotFound
from callsheet.model.schema import did_you_mean
from callsheet.model.user_table import UserTable
from callsheet.server.store.store import Store
from callsheet.server.store.user_tables import COUNTER, database_table, decoded, encoded

__all__ = ["TableRegistry"]

MOST = 1_000
"""The most user tables of a database."""


class TableRegistry:
    """The user tables, by name; ``store`` is the store as it is with them."""

    def __init__(self, store: Store, connection: Connection, now: datetime) -> None:
        self._present, self._connection, self._now = store, connection, now
        self._rows = store.table("_table")
        self.tables: dict[str, UserTable] = {}
        self.changed = False
        self._store: Store | None = None
        self.read()

    def read(self) -> None:
        """Read the tables as they are now: those of other transactions that have ended, and what this one did."""
        rows: Iterable[Row[Any]] = self._connection.execute(
            select(self._rows.c.definition).order_by(self._rows.c.number)
        )
        self.tables = {table.name: table for table in (decoded(row[0]) for row in rows)}
        self._store = None

    @property
    def store(self) -> Store:
        """The store whose schema and layout have the tables as they are now in this transaction."""
        if self._store is None:
            same = not self.changed and self.tables == self._present.user_tables
            self._store = self._present if same else self._present.with_tables(self.tables)
        return self._store

    def lock(self, names: Iterable[str]) -> None:
        """Keep other transactions from writing these tables until this one ends, always in the same order."""
        if self._connection.dialect.name == "sqlite":
            return
        wanted = sorted({self.tables[name].number for name in names if name in self.tables})
        if wanted:
            rows = select(self._rows.c.number).where(self._rows.c.number.in_(wanted)).order_by(self._rows.c.number)
            self._connection.execute(rows.with_for_update()).all()
            # What they are may have changed while this transaction waited.
            self.read()

    def find(self, given: str) -> UserTable:
        """The table of a name or a label; `NotFound` if there is none."""
        for table in self.tables.values():
            if given in (table.name, table.label):
                return table
        if given in self._present.schema.types and self._present.schema.types[given].table is None:
            raise Invalid(f"`{given}` is an entity type of the schema, not a user table: commits write its entities")
        labels = [table.label for table in self.tables.values()]
        raise NotFound(f"there is no table `{given:.80}`{did_you_mean(given, labels)}")

    def add(self, table: UserTable) -> UserTable:
        """Add a table; gives it with its number."""
        if len(self.tables) >= MOST:
            raise Invalid(f"there are {MOST:,} tables already, the most of a database: drop some")
        table = evolve(table, number=self._count())
        made = database_table(table)
        self._connection.execute(CreateTable(made))
        for index in sorted(made.indexes, key=lambda each: str(each.name)):
            self._connection.execute(CreateIndex(index))
        row = {"name": table.name, "number": table.number, "definition": encoded(table), "owner": table.owner}
        self._connection.execute(insert(self._rows), {**row, "created": self._now})
        self.tables[table.name] = table
        return table

    def remove(self, table: UserTable) -> None:
        """Take a table away with its rows."""
        self._count()
        self._connection.execute(DropTable(database_table(table)))
        self._connection.execute(delete(self._rows).where(self._rows.c.number == table.number))
        grave = self._present.table("_tombstone")
        self._connection.execute(delete(grave).where(grave.c.root == table.name))
        del self.tables[table.name]

    def check_joins(self) -> None:
        """Raise `Invalid` if a table that is joined is gone."""
        kept = {*self.tables, *(name for name, found in self._present.schema.types.items() if found.table is None)}
        for table in self.tables.values():
            for join in table.joins:
                if join.target not in kept:
                    raise Invalid(
                        f"the table `{join.target}` is joined by `{table.label}`: drop that first, or both in one "
                        "transaction"
                    )

    def replace(self, table: UserTable) -> None:
        """Save what has changed of a table's definition; its columns in the database are changed by the caller."""
        self._count()
        values = {"definition": encoded(table), "owner": table.owner}
        self._connection.execute(update(self._rows).where(self._rows.c.number == table.number).values(values))
        self.tables[table.name] = table

    def _count(self) -> int:
        """Raise the counter in which others see a change; it also numbers tables."""
        self.changed, self._store = True, None
        counter = self._present.table("_counter")
        raised = update(counter).where(counter.c.name == COUNTER).values(value=counter.c.value + 1)
        found = self._connection.execute(raised.returning(counter.c.value)).scalar()
        if found is None:
            self._connection.execute(insert(counter), {"name": COUNTER, "value": 1})
        return int(found or 1)
