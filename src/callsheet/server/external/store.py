"""A store over an external database: what ``reading/`` compiles questions for, as it does for the server's own.

Its tables are views: subqueries that give each row its key as a text, its type, and its columns in the types of the
schema. Beside them a view has the columns of keys and references as the other database has them (``__key__0``,
``customer__0``), so that its indexes are used where rows are joined (``store/native_keys.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, TypeVar

from attrs import evolve
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    FromClause,
    MetaData,
    Table,
    Text,
    literal,
    literal_column,
    select,
    type_coerce,
)

from callsheet.errors import Invalid
from callsheet.model.schema import Schema
from callsheet.server.external.columns import value_of
from callsheet.server.external.database import ExternalDatabase
from callsheet.server.external.definition import DescribedTable, document_of
from callsheet.server.external.describing import checked_filter
from callsheet.server.external.keys import key_text
from callsheet.server.reading.sql import Scope
from callsheet.server.store.columns import INTEGER, TEXT
from callsheet.server.store.layout import Layout
from callsheet.server.store.native_keys import TEXT_KEY, WHOLE_KEY, native_key, native_reference
from callsheet.server.store.store import Store

__all__ = ["ExternalStore"]

T = TypeVar("T")


class ExternalStore(Store):
    """The described tables of one external database, to be read only."""

    def __init__(self, database: ExternalDatabase, tables: Sequence[DescribedTable]) -> None:
        self.url, self.database = database.address.stated, database  # type: ignore[assignment]
        self.reading = database.reading
        self.described_tables = {each.entity_type: each for each in tables}
        self.schema = Schema(document_of(tables))
        self.layout = Layout(MetaData(), {}, {})

    def __repr__(self) -> str:
        return f"<ExternalStore {self.database!r}, {len(self.described_tables)} tables>"

    @cached_property
    def tables(self) -> dict[str, FromClause]:  # type: ignore[override]
        """A view for each entity type."""
        engine = self.database.engine_name
        return {name: self._filtered(each, _view(engine, each)) for name, each in self.described_tables.items()}

    def _filtered(self, described: DescribedTable, view: FromClause) -> FromClause:
        """The rows of a view that fulfil its condition, which may be about rows that they refer to."""
        if not described.where:
            return view
        database: Any = self.database
        whole = ExternalStore(database, [evolve(each, where="") for each in self.described_tables.values()])
        scope = Scope(whole, described.entity_type)
        condition = scope.condition(checked_filter(described, whole.schema))
        return select(*scope.place.table.c).select_from(scope.source).where(condition).subquery()

    def write(self, function: Callable[[Connection], T]) -> T:
        """Raises `Invalid`: nothing is written there."""
        raise Invalid("an external table can only be read; change its rows in the database that has them")

    def limited(self, connection: Connection) -> AbstractContextManager[None]:
        """The database limits each statement."""
        return nullcontext()


_SINGLE: dict[str, tuple[str, Any]] = {"whole": (WHOLE_KEY, BigInteger()), "text": (TEXT_KEY, Text())}


def _view(engine: str, described: DescribedTable) -> FromClause:
    """The rows of a table as those of an entity type."""
    references = {name for each in described.references for name in each.columns}
    names = dict.fromkeys([*described.key, *references, *(each.column for each in described.columns)])
    table = Table(described.table, MetaData(), *(Column(name) for name in names), schema=described.schema)
    forms = {each.column: each.form for each in described.columns}
    key = [(table.c[name], forms[name]) for name in described.key]
    columns: list[Any] = [
        key_text(engine, key).label("id"),
        literal(described.entity_type, TEXT).label("_type"),
        literal_column("1", INTEGER).label("_version"),
        literal_column("0", INTEGER).label("_commit"),
        *(column.label(native_key(place)) for place, (column, _) in enumerate(key)),
    ]
    # SQLite keeps texts in columns of integers.
    single = None if len(key) > 1 or engine == "sqlite" else _SINGLE.get(forms[described.key[0]])
    if single is not None:
        columns.append(type_coerce(key[0][0], single[1]).label(single[0]))
    for each in described.columns:
        if each.attribute != "id":
            columns.append(value_of(engine, table.c[each.column], each.form).label(each.attribute))
    for reference in described.references:
        parts = [(table.c[name], forms[name]) for name in reference.columns]
        columns.append(key_text(engine, parts).label(reference.attribute))
        columns += [
            column.label(native_reference(reference.attribute, place)) for place, (column, _) in enumerate(parts)
        ]
    return select(*columns).subquery()
