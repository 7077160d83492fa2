"""Staged rows, an Arrow IPC stream, become columns of the values that the database's driver takes.

A client sends each column in one type for each data type: texts as ``string``, integers ``int64``, numbers ``double``,
``bool``, ``date32``, and moments as ``timestamp[us, UTC]``. Another type is refused. The bytes are foreign: pyarrow
reads them and checks every offset before a value is looked at; compressed data, dictionaries and more rows than a
client sends in a part are refused, because few bytes of them may fill the memory.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

from attrs import frozen

from callsheet.errors import Invalid, TooLarge
from callsheet.server.store.columns import day, moment

__all__ = ["NOTHING", "TYPES", "RowBatch", "batches", "can_read", "stored_values"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = date(1970, 1, 1).toordinal()
TYPES = {
    "string": "string",
    "integer": "int64",
    "number": "double",
    "boolean": "bool",
    "date": "date32[day]",
    "datetime": "timestamp[us, tz=UTC]",
}
NOTHING = "null"
"""The type of a column without values."""
ROWS = 200_000
"""The most rows of a part."""
EXACT_DIGITS = 15
"""Decimal digits that a double holds exactly."""
Values: TypeAlias = list[Any]


@frozen
class RowBatch:
    """The columns of a batch by name: each with the name of its Arrow type, and a function that gives its values."""

    length: int
    columns: dict[str, tuple[str, Callable[[], Values]]]


def can_read() -> bool:
    """Whether the package that reads Arrow data is installed."""
    return find_spec("pyarrow") is not None


def batches(data: bytes) -> Iterator[RowBatch]:
    """The batches of a stream; raises `Invalid` for what is none, and `TooLarge` for too many rows."""
    arrow: Any = import_module("pyarrow")
    ipc: Any = import_module("pyarrow.ipc")
    rows = 0
    try:
        _check_messages(ipc, arrow.py_buffer(data))
        with ipc.open_stream(arrow.py_buffer(data)) as reader:
            names = reader.schema.names
            if len(set(names)) < len(names):
                raise Invalid(f"the rows have two columns `{max(names, key=names.count):.80}`")
            _check_types(reader.schema)
            for batch in reader:
                rows += batch.num_rows
                if rows > ROWS:
                    raise TooLarge(f"a part has at most {ROWS:,} rows; send more parts")
                batch.validate(full=True)
                yield _batch(batch)
    except (arrow.ArrowException, OSError, ValueError, OverflowError, KeyError, struct.error, IndexError) as error:
        raise Invalid(f"the rows cannot be read as an Arrow stream: {str(error).strip()[:200]}") from None


def _check_types(schema: Any) -> None:
    """Raise `Invalid` for a type that no column takes, before anything of the kind is read."""
    for field in schema:
        if str(field.type) not in (*TYPES.values(), NOTHING):
            raise Invalid(f"the column `{field.name:.80}` is sent as {field.type!s:.80}, and no column takes that")


def _check_messages(ipc: Any, data: Any) -> None:
    """Raise `Invalid` if a batch of the stream is compressed."""
    for message in ipc.MessageReader.open_stream(data):
        if message.type == "record batch" and _is_compressed(message.metadata.to_pybytes()):
            raise Invalid("the rows are compressed; send them as they are")


def _is_compressed(metadata: bytes) -> bool:
    """Whether the header of a batch names a compression: the fourth field of the third field of its message.

    The header is a FlatBuffer (https://flatbuffers.dev/internals/): a table begins with the distance to its list of
    places, which has the size of itself and of the table, and then the place of each field, 0 where there is none.
    """

    def place(table: int, field: int) -> int:
        places = table - int(struct.unpack_from("<i", metadata, table)[0])
        size = int(struct.unpack_from("<H", metadata, places)[0])
        if 4 + 2 * field >= size:
            return 0
        offset = int(struct.unpack_from("<H", metadata, places + 4 + 2 * field)[0])
        return table + offset if offset else 0

    def follow(at: int) -> int:
        return at + int(struct.unpack_from("<I", metadata, at)[0])

    header = place(follow(0), 2)
    return header != 0 and place(follow(header), 3) != 0


def _batch(batch: Any) -> RowBatch:
    columns: dict[str, tuple[str, Callable[[], Values]]] = {}
    for field, column in zip(batch.schema, batch.columns):
        kind = str(field.type)
        columns[field.name] = (kind, lambda column=column, kind=kind: _values(column, kind))  # type: ignore[misc]
    return RowBatch(batch.num_rows, columns)


def _values(column: Any, kind: str) -> Values:
    try:
        if kind == TYPES["date"]:
            return _converted(column.view("int32").to_pylist(), lambda days: date.fromordinal(FIRST_DAY + days))
        if kind == TYPES["datetime"]:
            return _converted(column.view("int64").to_pylist(), lambda number: EPOCH + timedelta(microseconds=number))
        found: Values = column.to_pylist()
        return found
    except UnicodeDecodeError as error:
        raise Invalid(f"a text is not UTF-8: {error}") from None
    except (OverflowError, ValueError) as error:
        raise Invalid(f"a date is out of range: {error}") from None


def _converted(numbers: list[int | None], read: Callable[[int], Any]) -> Values:
    """What the numbers stand for; each distinct one is read once."""
    known: dict[int | None, Any] = {None: None}
    for number in numbers:
        if number not in known and number is not None:
            known[number] = read(number)
    return [known[number] for number in numbers]


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
