"""The tables of a database become those of another schema, in one transaction of the caller's.

Order: rows of lost types go, tables and columns get their new names, new columns are filled and take the place of old
ones, then links, references and indexes follow. What is left at the end is exactly the layout of the new schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    bindparam,
    case,
    delete,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.schema import AddConstraint, CreateColumn, CreateIndex, CreateTable

from callsheet.server.migration.cells import Cell, Cures, cell_of, cure_of
from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.migration.families import ColumnPlan, FamilyPlan, Filling, family_plan
from callsheet.server.migration.links import rewrite_links
from callsheet.server.migration.targets import changes_target
from callsheet.server.store.alike import alike_form
from callsheet.server.store.layout import Layout, layout_of
from callsheet.server.store.system_tables import system_tables

__all__ = ["rewrite"]

BATCH = 5_000
PENDING = "_new_"


def rewrite(connection: Connection, both: Correspondence, cures: Cures, now: datetime) -> None:
    """Bring all tables of entities and links from the old layout to the new one. All values are known to fit."""
    work = _Rewriting(connection, both, cures, now)
    plans = list(family_plan(both, cures))
    work.drop_indexes()
    work.set_aside(plans)
    work.rename_tables(plans)
    for plan in plans:
        work.family(plan)
    work.bring_back(plans)
    rewrite_links(connection, both)
    work.sweep(plans)
    work.finish_indexes()


@define(eq=False)
class _Rewriting:
    connection: Connection
    both: Correspondence
    cures: Cures
    now: datetime
    old: Layout = field(init=False)
    new: Layout = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.old, self.new = layout_of(self.both.old), layout_of(self.both.new)

    def quote(self, name: str) -> str:
        return self.connection.dialect.identifier_preparer.quote(name)

    def run(self, statement: str) -> None:
        self.connection.exec_driver_sql(statement)

    @property
    def postgres(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    def drop_indexes(self) -> None:
        """Drop indexes that the new layout has not, or has for another table or other columns."""
        wanted = _indexes(self.new)
        for name, shape in _indexes(self.old).items():
            table, columns = shape
            if wanted.get(name) != shape or self._moves(table, columns):
                self.run(f"DROP INDEX IF EXISTS {self.quote(name)}")
        if self.postgres:
            self._drop_constraints()

    def _moves(self, table: str, columns: Sequence[str]) -> bool:
        """Whether an index stands on a column that is replaced; one that only looks the same is made again too."""
        for plan in family_plan(self.both, self.cures):
            if plan.base == table:
                kept = {column.kept for column in plan.columns if column.kept == column.name}
                return any(name not in kept and not name.startswith("_") and name != "id" for name in columns)
        return False

    def _drop_constraints(self) -> None:
        wanted = _constraints(self.new)
        for name, (table, columns) in _constraints(self.old).items():
            if wanted.get(name) != (table, columns) or self._moves(table, columns):
                self.run(f"ALTER TABLE {self.quote(table)} DROP CONSTRAINT IF EXISTS {self.quote(name)}")

    def set_aside(self, plans: Iterable[FamilyPlan]) -> None:
        """Copy rows that go to another family's table, and delete those that go, and tables that nothing was."""
        for plan in plans:
            for name in plan.moved_types:
                origin = self.both.origins[name]
                table = self.old.tables[self.both.old.types[origin].root]
                aside = self.quote(f"_aside_{name}")
                self.run(f"DROP TABLE IF EXISTS {aside}")
                text = select(table).where(table.c._type == origin)
                compiled = text.compile(self.connection, compile_kwargs={"literal_binds": True})
                self.run(f"CREATE TABLE {aside} AS {compiled}")
                self.connection.execute(delete(table).where(table.c._type == origin))
            if plan.base is not None and plan.lost_types:
                table = self.old.tables[plan.base]
                self.connection.execute(delete(table).where(table.c._type.in_(plan.lost_types)))
        used = {plan.base for plan in plans}
        for name in self.old.tables:
            if name not in used:
                self.run(f"DROP TABLE {self.quote(name)}")

    def rename_tables(self, plans: Iterable[FamilyPlan]) -> None:
        """Give tables their new names; first others, so that two may take each other's."""
        renamed = {str(plan.base): plan.root for plan in plans if plan.base not in (None, plan.root)}
        for old in renamed:
            self.run(f"ALTER TABLE {self.quote(old)} RENAME TO {self.quote(f'_moving_{old}')}")
            if self.postgres:
                key, other = self.quote(f"_key_{old}"), self.quote(f"_moving_key_{old}")
                self.run(f"ALTER TABLE {self.quote(f'_moving_{old}')} RENAME CONSTRAINT {key} TO {other}")
        for old, new in renamed.items():
            self.run(f"ALTER TABLE {self.quote(f'_moving_{old}')} RENAME TO {self.quote(new)}")
            if self.postgres:
                key, other = self.quote(f"_key_{new}"), self.quote(f"_moving_key_{old}")
                self.run(f"ALTER TABLE {self.quote(new)} RENAME CONSTRAINT {other} TO {key}")

    def family(self, plan: FamilyPlan) -> None:
        """Bring one table to its new columns and rows."""
        if plan.base is None:
            self.connection.execute(CreateTable(self.new.tables[plan.root]))
            return
        self._rename_columns(plan)
        table = self._working(plan)
        for column in plan.columns:
            self._column(plan, table, column)
        for name in plan.dropped:
            self.run(f"ALTER TABLE {self.quote(plan.root)} DROP COLUMN {self.quote(_aside(name))}")
        for column in plan.columns:
            if column.kept is None:
                self._rename_column(plan.root, PENDING + column.name, column.name)
        if plan.renamed_types:
            kinds = case(plan.renamed_types, value=table.c._type)
            here = table.c._type.in_(list(plan.renamed_types))
            self.connection.execute(update(table).where(here).values(_type=kinds))

    def _rename_columns(self, plan: FamilyPlan) -> None:
        """Old columns that go get out of the way; those with other names get them."""
        moving = {str(c.kept): c.name for c in plan.columns if c.kept is not None and c.kept != c.name}
        for name in (*plan.dropped, *moving):
            self._rename_column(plan.root, name, _aside(name))
        for old, new in moving.items():
            self._rename_column(plan.root, _aside(old), new)
        for column in plan.columns:
            if column.kept is None:
                kind = self.new.tables[plan.root].c[column.name].type
                made = CreateColumn(Column(PENDING + column.name, kind)).compile(dialect=self.connection.dialect)
                self.run(f"ALTER TABLE {self.quote(plan.root)} ADD COLUMN {made}")

    def _rename_column(self, table: str, old: str, new: str) -> None:
        self.run(f"ALTER TABLE {self.quote(table)} RENAME COLUMN {self.quote(old)} TO {self.quote(new)}")

    def _working(self, plan: FamilyPlan) -> Table:
        """The table as it is while it has the columns of both."""
        old, new = self.old.tables[str(plan.base)], self.new.tables[plan.root]
        columns = [Column(c.name, c.type) for c in new.c if c.name == "id" or c.name.startswith("_")]
        columns += [
            Column(c.name if c.kept is not None else PENDING + c.name, new.c[c.name].type) for c in plan.columns
        ]
        columns += [Column(_aside(name), old.c[name].type) for name in plan.dropped]
        return Table(plan.root, MetaData(), *columns, PrimaryKeyConstraint("id"))

    def _column(self, plan: FamilyPlan, table: Table, column: ColumnPlan) -> None:
        target = table.c[column.name if column.kept is not None else PENDING + column.name]
        if column.emptied:
            empty = update(table).where(table.c._type.in_(column.emptied), target.is_not(None))
            self.connection.execute(empty.values({target.name: None}))
        now_at = {str(c.kept): c.name for c in plan.columns if c.kept is not None}
        for each in column.fillings:
            name = None if each.source is None else now_at.get(each.source, _aside(each.source))
            source = None if name is None else table.c[name]
            self._fill(table, target, source, each)

    def _fill(self, table: Table, target: Column[Any], source: Column[Any] | None, filling: Filling) -> None:
        here = table.c._type == self.both.origins[filling.entity_type]
        if not filling.cell:
            if source is not None and source is not target:
                self.connection.execute(update(table).where(here).values({target.name: source}))
            return
        cell = self._cell(filling)
        if source is None:
            self._change(table, target, select(table.c.id, table.c.id).where(here), lambda _: cell(None))
        else:
            self._change(table, target, select(table.c.id, source).where(here), cell, all_=source is not target)

    def _cell(self, filling: Filling) -> Cell:
        name, attribute = filling.entity_type, filling.attribute
        here = self.both.new.types[name].attributes[attribute]
        cure = cure_of(self.cures, self.both.new, name, attribute)
        return cell_of(name, self.both.carried(name, attribute), here, cure, self.now)

    def _change(self, table: Table, target: Column[Any], rows: Any, cell: Cell, all_: bool = True) -> None:
        """Write what a function makes of the rows' values; unless ``all_``, where it is other than it was."""
        statement = update(table).where(table.c.id == bindparam("_key")).values({target.name: bindparam("_value")})
        found = self.connection.execute(rows).all()
        changed = [{"_key": key, "_value": made} for key, value in found if (made := cell(value)) != value or all_]
        for start in range(0, len(changed), BATCH):
            self.connection.execute(statement, changed[start : start + BATCH])

    def bring_back(self, plans: Iterable[FamilyPlan]) -> None:
        """Insert the rows that were set aside into the tables of their new families."""
        for plan in plans:
            for name in plan.moved_types:
                self._bring_back(plan.root, name)
                self.run(f"DROP TABLE {self.quote(f'_aside_{name}')}")

    def _bring_back(self, root: str, name: str) -> None:
        origin, target = self.both.origins[name], self.new.tables[root]
        old = self.old.tables[self.both.old.types[origin].root]
        aside = Table(f"_aside_{name}", MetaData(), *(Column(c.name, c.type) for c in old.c))
        cells: list[tuple[str, str | None, Cell | None]] = []
        for attribute in self.both.new.types[name].attributes:
            if attribute in target.c and attribute != "id":
                carried = self.both.carried(name, attribute)
                cell = self._cell(Filling(name, attribute, None, True))
                cells.append((attribute, None if carried is None else carried.name, cell))
                kind = f"{attribute}__type"
                if kind in target.c and carried is not None and f"{carried.name}__type" in aside.c:
                    cells.append((kind, f"{carried.name}__type", None))
        rows = []
        for row in self.connection.execute(select(aside)).mappings().all():
            made = {"id": row["id"], "_type": name, "_version": row["_version"], "_commit": row["_commit"]}
            for column, source, each in cells:
                value = None if source is None else row[source]
                made[column] = value if each is None else each(value)
            rows.append(made)
        for start in range(0, len(rows), BATCH):
            self.connection.execute(insert(target), rows[start : start + BATCH])

    def sweep(self, plans: Sequence[FamilyPlan]) -> None:
        """Columns that follow from others: the types of references, references to what is gone, forms that compare."""
        for plan in plans:
            table = self.new.tables[plan.root]
            done = {column.name for column in plan.columns if column.kept is not None and not column.fillings}
            for column in table.c:
                name, _, part = column.name.partition("__")
                if part == "alike" and (column.name not in done or name not in done or plan.moved_types):
                    self._change(table, column, select(table.c.id, table.c[name]), _alike)
        stays = {(plan.root, column.name) for plan in plans for column in plan.columns if column.kept is not None}
        for root, name, target in _references(self.both):
            if changes_target(self.both, root, name):
                self._empty(root, name, target)
            kind = f"{name}__type"
            renamed = self.both.origins.get(target) != target or any(
                new != old for new, old in self.both.origins.items()
            )
            if kind in self.new.tables[root].c and ((root, kind) not in stays or renamed):
                self._type_targets(root, name, target)

    def _empty(self, root: str, name: str, target: str) -> None:
        """Empty references to what is not there, or is none of the types that they may hold."""
        table, others = self.new.tables[root], self.new.tables[self.both.new.types[target].root].alias("target")
        column, kinds = table.c[name], self.both.new.concrete(target)
        there = select(others.c.id).where(others.c.id == column, others.c._type.in_(kinds)).exists()
        emptied = {name: None} | ({f"{name}__type": None} if f"{name}__type" in table.c else {})
        self.connection.execute(update(table).where(column.is_not(None), ~there).values(emptied))

    def _type_targets(self, root: str, name: str, target: str) -> None:
        """Set the types of what references hold."""
        table, others = self.new.tables[root], self.new.tables[self.both.new.types[target].root].alias("target")
        column, kind = table.c[name], table.c[f"{name}__type"]
        found = select(others.c._type).where(others.c.id == column).scalar_subquery()
        other = column.is_not(None) & func.coalesce(kind != found, True)
        self.connection.execute(update(table).where(other).values({kind.name: found}))

    def finish_indexes(self) -> None:
        """Create the indexes and constraints that are missing."""
        known = {
            str(index["name"])
            for table in self.new.metadata.tables
            for index in inspect(self.connection).get_indexes(table)
        }
        own = {table.name for table in _own_tables().tables.values()}
        for table in self.new.metadata.sorted_tables:
            if table.name in own:
                continue
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                if str(index.name) not in known:
                    self.connection.execute(CreateIndex(index))
            if self.postgres:
                self._add_constraints(table)

    def _add_constraints(self, table: Table) -> None:
        known = {str(each["name"]) for each in inspect(self.connection).get_unique_constraints(table.name)}
        for constraint in table.constraints:
            if str(constraint.name).startswith("_unique_") and str(constraint.name) not in known:
                self.connection.execute(AddConstraint(constraint))


