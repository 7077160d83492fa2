"""The tables of an external database, as its catalogue describes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, inspect, text

from callsheet.server.external.forms import DATA_TYPES, form_of

__all__ = ["FoundColumn", "FoundTable", "ForeignKey", "found_table", "table_names"]

_SYSTEM = {"information_schema", "pg_catalog", "mysql", "performance_schema", "sys", "pg_toast", "temp", "system"}


@frozen
class FoundColumn:
    """A column; ``form`` None if its values have no form here."""

    name: str
    stated: str
    form: str | None
    nullable: bool

    @property
    def data_type(self) -> str | None:
        return None if self.form is None else DATA_TYPES[self.form]


@frozen
class ForeignKey:
    """The columns that refer to the columns of another table."""

    columns: tuple[str, ...]
    schema: str | None
    table: str
    others: tuple[str, ...]


@frozen
class FoundTable:
    """A table or a view; ``unique`` are the columns of its primary key and of other unique keys that are never NULL."""

    schema: str | None
    name: str
    columns: tuple[FoundColumn, ...]
    key: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]
    foreign_keys: tuple[ForeignKey, ...]

    @property
    def column_names(self) -> list[str]:
        return [each.name for each in self.columns]


def table_names(connection: Connection) -> list[tuple[str | None, str]]:
    """The schema (None: the default one) and the name of every table and view."""
    if connection.dialect.name == "duckdb":
        rows = connection.execute(
            text(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_catalog()"
            )
        )
        return sorted((None if schema == "main" else schema, name) for schema, name in rows)
    catalogue = inspect(connection)
    found: list[tuple[str | None, str]] = []
    default = catalogue.default_schema_name
    schemas = [default] if connection.dialect.name in ("mariadb", "sqlite") else catalogue.get_schema_names()
    for schema in schemas:
        if schema in _SYSTEM:
            continue
        shown = None if schema == default else schema
        names = {*catalogue.get_table_names(schema=shown), *catalogue.get_view_names(schema=shown)}
        found += [(shown, name) for name in sorted(names) if not name.startswith("sqlite_")]
    return found


def found_table(connection: Connection, schema: str | None, name: str) -> FoundTable:
    """What the catalogue says of a table that it has."""
    if connection.dialect.name == "duckdb":
        return _duckdb_table(connection, schema, name)
    catalogue = inspect(connection)
    engine = connection.dialect.name
    columns = tuple(
        FoundColumn(each["name"], str(_shown(each["type"])), form_of(engine, each["type"]), bool(each["nullable"]))
        for each in catalogue.get_columns(name, schema=schema)
    )
    key = tuple(catalogue.get_pk_constraint(name, schema=schema)["constrained_columns"] or ())
    always = {each.name for each in columns if not each.nullable}
    unique = [tuple(map(str, each["column_names"])) for each in _unique(catalogue, schema, name)]
    foreign = tuple(
        ForeignKey(
            tuple(each["constrained_columns"]),
            each["referred_schema"],
            each["referred_table"],
            tuple(each["referred_columns"]),
        )
        for each in catalogue.get_foreign_keys(name, schema=schema)
    )
    certain = tuple(each for each in unique if always.issuperset(each))
    return FoundTable(schema, name, columns, key, ((key,) if key else ()) + certain, foreign)


def _unique(catalogue: Any, schema: str | None, name: str) -> list[Any]:
    try:
        return list(catalogue.get_unique_constraints(name, schema=schema))
    except NotImplementedError:
        return []


def _shown(kind: Any) -> str:
    try:
        return str(kind)
    except Exception:
        return type(kind).__name__


def _duckdb_table(connection: Connection, schema: str | None, name: str) -> FoundTable:
    place = {"schema": schema or "main", "name": name}
    rows = connection.execute(
        text(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_catalog = current_catalog() AND table_schema = :schema AND table_name = :name "
            "ORDER BY ordinal_position"
        ),
        place,
    ).all()
    columns = tuple(FoundColumn(each[0], each[1], form_of("duckdb", each[1]), each[2] == "YES") for each in rows)
    constraints = list(_duckdb_constraints(connection, place))
    unique = tuple(tuple(each[1]) for each in constraints if each[0] == "PRIMARY KEY")
    foreign = tuple(
        ForeignKey(tuple(each[1]), schema, each[2], tuple(each[3])) for each in constraints if each[0] == "FOREIGN KEY"
    )
    return FoundTable(schema, name, columns, unique[0] if unique else (), unique, foreign)


def _duckdb_constraints(connection: Connection, place: dict[str, str]) -> Iterator[Any]:
    yield from connection.execute(
        text(
            "SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names "
            "FROM duckdb_constraints() WHERE database_name = current_catalog() "
            "AND schema_name = :schema AND table_name = :name"
        ),
        place,
    )
