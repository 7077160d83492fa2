"""`callsheet.rows`: the rows of a file, or of a query over a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from callsheet.config import shown
from callsheet.errors import UsageError
from callsheet.sync.rows.database import DatabaseRows
from callsheet.sync.rows.files import FileRows, file_rows

__all__ = ["rows"]


@overload
def rows(
    source: str | Path,
    format: str = "",
    *,
    encoding: str = "",
    separator: str = "",
    sheet: str = "",
    columns: Sequence[str] = (),
) -> FileRows: ...
@overload
def rows(source: str, *, query: str, parameters: Mapping[str, Any] | None = None) -> DatabaseRows: ...
def rows(
    source: str | Path,
    format: str = "",
    *,
    encoding: str = "",
    separator: str = "",
    sheet: str = "",
    columns: Sequence[str] = (),
    query: str = "",
    parameters: Mapping[str, Any] | None = None,
) -> FileRows | DatabaseRows:
    """The rows of a file, or of an SQL query over a database, for `Session.plan`.

    Of a file, ``format`` is csv, jsonl, excel or parquet; by default the file's ending says it. Of text, the encoding
    and the separator are found, if they are not given; ``sheet`` names a sheet of Excel (default: the first),
    ``columns`` the columns of a file that has no header.

    With ``query``, ``source`` is an address that SQLAlchemy takes; ``parameters`` are the values of ``:name`` in it.
    Rows come as the database gives them, and the password of an address is never printed.

    Raises `UsageError` for an ending that says nothing; reading raises `StorageError`, or `UsageError` with the line.

    >>> rows("shots.csv").format
    'csv'
    >>> rows("postgresql://me:secret@db/show", query="select name from shots").address.partition(":")[0]
    'postgresql'
    """
    if not query:
        if "://" in str(source):
            raise UsageError(f'{shown(str(source))} is an address: give the query, as in query="select …"')
        return file_rows(Path(source), format, encoding, separator, sheet, columns)
    if not isinstance(source, str) or "://" not in source:
        told = f"{source!r:.80}" if "@" not in str(source) else "this"
        raise UsageError(f"a query goes to a database, like sqlite:///FILE or postgresql://HOST/NAME, not to {told}")
    if not isinstance(query, str) or not isinstance(parameters, Mapping | None):
        raise UsageError("a query is a text, and its parameters are a dict")
    if format or encoding or separator or sheet or columns:
        raise UsageError("rows of a query have no format, encoding, separator, sheet or columns")
    return DatabaseRows(source, query, dict(parameters or {}))
