"""Types of columns: by word, as Python or Arrow types, or inferred; and the Arrow type that each is sent as."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

from callsheet.errors import UsageError
from callsheet.export.tables import pyarrow
from callsheet.model.schema import did_you_mean
from callsheet.model.table_steps import ColumnSpec

__all__ = ["WORDS", "arrow_compute", "arrow_type", "column_spec", "spec_of_arrow"]


def arrow_compute() -> Any:
    """pyarrow's functions of whole columns, which it does not load by itself."""
    pyarrow()
    return import_module("pyarrow.compute")


WORDS = {
    "text": "string",
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
}
"""The words for types; `decimal(2)` is a number with two digits after the point."""
_PYTHON = {str: "string", bool: "boolean", int: "integer", float: "number", date: "date", datetime: "datetime"}
_DECIMAL = re.compile(r"decimal\((\d{1,2})\)")
EXACT_DIGITS = 15
"""Decimal digits that a double holds exactly."""


def column_spec(name: str, given: Any, default: Any = None) -> ColumnSpec:
    """A column of a type given by a word, or a Python or Arrow type.

    >>> column_spec("amount", "decimal(2)")
    ColumnSpec(name='amount', type='number', default=None, decimals=2)
    """
    if isinstance(given, str):
        word = given.strip().lower()
        if (decimal := _DECIMAL.fullmatch(word)) is not None:
            return ColumnSpec(name, "number", default, int(decimal[1]))
        if word in WORDS:
            return ColumnSpec(name, WORDS[word], default)
        near = did_you_mean(word, [*WORDS, "decimal(2)"])
        raise UsageError(f"column `{name}`: there is no type `{given:.40}`{near or f'; use {chr(44).join(WORDS)}'}")
    if isinstance(given, type):
        if given in _PYTHON:
            return ColumnSpec(name, _PYTHON[given], default)
        if given is Decimal:
            raise UsageError(f"column `{name}`: say how many digits a decimal has after the point: 'decimal(2)'")
    if type(given).__module__.partition(".")[0] == "pyarrow":
        found = spec_of_arrow(name, given)
        return ColumnSpec(name, found.type, default, found.decimals)
    raise UsageError(f"column `{name}`: a type is a word ({', '.join(WORDS)}), or a Python type, not {given!r:.60}")


def spec_of_arrow(name: str, kind: Any) -> ColumnSpec:
    """The column that an Arrow type is kept as; `UsageError` for one that has no column."""
    is_ = pyarrow().types
    if is_.is_dictionary(kind):
        return spec_of_arrow(name, kind.value_type)
    if is_.is_decimal(kind):
        return ColumnSpec(name, "number", None, kind.scale) if 0 <= kind.scale <= 9 else ColumnSpec(name, "number")
    if is_.is_boolean(kind):
        return ColumnSpec(name, "boolean")
    if is_.is_integer(kind):
        return ColumnSpec(name, "integer")
    if is_.is_floating(kind):
        return ColumnSpec(name, "number")
    if is_.is_date32(kind):
        return ColumnSpec(name, "date")
    if is_.is_timestamp(kind) or is_.is_date64(kind):
        return ColumnSpec(name, "datetime")
    if is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind) or is_.is_null(kind):
        return ColumnSpec(name, "string")
    raise UsageError(f"column `{name}` has the type {kind}, which no table keeps: convert it, or leave it out")


def arrow_type(data_type: str) -> Any:
    """The type in which a column is sent."""
    arrow = pyarrow()
    found: Mapping[str, Any] = {
        "string": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "boolean": arrow.bool_(),
        "date": arrow.date32(),
        "datetime": arrow.timestamp("us", "UTC"),
    }
    return found[data_type]
