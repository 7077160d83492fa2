"""A change of user tables: all its steps in one transaction, exactly once, with one row in the log.

The row of the log has no changes of entities; ``_table_change`` says which tables changed at its position, and how.
Rows carry the position of the load that wrote them, and the keys of few deleted rows are kept as tombstones, so that a
copy follows without reading a table again (`changes.py`). A position that was taken keeps other commits waiting. So a
change takes its position when it first needs one, and a load of many parts needs none before its end: its rows carry an
earlier position, and copies read the table again. On PostgreSQL other commits go on meanwhile; SQLite has one writer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from attrs import define, evolve, field
from sqlalchemy import Connection, Select, delete, func, insert, select

from callsheet.errors import Forbidden, Invalid, NotFound, QueryError, SchemaError, UsageError
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse_condition
from callsheet.model.language.relative import fixed_select
from callsheet.model.query import Select as Query
from callsheet.model.table_steps import (
    CreateTable,
    DropRows,
    JoinTable,
    LoadRows,
    RemoveTable,
    ShareTable,
    Step,
    steps_to_plain,
)
from callsheet.model.user_table import UserTable
from callsheet.model.values import pack
from callsheet.server.access.access import Access
from callsheet.server.log import commits as log
from callsheet.server.log import receipts
from callsheet.server.reading.sql import Scope
from callsheet.server.store.counter import next_position
from callsheet.server.store.described import check_schema_number
from callsheet.server.store.store import CHUNK, Store
from callsheet.server.store.user_tables import database_table
from callsheet.server.tables.definition import defined
from callsheet.server.tables.joining import add_join, look_up
from callsheet.server.tables.loading import Loading
from callsheet.server.tables.registry import TableRegistry

__all__ = ["STEPS", "TableChange", "change_tables", "drop_loads", "part_name"]

STEPS = 1_000
"""The most steps of one change."""
GRAVES = 10_000
"""Up to so many deleted rows are kept as tombstones; after more, a copy reads the table again."""
PARTS = 10_000
LONG = 4
"""A load of so many parts takes no position before its end; copies would read most of its rows again anyway."""


def part_name(load: str) -> str:
    """The name under which parts of a load are staged, apart from those of commits."""
    return f"rows:{load}"


def change_tables(
    store: Store,
    connection: Connection,
    change_id: str,
    steps: Sequence[Step],
    user: str,
    access: Access,
    now: datetime,
) -> dict[str, Any]:
    """Apply all steps, or raise and change nothing; a change whose id was applied before gives its first result.

    The result has the position in the log, and for each step the name of its table and the number of rows.
    """
    digest = hashlib.sha256(msgspec.json.encode(pack(steps_to_plain(steps)), order="sorted")).hexdigest()
    done = _receipt(store, connection, user, change_id, digest)
    if done is None:
        check_schema_number(connection, store.schema_number)
        work = TableChange(store, connection, user, access, now)
        work.lock(steps)
        done = work.apply(steps)
        row = {"position": done["position"], "commit_id": change_id, "user_name": user, "time": now, "digest": digest}
        row |= {"changes": log.encode_changes(()), "result": msgspec.json.encode(done)}
        connection.execute(insert(store.table("_log")), row)
    drop_loads(store, connection, user, steps)
    return done


def drop_loads(store: Store, connection: Connection, user: str, steps: Sequence[Step]) -> None:
    """Forget the staged rows of a change that was applied."""
    for load in {step.load for step in steps if isinstance(step, LoadRows)}:
        receipts.drop_parts(store, connection, user, part_name(load))


def _receipt(store: Store, connection: Connection, user: str, change_id: str, digest: str) -> dict[str, Any] | None:
    rows = store.table("_log")
    wanted: Select[Any] = select(rows.c.digest, rows.c.result)
    found = connection.execute(wanted.where(rows.c.user_name == user, rows.c.commit_id == change_id)).first()
    if found is None:
        return None
    if found.digest != digest:
        raise Invalid(f"the id {change_id!r:.80} was used for something else; use a new one")
    done: dict[str, Any] = msgspec.json.decode(found.result)
    return done


@define(eq=False)
class TableChange:
    """One change while it is applied: `lock`, then `apply`."""

    store: Store
    connection: Connection
    user: str
    access: Access
    now: datetime
    registry: TableRegistry = field(init=False)
    taken: int = 0
    """The position, once it is taken."""
    notes: list[dict[str, Any]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.registry = TableRegistry(self.store, self.connection, self.now)

    def lock(self, steps: Sequence[Step]) -> None:
        """Keep other transactions from writing the tables that steps name; raises `Invalid` for too many steps."""
        if not 0 < len(steps) <= STEPS:
            raise Invalid(f"a change of tables has 1 to {STEPS:,} steps, not {len(steps):,}")
        named = [step.table for step in steps]
        self.registry.lock(each.name for each in self.registry.tables.values() if {each.name, each.label} & {*named})

    @property
    def position(self) -> int:
        """The position of the change; other commits wait from now on."""
        if not self.taken:
            self.taken = next_position(self.store, self.connection)
        return self.taken

    def apply(self, steps: Sequence[Step], position: int = 0) -> dict[str, Any]:
        """Do all steps, at a position of the log that was taken before, or at one that they take when they need it.

        The answer has the position, the name of each table and the number of rows.
        """
        self.taken = position
        answers = []
        for place, step in enumerate(steps):
            try:
                name, rows = self._step(step)
            except (Invalid, NotFound, Forbidden) as error:
                error.details.setdefault("step", place)
                raise
            answers.append([name, rows])
        self.registry.check_joins()
        if self.notes:
            notes = [{**note, "position": self.position} for note in self.notes]
            self.connection.execute(insert(self.store.table("_table_change")), notes)
        return {"position": self.position, "steps": answers, "configured": self.registry.changed}

    def _step(self, step: Step) -> tuple[str, int]:
        if isinstance(step, CreateTable):
            return self._create(step)
        table = self.registry.find(step.table)
        if isinstance(step, RemoveTable):
            return self._remove(table)
        if isinstance(step, ShareTable):
            return self._share(table, step)
        self._check_writer(table)
        if isinstance(step, LoadRows):
            return self._load(table, step)
        if isinstance(step, JoinTable):
            joined = add_join(self.registry, self.connection, table, step, self.position)
            self._note(joined, "rewritten", 0)
            return joined.name, 0
        return self._drop(table, step)

    def _create(self, step: CreateTable) -> tuple[str, int]:
        if not self.access.writes:
            raise Forbidden(f"`{self.user}` may not write, so it may not add a table; ask an administrator for a role")
        table = defined(step, self.registry.store.schema, self.registry.tables, self.user)
        table = self.registry.add(table)
        self._note(table, "created", 0)
        return table.name, 0

    def _remove(self, table: UserTable) -> tuple[str, int]:
        self._check_owner(table, "drop")
        self.registry.remove(table)
        self._note(table, "removed", 0)
        return table.name, 0

    def _share(self, table: UserTable, step: ShareTable) -> tuple[str, int]:
        self._check_owner(table, "share")
        others = [each for each in table.writers if each != step.account]
        self.registry.replace(evolve(table, writers=tuple(others + [step.account] * step.writes)))
        return table.name, 0

    def _load(self, table: UserTable, step: LoadRows) -> tuple[str, int]:
        if not 0 <= step.parts <= PARTS:
            raise Invalid(f"a load has at most {PARTS:,} parts, not {step.parts:,}")
        long = step.parts >= LONG and not self.taken
        position = log.last_position(self.store, self.connection) if long else self.position
        loading = Loading(self.connection, table, position, self.registry.tables)
        parts = self.store.table("_part")
        here = (parts.c.user_name == self.user) & (parts.c.commit_id == part_name(step.load))
        for number in range(step.parts):
            content = self.connection.execute(select(parts.c.operations).where(here, parts.c.number == number)).scalar()
            if content is None:
                raise Invalid(
                    f"part {number} of the load was not staged; stage it again", details={"missing_parts": [number]}
                )
            loading.add(bytes(content))
        if long and self.position:
            # Others may have joined the table, or loaded rows that refer to it, while this had no position.
            self.registry.read()
        self._resolve(table)
        self._note(table, "rewritten" if long else "loaded", loading.rows)
        return table.name, loading.rows

    def _resolve(self, table: UserTable) -> None:
        """Look up the references that are not computed: of this table, and of those that refer to it."""
        for other in list(self.registry.tables.values()):
            for join in other.joins:
                if not join.computed and table.name in (other.name, join.target):
                    look_up(self.connection, other, join, self.registry.tables[join.target], self.position)
                    if other.name != table.name:
                        self._note(other, "loaded", 0)

    def _drop(self, table: UserTable, step: DropRows) -> tuple[str, int]:
        made = database_table(table)
        if step.where is None:
            rows = self.connection.execute(delete(made)).rowcount
            self._note(table, "rewritten", rows)
        else:
            rows = self._drop_some(table, self._condition(table, step.where))
        self._resolve(table)
        return table.name, rows

    def _condition(self, table: UserTable, text: str) -> Select[Any]:
        """The ids of the rows that fulfil a condition, as far as the account may read what it is about."""
        store = self.registry.store
        access = self.access
        if store is not self.store:
            access = Access(access.permissions, store, access.hidden, access.user_key)
        try:
            query = check(Query(table.name, where=parse_condition(text)), store.schema)
        except QueryError as error:
            raise Invalid(str(error), details={"position": error.position, "hint": error.hint}) from None
        except (SchemaError, UsageError) as error:
            raise Invalid(str(error)) from None
        where = fixed_select(query, self.now).where
        scope = Scope(store, table.name, access)
        conditions = scope.of_type() if where is None else [scope.condition(where), *scope.of_type()]
        return select(scope.key).select_from(scope.source).where(*conditions)

    def _drop_some(self, table: UserTable, keys: Select[Any]) -> int:
        made = database_table(table)
        count = self.connection.execute(select(func.count()).select_from(keys.subquery())).scalar_one()
        if count > GRAVES:
            self.connection.execute(delete(made).where(made.c.id.in_(keys)))
            self._note(table, "rewritten", count)
            return int(count)
        gone = list(self.connection.execute(keys).scalars())
        grave = self.store.table("_tombstone")
        for start in range(0, len(gone), CHUNK):
            chunk = gone[start : start + CHUNK]
            self.connection.execute(delete(made).where(made.c.id.in_(chunk)))
            self.connection.execute(delete(grave).where(grave.c.root == table.name, grave.c.key.in_(chunk)))
            rows = [{"root": table.name, "key": key, "position": self.position} for key in chunk]
            self.connection.execute(insert(grave), rows)
        self._note(table, "dropped", len(gone))
        return len(gone)

    def _note(self, table: UserTable, kind: str, rows: int) -> None:
        note = {"place": len(self.notes), "name": table.name, "number": table.number}
        self.notes.append({**note, "kind": kind, "rows": rows})

    def _check_owner(self, table: UserTable, verb: str) -> None:
        if self.user != table.owner and not self.access.permissions.admin:
            raise Forbidden(
                f"the table `{table.label}` belongs to `{table.owner}`, and `{self.user}` may not {verb} it"
            )

    def _check_writer(self, table: UserTable) -> None:
        if self.user in (table.owner, *table.writers) and self.access.writes:
            return
        if not self.access.permissions.admin:
            raise Forbidden(
                f"the table `{table.label}` belongs to `{table.owner}`, who may let `{self.user}` write it: "
                f"`table.share({self.user!r})`"
            )
