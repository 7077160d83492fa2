"""The journal: change sets are written to disk before they are sent, so that a crash loses and repeats nothing.

A journal is a small SQLite file. A commit is written to it, and flushed to disk, before its first request; when the
server's reply is received, the entry is deleted. An entry found later was being sent when the client crashed: sending
it again with the same commit id either applies it, or returns the first result. An entry that the server refuses stays,
with the reason, until a person has decided about it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from attrs import frozen

from callsheet.errors import StorageError
from callsheet.model.converter import changes_from_plain, changes_to_plain
from callsheet.model.operation import ChangeSet
from callsheet.model.plain import decode, encode
from callsheet.model.workspace import split_address
from callsheet.private import make_file

__all__ = ["JournalEntry", "Journal"]

_TABLE = """
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY, commit_id TEXT NOT NULL UNIQUE, server TEXT NOT NULL, user TEXT NOT NULL,
    time TEXT NOT NULL, changes BLOB NOT NULL, refusal TEXT
)
"""


_OUTCOMES = """
CREATE TABLE IF NOT EXISTS outcome (
    commit_id TEXT NOT NULL, place INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (commit_id, place)
)
"""


@frozen
class JournalEntry:
    """A change set with an unknown outcome; or, with a ``refusal``, one that the server has refused."""

    changes: ChangeSet
    server: str
    user: str
    time: datetime
    refusal: str | None = None


class Journal:
    """The journal at a path, opened on first use. ``server`` and ``user`` are recorded with each entry.

    Raises `StorageError` if the file cannot be read or written; nothing has been sent then.
    """

    def __init__(self, path: str | Path, server: str = "", user: str = "") -> None:
        self.path = Path(path)
        self._server, self._user = server, user
        self._connection: sqlite3.Connection | None = None
        self._lock = Lock()
        self._written: set[str] = set()

    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    def write(self, changes: ChangeSet) -> None:
        """Write a change set; it is on disk when this returns. Writing it again changes nothing."""
        written = encode(changes_to_plain(changes))
        row = (changes.commit_id, self._server, self._user, datetime.now(UTC).isoformat(), written)
        # Recorded first: a fork in another thread may call `left_behind` at any time.
        self._written.add(changes.commit_id)
        with self._writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO entry (commit_id, server, user, time, changes) VALUES (?, ?, ?, ?, ?)", row
            )

    def finish(self, commit_id: str) -> None:
        """The outcome is known: delete the entry."""
        with self._writing() as connection:
            connection.execute("DELETE FROM entry WHERE commit_id = ?", (commit_id,))
            connection.execute("DELETE FROM outcome WHERE commit_id = ?", (commit_id,))

    def refuse(self, commit_id: str, reason: str) -> None:
        """The server refused it: the entry stays, with the reason, and is not sent again."""
        with self._writing() as connection:
            connection.execute("UPDATE entry SET refusal = ? WHERE commit_id = ?", (reason, commit_id))

    def note(self, commit_id: str, states: Mapping[int, tuple[str, str]]) -> None:
        """Write the outcomes of single operations by index: state and reason; on disk when this returns."""
        rows = [(commit_id, place, state, reason) for place, (state, reason) in states.items()]
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?)", rows)

    def noted(self, commit_id: str) -> dict[int, tuple[str, str]]:
        """The known outcomes of a commit's operations, on a server without transactions."""
        with self._open() as connection:
            rows = connection.execute("SELECT place, state, reason FROM outcome WHERE commit_id = ?", (commit_id,))
            return {place: (state, reason) for place, state, reason in rows}

    def entries(self) -> list[JournalEntry]:
        """All entries, oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT commit_id, server, user, time, changes, refusal FROM entry ORDER BY number"
            ).fetchall()
        return [_entry(*row) for row in rows]

    def unfinished(self) -> list[JournalEntry]:
        """The entries to send again, oldest first; those of other workspaces are for sessions of these."""
        return [entry for entry in self.entries() if entry.refusal is None and self._is_own(entry)]

    def _is_own(self, entry: JournalEntry) -> bool:
        """Whether an entry is of this journal's workspace. A server may have moved; a workspace keeps its name."""
        return not self._server or split_address(entry.server)[1] == split_address(self._server)[1]

    def left_behind(self) -> list[JournalEntry]:
        """The entries to send again that another session wrote, which ended before it knew their outcome."""
        return [entry for entry in self.unfinished() if entry.changes.commit_id not in self._written]

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as connection, connection:
            yield connection

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._connect()
                yield self._connection
            except sqlite3.Error as error:
                raise StorageError(
                    f"the journal {self.path} cannot be used: {error}; pending changes stay pending. "
                    "Free some space or choose another path, then commit again"
                ) from error

    def _connect(self) -> sqlite3.Connection:
        with suppress(OSError):  # SQLite reports what is wrong with the file.
            make_file(self.path)
        # Steps of a flow may run in worker threads; the lock admits one at a time.
        connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_TABLE)
            connection.execute(_OUTCOMES)
            connection.commit()
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _entry(commit_id: str, server: str, user: str, time: str, changes: bytes, refusal: str | None) -> JournalEntry:
    written = changes_from_plain(commit_id, decode(changes, dict))
    return JournalEntry(written, server, user, datetime.fromisoformat(time), refusal)