def _alike(value: Any) -> Any:
    return None if value is None else alike_form(value)


def _aside(name: str) -> str:
    return f"_old_{name}"


def _own_tables() -> MetaData:
    found = MetaData()
    system_tables(found)
    return found


def _indexes(layout: Layout) -> dict[str, tuple[str, list[str]]]:
    """The indexes of entities' and links' tables: table and columns."""
    own = set(_own_tables().tables)
    return {
        str(index.name): (table.name, [column.name for column in index.columns])
        for table in layout.metadata.tables.values()
        if table.name not in own
        for index in table.indexes
    }


def _constraints(layout: Layout) -> dict[str, tuple[str, list[str]]]:
    return {
        str(each.name): (table.name, [column.name for column in each.columns])
        for table in layout.tables.values()
        for each in table.constraints
        if isinstance(each, UniqueConstraint)
    }


def _references(both: Correspondence) -> list[tuple[str, str, str]]:
    """Each column of a reference in the new tables: root, name, and the type that it refers to."""
    found: dict[tuple[str, str], str] = {}
    for each in both.new.types.values():
        for attribute in each.attributes.values():
            if attribute.kind == "reference":
                found.setdefault((each.root, attribute.name), str(attribute.target))
    return [(root, name, target) for (root, name), target in found.items()]
