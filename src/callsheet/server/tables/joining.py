"""Joins: a reference from the rows of a table to rows of another one, or to entities, whose columns are equal.

If these are the target's keys (or the ``id`` of an entity), the id there is computed from the row here, also when the
row there is loaded later. Else the target's columns must be unique, and the ids are looked up after each load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Select, and_, bindparam, func, select, update
from sqlalchemy.schema import CreateIndex

from callsheet.errors import Invalid, SchemaError
from callsheet.model.schema import Schema, did_you_mean
from callsheet.model.table_steps import JoinTable
from callsheet.model.user_table import TableJoin, UserTable, word_of
from callsheet.server.store.columns import TEXT
from callsheet.server.store.user_tables import database_table
from callsheet.server.tables.loading import key_reader
from callsheet.server.tables.registry import TableRegistry

__all__ = ["add_join", "look_up"]

FOUND = 20_000


def add_join(
    registry: TableRegistry, connection: Connection, table: UserTable, step: JoinTable, position: int
) -> UserTable:
    """Add the reference, and set it in all rows; gives the table with it."""
    try:
        join = _join(registry, table, step)
    except SchemaError as error:
        raise Invalid(str(error)) from None
    joined = evolve(table, joins=(*table.joins, join))
    made = database_table(joined)
    quote = connection.dialect.identifier_preparer.quote
    kind = TEXT.compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {quote(made.name)} ADD COLUMN {quote(join.name)} {kind}")
    for index in made.indexes:
        if [column.name for column in index.columns] == [join.name]:
            connection.execute(CreateIndex(index))
    registry.replace(joined)
    if join.computed:
        _compute(connection, joined, join, registry.tables.get(join.target))
    else:
        look_up(connection, joined, join, registry.tables[join.target], position)
    return joined


def _join(registry: TableRegistry, table: UserTable, step: JoinTable) -> TableJoin:
    schema = registry.store.schema
    target = next((each for each in registry.tables.values() if step.target in (each.name, each.label)), None)
    if target is None:
        return _entity_join(schema, table, step)
    if target.name == table.name and not step.name:
        raise Invalid(f"the table `{table.label}` is joined to itself: give the join a name")
    pairs = _pairs(table, target, step.columns)
    for own, other in pairs:
        mine, theirs = table.column(own), target.column(other)
        if mine.data_type != theirs.data_type:
            raise Invalid(
                f"`{mine.label}` of `{table.label}` has the type {mine.data_type}, `{theirs.label}` of "
                f"`{target.label}` {theirs.data_type}: rows cannot be equal; load one with the type of the other"
            )
    name = _free(table, step.name or target.label)
    theirs_by_key = {other: own for own, other in pairs}
    if target.keys and set(theirs_by_key) == set(target.keys):
        return TableJoin(name, target.name, tuple((theirs_by_key[key], key) for key in target.keys))
    return TableJoin(name, target.name, pairs, computed=False)


def _pairs(table: UserTable, target: UserTable, given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """The pairs of columns: own, and the target's."""
    if given is not None:
        if not given:
            raise Invalid("a join needs a pair of columns: {own: column there}")
        return tuple((table.column(own).name, target.column(other).name) for own, other in given.items())
    if not target.keys:
        raise Invalid(
            f"the table `{target.label}` has no keys: name the columns of the join, as {{column here: column there}}"
        )
    missing = [key for key in target.keys if key not in {column.name for column in table.columns}]
    if missing:
        label = target.column(missing[0]).label
        raise Invalid(
            f"`{table.label}` has no column `{label}`, the key of `{target.label}`: name the columns of the join"
        )
    return tuple((key, key) for key in target.keys)


def _entity_join(schema: Schema, table: UserTable, step: JoinTable) -> TableJoin:
    """A join to entities of the schema, by their id."""
    found = schema.types.get(step.target)
    if found is None:
        raise Invalid(f"there is no table `{step.target:.80}` to join{did_you_mean(step.target, schema.types)}")
    if schema.polymorphic(found.name) or found.root != found.name:
        raise Invalid(f"`{found.name}` has types below or above it; a join needs a type of its own")
    columns = step.columns or {}
    if list(columns.values()) != ["id"]:
        raise Invalid(f"entities are joined by their id: {{'column of {table.label}': 'id'}}")
    (own,) = columns
    column = table.column(own)
    if column.data_type != "string":
        raise Invalid(f"`{column.label}` has the type {column.data_type}, and ids are texts")
    return TableJoin(_free(table, step.name or found.name), found.name, ((column.name, "id"),))


def _free(table: UserTable, given: str) -> str:
    return word_of("join", given, table.names)


def _compute(connection: Connection, table: UserTable, join: TableJoin, target: UserTable | None) -> None:
    """Set a computed reference in all rows, for each combination of values once."""
    made = database_table(table)
    columns = [made.c[own] for own, _ in join.columns]
    reader = key_reader(target)
    found = connection.execute(select(*columns).distinct().where(*(column.is_not(None) for column in columns))).all()
    here = and_(*(column == bindparam(f"value_{place}") for place, column in enumerate(columns)))
    statement = update(made).where(here).values({join.name: bindparam("key")})
    values = [{"key": reader(list(row)), **{f"value_{i}": value for i, value in enumerate(row)}} for row in found]
    if not values:
        return
    quote = connection.dialect.identifier_preparer.quote
    index, names = f"_index_table_{table.number}_joined", ", ".join(quote(column.name) for column in columns)
    connection.exec_driver_sql(f"CREATE INDEX {index} ON {quote(made.name)} ({names})")
    for start in range(0, len(values), FOUND):
        connection.execute(statement, values[start : start + FOUND])
    connection.exec_driver_sql(f"DROP INDEX {index}")


def look_up(connection: Connection, table: UserTable, join: TableJoin, target: UserTable, position: int) -> None:
    """Set a reference by the columns of the target, which must be unique; rows that change get the position."""
    made, other = database_table(table), database_table(target).alias()
    theirs = [other.c[name] for _, name in join.columns]
    twice = select(*theirs).where(*(column.is_not(None) for column in theirs)).group_by(*theirs)
    first = connection.execute(twice.having(func.count() > 1).limit(1)).first()
    if first is not None:
        names = ", ".join(f"`{target.column(name).label}`" for _, name in join.columns)
        raise Invalid(
            f"the join `{join.name}` needs one row of `{target.label}` for each {names}, and there are several with "
            f"{', '.join(repr(value)[:60] for value in first)}"
        )
    same = and_(*(made.c[own] == column for (own, _), column in zip(join.columns, theirs)))
    found: Select[Any] = select(other.c.id).where(same)
    key = found.correlate(made).scalar_subquery()
    changed = update(made).where(made.c[join.name].is_distinct_from(key))
    connection.execute(changed.values({join.name: key, "_commit": position}))
