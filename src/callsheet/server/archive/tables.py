"""The rows of a table as lines of JSON, the same whichever engine they come from, and back.

Theory. Both engines give the same Python values (``store/columns.py``) in the same order, that of the key's bytes. So
the lines are the same too, once the members of JSON objects are sorted, and their digest is that of the contents: it
is computed when rows are written to an archive, and again of the rows that were loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from attrs import define, field
from sqlalchemy import Connection, LargeBinary, Table, select

from callsheet.errors import StorageError
from callsheet.server.archive.contents import APART
from callsheet.server.store.columns import INTEGER, NUMBER, TEXT, Day, Json, Moment, Truth

__all__ = ["TableDigest", "lines_of", "rows_of"]

RUN = 5_000
"""Rows of one run."""

_encode = msgspec.json.Encoder(order="sorted").encode


@define
class TableDigest:
    """The digest of a table's rows, line by line."""

    rows: int = 0
    _sha256: Any = field(factory=hashlib.sha256)

    def add(self, lines: Sequence[bytes]) -> None:
        """Digest further rows."""
        self.rows += len(lines)
        # JSONB has no negative zero.
        self._sha256.update(b"".join(lines).replace(b"-0.0", b"0.0"))

    @property
    def hexadecimal(self) -> str:
        """The digest of what was added."""
        return str(self._sha256.hexdigest())


def lines_of(connection: Connection, table: Table, columns: Sequence[str]) -> Generator[list[bytes], None, None]:
    """All rows of a table that belong to a copy, in the order of its key, as lines: a run at a time."""
    chosen = select(*(table.c[name] for name in columns)).order_by(*table.primary_key.columns)
    if table.name == "_meta":
        chosen = chosen.where(table.c.name.not_in(APART))
    if table.name == "_counter":
        # Counters that count nothing yet are rows to lock, which PostgreSQL needs and a server makes.
        chosen = chosen.where(table.c.value != 0)
    with connection.execution_options(stream_results=True, yield_per=RUN).execute(chosen) as found:
        for part in found.partitions():
            yield [_encode(tuple(row)) + b"\n" for row in part]


def rows_of(table: Table, columns: Sequence[str], run: bytes) -> list[dict[str, Any]]:
    """The rows of a run, as values that the table's columns take; `StorageError` for what is none."""
    kinds: Any = tuple[tuple(_kind(table, name) for name in columns)]  # type: ignore[misc]
    decode = msgspec.json.Decoder(kinds).decode
    try:
        return [dict(zip(columns, decode(line))) for line in run.splitlines()]
    except msgspec.DecodeError as error:
        raise StorageError(f"the archive's rows of {table.name} cannot be read: {error}") from None


_KINDS: dict[type, Any] = {Truth: bool, Day: date, Moment: datetime, LargeBinary: bytes, Json: Any}


def _kind(table: Table, name: str) -> Any:
    column_type = table.c[name].type
    for kind, found in ((TEXT, str), (INTEGER, int), (NUMBER, float)):
        if isinstance(column_type, type(kind)):
            return found | None
    return _KINDS[type(column_type)] | None if type(column_type) is not Json else Any
