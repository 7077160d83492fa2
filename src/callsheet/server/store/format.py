"""The format of a database: which releases can open it, and whether it is one of ours at all.

A database says the number of its format, and the first release that reads it. Those of 0.1 and 0.2 say nothing: their
format is 1. A newer database is refused before anything in it is changed, and an older file is copied before it is
upgraded.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Table, delete, insert, text

from callsheet.errors import StorageError

__all__ = ["FORMAT_ROW", "backup_path", "check_format", "check_own", "format_of", "is_older", "mark"]

FORMAT, RELEASE = 2, "0.3.0"
"""The format that this release writes, and the first release that writes it."""
FORMAT_ROW = "format"
"""The row of ``_meta`` with both."""


def check_own(path: Path) -> bool:
    """Whether a SQLite file is a database of an earlier format; raises `StorageError` for somebody else's tables.

    It is read before our engine opens it, which would write into its header. What cannot be read so is judged later.
    """
    if not path.is_file() or not path.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(f"file:{quote(path.absolute().as_posix())}?mode=ro", uri=True)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            ours = "_meta" in tables
            wanted = "SELECT value FROM _meta WHERE name = ?"
            said = connection.execute(wanted, (FORMAT_ROW,)).fetchone() if ours else None
    except sqlite3.Error:
        return False
    if tables and not ours:
        raise StorageError(
            f"`{path}` is no database of Callsheet: it has the table `{tables[0]:.80}` and no `_meta`; name another "
            "file, or a new one"
        )
    return ours and _read(said and said[0])[0] < FORMAT


def format_of(connection: Connection) -> tuple[int, str]:
    """The format of an existing database, and the first release that reads it."""
    statement = text("SELECT value FROM _meta WHERE name = :name")
    return _read(connection.execute(statement, {"name": FORMAT_ROW}).scalar())


def check_format(connection: Connection, url: str) -> None:
    """Raise `StorageError` for a database of a later release, which names that release."""
    number, release = format_of(connection)
    if number > FORMAT:
        raise StorageError(
            f"`{url}` was written by a later release, in format {number}; this one reads formats up to {FORMAT}: use "
            f"Callsheet {release:.40} or later, or restore a backup from before it"
        )


def is_older(connection: Connection) -> bool:
    """Whether an existing database has an earlier format than this release writes."""
    return format_of(connection)[0] < FORMAT


def mark(connection: Connection, meta: Table) -> None:
    """Write into a database which format it has now."""
    connection.execute(delete(meta).where(meta.c.name == FORMAT_ROW))
    connection.execute(insert(meta), {"name": FORMAT_ROW, "value": f"{FORMAT} {RELEASE}"})


def backup_path(path: Path) -> Path:
    """Where an older file is copied to before it is upgraded.

    >>> backup_path(Path("show.db")).name
    'show.before-0.3.0.db'
    """
    return path.with_name(f"{path.stem}.before-{RELEASE}{path.suffix}")


def _read(said: object) -> tuple[int, str]:
    """The format that a row says; the first one if there is none.

    >>> _read("2 0.3.0"), _read(None)
    ((2, '0.3.0'), (1, '0.1.0'))
    """
    number, _, release = str(said).partition(" ")
    return (int(number), release) if number.isascii() and number.isdigit() else (1, "0.1.0")
