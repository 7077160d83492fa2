"""Items of mappings in SQL: one expression, compiled for each database.

An item of the wrong type (its configuration changed since it was written) counts as missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from callsheet.model.schema import Attribute
from callsheet.server.store.columns import INTEGER, NUMBER, TEXT, Truth, day, moment

__all__ = ["item_literal", "item_python", "item_value"]


class _Item(FunctionElement[Any]):
    """An item of a JSON column; its arguments are the column, the key, and the key as a JSON path of SQLite."""

    inherit_cache = True
    sqlite_types = ""
    postgres_type = ""
    postgres_cast = ' COLLATE "C"'
    duckdb_types, duckdb_cast = "", ""
    odd = False


class _Text(_Item):
    inherit_cache = True
    type = TEXT
    sqlite_types, postgres_type = "'text'", "string"
    duckdb_types = "'VARCHAR'"


class _Number(_Item):
    inherit_cache = True
    type = NUMBER
    sqlite_types, postgres_type, postgres_cast = "'integer', 'real'", "number", "::double precision"
    duckdb_types, duckdb_cast = "'BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE'", "DOUBLE"


class _Integer(_Item):
    inherit_cache = True
    type = INTEGER
    sqlite_types, postgres_type, postgres_cast = "'integer'", "number", "::numeric::bigint"
    duckdb_types, duckdb_cast = "'BIGINT', 'UBIGINT'", "BIGINT"


class _Truth(_Item):
    inherit_cache = True
    type = Truth()
    sqlite_types, postgres_type, postgres_cast = "'true', 'false'", "boolean", "::boolean"
    duckdb_types, duckdb_cast = "'BOOLEAN'", "BOOLEAN"


class _Data(_Item):
    """JSON data as text; useful only to test whether it is NULL."""

    inherit_cache = True
    type = TEXT


_KINDS: dict[str, type[_Item]] = {
    "string": _Text,
    "enum": _Text,
    "date": _Text,
    "datetime": _Text,
    "number": _Number,
    "integer": _Integer,
    "boolean": _Truth,
    "json": _Data,
}
_ODD = {kind: type(f"{kind.__name__}Odd", (kind,), {"inherit_cache": True, "odd": True}) for kind in _KINDS.values()}
"""The same for keys that a JSON path of SQLite cannot express."""

_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')


@compiles(_Item, "sqlite")
def _on_sqlite(element: _Item, compiler: SQLCompiler, **kw: Any) -> str:
    column, key, path = (compiler.process(clause, **kw) for clause in element.clauses)
    types = element.sqlite_types
    if element.odd:
        return f"(SELECT value FROM json_each({column}) WHERE key = {key}{f' AND type IN ({types})' if types else ''})"
    value = f"json_extract({column}, {path})"
    return f"(CASE WHEN json_type({column}, {path}) IN ({types}) THEN {value} END)" if types else value


@compiles(_Item, "postgresql")
def _on_postgres(element: _Item, compiler: SQLCompiler, **kw: Any) -> str:
    column, key, _ = (compiler.process(clause, **kw) for clause in element.clauses)
    value = f"(({column} ->> {key}){element.postgres_cast})"
    if not element.postgres_type:
        return value
    return f"(CASE WHEN jsonb_typeof({column} -> {key}) = '{element.postgres_type}' THEN {value} END)"


@compiles(_Item, "duckdb")
def _on_duckdb(element: _Item, compiler: SQLCompiler, **kw: Any) -> str:
    # Only what is used: DuckDB refuses parameters that the statement does not name.
    column, key = (compiler.process(clause, **kw) for clause in list(element.clauses)[:2])
    pointer = f"('/' || replace(replace({key}, '~', '~0'), '/', '~1'))"
    value = f"json_extract_string({column}, {pointer})"
    if not element.duckdb_types:
        return value
    if element.duckdb_cast:
        value = f"CAST({value} AS {element.duckdb_cast})"
    return f"(CASE WHEN json_type({column}, {pointer}) IN ({element.duckdb_types}) THEN {value} END)"


def item_value(column: ColumnElement[Any], key: str, attribute: Attribute) -> ColumnElement[Any]:
    """The value of a mapping's item, or its configured default. Dates and datetimes are ISO text."""
    kind = _KINDS[attribute.data_type]
    if not _PLAIN.fullmatch(key):
        kind = _ODD[kind]
    value: ColumnElement[Any] = kind(column, literal(key, TEXT), literal(f'$."{key}"', TEXT))
    if attribute.default is None or attribute.data_type == "json":
        return value
    return func.coalesce(value, literal(item_literal(attribute, attribute.default), value.type), type_=value.type)


def item_literal(attribute: Attribute, value: Any) -> Any:
    """A literal to compare with items: dates and datetimes as text."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return day(value)
    if attribute.data_type == "datetime" and isinstance(value, str):
        return moment(datetime.fromisoformat(value))
    return value


def item_python(attribute: Attribute, value: Any) -> Any:
    """The Python value of a stored item."""
    if isinstance(value, str) and attribute.data_type in _FROM_TEXT:
        return _FROM_TEXT[attribute.data_type](value)
    return value


_FROM_TEXT: dict[str, Callable[[str], Any]] = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}
