"""The server's tables without the server: a driver's own connection, and how they are filled past all checks."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from tests.server.databases import postgres_database

from callsheet.server.schemas.seeding import well_known_key

__all__ = ["STAMP", "STATUSES", "TASK_TYPE", "WRITTEN", "Bare", "Row", "database", "insert", "rows_of"]

STAMP = "2026-05-01T12:00:00.000000+00:00"
STATUSES = [well_known_key("Status", name) for name in ("Ready to start", "In progress", "Pending review", "Done")]
TASK_TYPE = well_known_key("Type", "Animation")
_WRITTEN = "id _type _version _commit name parent parent__type project status type bid due_date sort time_spent"
WRITTEN = [*_WRITTEN.split(), "created_at", "updated_at"]
LOADED = [*WRITTEN, "description", "start_date", "end_date", "custom_attributes"]

Row = tuple[Any, ...]


class Bare:
    """A driver's own connection to the service's database."""

    def __init__(self, url: str) -> None:
        self.postgres = url.startswith("postgresql")
        self.connection: Any
        if self.postgres:
            self.connection = psycopg.connect(url.replace("+psycopg", ""), options="-c timezone=UTC")
        else:
            self.connection = sqlite3.connect(url.removeprefix("sqlite:///"))
            self.connection.executescript("PRAGMA synchronous=FULL; PRAGMA cache_size=-32768")

    def text(self, statement: str) -> str:
        """The statement with the driver's own placeholders."""
        return statement.replace("?", "%s") if self.postgres else statement

    def fetch(self, statement: str, values: list[Any]) -> int:
        """How many rows were fetched."""
        cursor = self.connection.cursor()
        cursor.execute(self.text(statement), values)
        found = len(cursor.fetchall())
        self.connection.rollback()
        return found

    def write(self, statement: str, rows: list[Row]) -> int:
        """Execute for each row, in one transaction."""
        self.connection.cursor().executemany(self.text(statement), rows)
        self.connection.commit()
        return len(rows)

    def load(self, rows: Iterator[Row]) -> None:
        """Fill the table, past the service."""
        names = ", ".join(f'"{name}"' for name in LOADED)
        cursor = self.connection.cursor()
        if self.postgres:
            with cursor.copy(f'COPY "Context" ({names}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute("ANALYZE")
        else:
            cursor.executemany(insert(LOADED), rows)
        self.connection.commit()


def insert(names: list[str]) -> str:
    told = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "Context" ({told}) VALUES ({", ".join("?" * len(names))})'


def rows_of(number: int, keys: list[str]) -> Iterator[Row]:
    """Ten projects with sequences of 20 shots of 10 tasks each, ``number`` tasks in all; their keys are appended."""
    random = Random(0)

    def row(kind: str, key: str, name: str, parent: str | None, above: str, project: str, index: int) -> Row:
        status = None if kind == "Project" else STATUSES[index % 4]
        custom = f'{{"difficulty":{index * 7919 % 1000}}}' if kind == "Task" else None
        day = f"2026-{index % 12 + 1:02d}-{index % 28 + 1:02d}"
        above_type = None if parent is None else above
        start = (key, kind, 1, 1, name, parent, above_type, project, status, TASK_TYPE if status else None)
        return (*start, 3600.0, day, float(index), 0.0, STAMP, STAMP, f"what {name} is about", day, day, custom)

    for index in range(10):
        yield row("Project", f"p{index}", f"p{index}", None, "", f"p{index}", index)
    for index in range(number):
        shot, sequence = index // 10, index // 200
        project = f"p{sequence % 10}"
        if index % 200 == 0:
            yield row("Sequence", f"q{sequence}", f"q{sequence}", project, "Project", project, sequence)
        if index % 10 == 0:
            yield row("Shot", f"s{shot}", f"s{shot}", f"q{sequence}", "Sequence", project, shot)
        keys.append(f"{random.getrandbits(128):032x}")
        yield row("Task", keys[-1], f"task {index * 7919 % number}", f"s{shot}", "Shot", project, index)


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of a new database."""
    if kind == "postgres":
        with postgres_database() as url:
            yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'server.db'}"
