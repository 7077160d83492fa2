"""Staged rows, an Arrow IPC stream, become columns of the values that the database's driver takes.

A client sends each column in one type for each data type: texts as ``string``, integers ``int64``, numbers ``float64``,
``bool``, ``date32``, and moments as ``timestamp[us, UTC]``. Another type is refused. nanoarrow reads the stream; the
values of a column become Python objects in few calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import BytesIO
from typing import Any, TypeAlias

from attrs import frozen

from callsheet.errors import CallsheetError, Invalid
from callsheet.server.store.columns import day, moment

__all__ = ["RowBatch", "batches", "stored_values"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = {
    "string": "STRING",
    "integer": "INT64",
    "number": "DOUBLE",
    "boolean": "BOOL",
    "date": "DATE32",
    "datetime": "TIMESTAMP",
}
EXACT_DIGITS = 15
"""Decimal digits that a double holds exactly."""
Values: TypeAlias = list[Any]


@frozen
class RowBatch:
    """The columns of a batch by name: each with the name of its Arrow type, and a function that gives its values."""

    length: int
    columns: dict[str, tuple[str, Callable[[], Values]]]


def batches(data: bytes) -> Iterator[RowBatch]:
    """The batches of a stream; raises `Invalid` for what is none."""
    nanoarrow, ipc = import_module("nanoarrow"), import_module("nanoarrow.ipc")
    try:
        with ipc.InputStream.from_readable(BytesIO(data)) as source, nanoarrow.c_array_stream(source) as stream:
            for array in stream:
                yield _batch(nanoarrow.Array(array))
    except CallsheetError:
        raise
    except Exception as error:
        # nanoarrow raises exceptions of many classes for damaged data.
        raise Invalid(f"the rows cannot be read as an Arrow stream: {str(error).strip()[:200]}") from None


def _batch(array: Any) -> RowBatch:
    if array.schema.type.name != "STRUCT":
        raise Invalid("the rows are a stream of record batches")
    columns: dict[str, tuple[str, Callable[[], Values]]] = {}
    for place, field in enumerate(array.schema.fields):
        if field.name in columns:
            raise Invalid(f"the rows have two columns `{field.name:.80}`")
        child, kind = array.child(place), field.type.name
        columns[field.name] = (kind, lambda child=child, kind=kind: _values(child, kind))  # type: ignore[misc]
    return RowBatch(len(array), columns)


def _values(column: Any, kind: str) -> Values:
    try:
        return _moments(column) if kind == "TIMESTAMP" else list(column.iter_py())
    except UnicodeDecodeError as error:
        raise Invalid(f"a text is not UTF-8: {error}") from None
    except (OverflowError, ValueError) as error:
        raise Invalid(f"a date is out of range: {error}") from None


def _moments(column: Any) -> Values:
    """Microseconds since 1970 as datetimes; each distinct one is made once."""
    if str(column.schema.unit.name) != "MICRO" or column.schema.timezone != "UTC":
        raise Invalid("moments are sent as microseconds in UTC")
    nanoarrow = import_module("nanoarrow")
    numbers = nanoarrow.Array(
        nanoarrow.c_array_from_buffers(
            nanoarrow.int64(), len(column), list(column.buffers), null_count=-1, offset=column.offset
        )
    ).iter_py()
    known: dict[int | None, datetime | None] = {None: None}
    found = []
    for number in numbers:
        if number not in known:
            known[number] = EPOCH + timedelta(microseconds=number)
        found.append(known[number])
    return found


def stored_values(kind: str, values: Values, sqlite: bool, decimals: int | None = None) -> Values:
    """The values of a column of a data type as the driver takes them; raises `Invalid` for one that no database does.

    The error's ``details`` have the index of the value.

    >>> from datetime import date
    >>> stored_values("date", [date(2026, 5, 1), None], sqlite=True)
    ['2026-05-01', None]
    """
    if kind == "string":
        if any(value is not None and "\0" in value for value in values):
            at = next(index for index, value in enumerate(values) if value is not None and "\0" in value)
            raise Invalid("a text has the character U+0000, which no database takes", details={"index": at})
        return values
    if kind == "number":
        # NaN stands for no value, as it does elsewhere.
        values = [None if value is None or value != value else value for value in values]
        if any(value is not None and math.isinf(value) for value in values):
            at = next(index for index, value in enumerate(values) if value is not None and math.isinf(value))
            raise Invalid("a number is infinite", details={"index": at})
        return values if decimals is None else _rounded(values, decimals)
    if not sqlite or kind == "integer":
        return values
    if kind == "boolean":
        return [None if value is None else int(value) for value in values]
    write: Callable[[Any], str] = day if kind == "date" else moment
    known: dict[Any, str | None] = {None: None}
    for value in values:
        if value not in known:
            known[value] = write(value)
    return [known[value] for value in values]


def _rounded(values: Values, decimals: int) -> Values:
    """Numbers with so many digits after the point; `Invalid` for one with more digits than a double holds exactly."""
    limit = 10.0 ** (EXACT_DIGITS - decimals)
    if any(value is not None and abs(value) >= limit for value in values):
        at = next(index for index, value in enumerate(values) if value is not None and abs(value) >= limit)
        raise Invalid(
            f"a number with {decimals} decimals is less than {limit:,.0f}; load larger ones as `number`",
            details={"index": at},
        )
    return [None if value is None else round(value, decimals) for value in values]
