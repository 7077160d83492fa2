"""What is asked for as a new table becomes its definition, or an error that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from callsheet.errors import Invalid, SchemaError
from callsheet.model.normalisation import normalised
from callsheet.model.schema import Attribute, Schema, did_you_mean
from callsheet.model.table_steps import ColumnSpec, CreateTable
from callsheet.model.user_table import COLUMNS, KINDS, TableColumn, UserTable, word_of

__all__ = ["DECIMALS", "defined"]

DECIMALS = 9
"""The most digits after the point that numbers may have a fixed number of."""


def defined(step: CreateTable, schema: Schema, tables: Mapping[str, UserTable], owner: str) -> UserTable:
    """The definition of a new table; raises `Invalid` where its names or types are wrong or taken."""
    try:
        return _defined(step, schema, tables, owner)
    except SchemaError as error:
        raise Invalid(str(error)) from None


def _defined(step: CreateTable, schema: Schema, tables: Mapping[str, UserTable], owner: str) -> UserTable:
    name = word_of("table", step.table)
    for other in tables.values():
        if step.table.casefold() == other.label.casefold():
            raise Invalid(f"there is a table `{other.label}` already; drop it first, or choose another name")
    for other_name, found in schema.types.items():
        if found.table is None and other_name.casefold() in (name.casefold(), step.table.casefold()):
            raise Invalid(f"`{other_name}` is an entity type of the schema; choose another name for the table")
    name = word_of("table", step.table, schema.types)
    if not 0 < len(step.columns) <= COLUMNS:
        raise Invalid(f"a table has 1 to {COLUMNS:,} columns, not {len(step.columns):,}")
    columns = tuple(_columns(step.columns))
    return UserTable(name, columns, tuple(_keys(step.keys, columns)), step.table, owner=owner)


def _columns(specs: Iterable[ColumnSpec]) -> Iterable[TableColumn]:
    words: list[str] = []
    labels: set[str] = set()
    for spec in specs:
        word = word_of("column", spec.name, words)
        if spec.name in labels:
            raise Invalid(f"there are two columns `{spec.name:.80}`; each has a name of its own")
        if spec.type not in KINDS:
            raise Invalid(
                f"the column `{spec.name:.80}` has a type of {', '.join(KINDS)}, not `{spec.type:.40}`"
                f"{did_you_mean(spec.type, KINDS)}"
            )
        words.append(word)
        labels.add(spec.name)
        yield TableColumn(word, spec.type, spec.name, _default(spec, word), _decimals(spec))


def _default(spec: ColumnSpec, word: str) -> Any:
    found = normalised("the default of column", Attribute(word, data_type=spec.type), spec.default)
    return found if found is None or spec.type not in ("date", "datetime") else found.isoformat()


def _decimals(spec: ColumnSpec) -> int | None:
    if spec.decimals is None:
        return None
    if spec.type != "number" or not 0 <= spec.decimals <= DECIMALS:
        raise Invalid(f"the column `{spec.name:.80}`: a number has 0 to {DECIMALS} decimals, not {spec.decimals}")
    return spec.decimals


def _keys(given: Iterable[str], columns: tuple[TableColumn, ...]) -> Iterable[str]:
    labels = {column.label: column for column in columns}
    found: list[str] = []
    for key in given:
        column = labels.get(key)
        if column is None:
            raise Invalid(f"the key `{key:.80}` is no column of the table{did_you_mean(key, labels)}")
        if column.data_type == "number":
            raise Invalid(f"the column `{key:.80}` has numbers with fractions, which make no key; use integer or text")
        if column.name in found:
            raise Invalid(f"the key `{key:.80}` is named twice")
        found.append(column.name)
        yield column.name
