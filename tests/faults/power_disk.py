"""A disk in memory whose power can be cut, and SQLite on it, in the shape of the standard library's module.

Theory. What a program writes stays in the operating system's memory until it asks for a sync. When the power
goes, any of the writes since the last sync may have reached the disk and any not, sector by sector, in any order.
So a file here is what the disk has for sure plus the writes that are still on their way; a cut keeps a random
choice of their sectors. That a file was made or removed is sure after the next sync of any file, as on file
systems with a journal.

SQLite's index of its write-ahead log lives in shared memory, which a file system in Python cannot offer; in
exclusive locking mode it lives in the process. It is rebuilt after a crash anyway. So all connections to one
disk share one connection of SQLite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any

import apsw
from attrs import define, field

from callsheet.server.store import engine

SECTOR = 512
_numbers = count()


@define
class Write:
    """Bytes on their way to a place, or (None) a new end of the file."""

    place: int
    data: bytes | None


@define
class DiskFile:
    """What is on the disk, what programs see, and the writes in between."""

    durable: bytearray = field(factory=bytearray)
    seen: bytearray = field(factory=bytearray)
    pending: list[Write] = field(factory=list)

    def write(self, write: Write) -> None:
        apply(self.seen, write)
        self.pending.append(write)

    def sync(self) -> None:
        self.durable[:] = self.seen
        self.pending.clear()

    def after_cut(self, random: Random, share: float) -> bytes:
        left = bytearray(self.durable)
        for write in self.pending:
            for piece in sectors(write):
                if random.random() < share:
                    apply(left, piece)
        return bytes(left)


def _nothing() -> None: ...


def apply(content: bytearray, write: Write) -> None:
    if write.data is None:
        del content[write.place :]
        return
    if len(content) < write.place:
        content.extend(bytes(write.place - len(content)))
    content[write.place : write.place + len(write.data)] = write.data


def sectors(write: Write) -> Iterator[Write]:
    """The write, cut where sectors meet."""
    if write.data is None:
        yield write
        return
    start = 0
    while start < len(write.data):
        end = min(len(write.data), start + SECTOR - (write.place + start) % SECTOR)
        yield Write(write.place + start, write.data[start:end])
        start = end


class Disk(apsw.VFS):
    """The files, as SQLite sees them. ``before`` is called before each operation that changes something."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = {name: DiskFile(bytearray(data), bytearray(data)) for name, data in files.items()}
        self.made: set[str] = set()
        self.removed: dict[str, DiskFile] = {}
        self.before: Callable[[], None] = _nothing
        self.operations = 0
        self.syncs = 0
        self.name = f"disk-{next(_numbers)}"
        super().__init__(self.name, "")

    def touch(self) -> None:
        self.operations += 1
        self.before()

    def synced(self) -> None:
        self.syncs += 1
        self.made.clear()
        self.removed.clear()

    def after_cut(self, random: Random) -> dict[str, bytes]:
        """The files as they may be found when the power comes back."""
        share = random.choice((0.0, 0.5, 1.0, random.random()))
        files = {name: file.after_cut(random, share) for name, file in self.files.items()}
        for name in self.made & set(files):
            if random.random() >= share:
                del files[name]
        for name, file in self.removed.items():
            if name not in files and random.random() >= share:
                files[name] = file.after_cut(random, share)
        return files

    def discard(self) -> None:
        """SQLite forgets this disk, and nothing holds on to it."""
        self.before = _nothing
        self.unregister()

    # -- what SQLite calls --

    def xOpen(self, name: Any, flags: list[int]) -> OpenFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or f"temporary-{next(_numbers)}"
        if path not in self.files:
            self.touch()
            self.files[path] = DiskFile()
            self.made.add(path)
        return OpenFile(self, self.files[path])

    def xDelete(self, name: str, syncdir: bool) -> None:
        self.touch()
        found = self.files.pop(name, None)
        if found is not None and name not in self.made:
            self.removed[name] = found

    def xAccess(self, pathname: str, flags: int) -> bool:
        return pathname in self.files

    def xFullPathname(self, name: str) -> str:
        return name


class OpenFile:
    """A file, opened by SQLite."""

    def __init__(self, disk: Disk, file: DiskFile) -> None:
        self._disk, self._file = disk, file

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._file.seen[offset : offset + amount])

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.touch()
        self._file.write(Write(offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self._disk.touch()
        self._file.write(Write(size, None))

    def xSync(self, flags: int) -> None:
        self._disk.touch()
        self._file.sync()
        self._disk.synced()

    def xFileSize(self) -> int:
        return len(self._file.seen)

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xLock(self, level: int) -> None: ...

    def xUnlock(self, level: int) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xClose(self) -> None: ...


class DiskConnection:
    """A connection as ``sqlite3`` would give it, as far as the store needs one.

    ``replaced`` are pragmas to send instead of the store's own: how a negative control is made.
    """

    def __init__(self, shared: apsw.Connection, replaced: dict[str, str]) -> None:
        self._shared, self._replaced = shared, replaced
        self.isolation_level = None

    @property
    def in_transaction(self) -> bool:
        return bool(self._shared.in_transaction)

    @property
    def total_changes(self) -> int:
        return int(self._shared.total_changes())

    def cursor(self) -> DiskCursor:
        return DiskCursor(self._shared, self._replaced)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> DiskCursor:
        return self.cursor().execute(statement, values)

    def commit(self) -> None:
        if self.in_transaction:
            self._shared.execute("COMMIT")

    def rollback(self) -> None:
        if self.in_transaction:
            self._shared.execute("ROLLBACK")

    def close(self) -> None: ...

    def create_function(self, *_: Any, **__: Any) -> None: ...

    def set_progress_handler(self, *_: Any) -> None: ...


class DiskCursor:
    """A cursor as ``sqlite3`` would give it; it reads everything at once."""

    def __init__(self, shared: apsw.Connection, replaced: dict[str, str]) -> None:
        self._shared, self._replaced = shared, replaced
        self._rows: Iterator[Any] = iter(())
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid = 0
        self.arraysize = 1

    def execute(self, statement: str, values: Sequence[Any] = ()) -> DiskCursor:
        return self._run(self._replaced.get(statement, statement), [values])

    def executemany(self, statement: str, values: Iterable[Sequence[Any]]) -> DiskCursor:
        return self._run(statement, list(values))

    def _run(self, statement: str, sets: list[Any]) -> DiskCursor:
        cursor = self._shared.cursor()
        cursor.exec_trace = self._describe
        self.description = None
        changes = self._shared.total_changes()
        rows: list[Any] = []
        for values in sets:
            rows += cursor.execute(statement, values or None).fetchall()
        if re.match(r"\s*(insert|update|delete)", statement, re.IGNORECASE):
            self.rowcount = self._shared.total_changes() - changes
        self.lastrowid = self._shared.last_insert_rowid()
        self._rows = iter(rows)
        return self

    def _describe(self, cursor: Any, statement: str, values: Any) -> bool:
        # Asked before the first step: after the last one a cursor does not know its columns any more.
        columns = cursor.get_description()
        self.description = tuple((name, None, None, None, None, None, None) for name, *_ in columns) or None
        return True

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return [row for _, row in zip(range(size or self.arraysize), self._rows)]

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def close(self) -> None: ...


def opened(disk: Disk, path: str) -> apsw.Connection:
    """SQLite on a disk."""
    connection = apsw.Connection(path, vfs=disk.name)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
    return connection


@contextmanager
def running_on(disk: Disk, path: str, replaced: dict[str, str], checkpoint: int) -> Iterator[None]:
    """Inside the block, stores open their files on this disk; ``checkpoint`` is how many pages make one due."""
    shared = opened(disk, path)
    shared.execute(f"PRAGMA wal_autocheckpoint={checkpoint}").fetchall()
    told = {"PRAGMA query_only=ON": "PRAGMA query_only=OFF", **replaced}
    real = engine.sqlite3
    connect = lambda *_, **__: DiskConnection(shared, told)  # noqa: E731
    engine.sqlite3 = SimpleNamespace(connect=connect, Connection=real.Connection)  # type: ignore[assignment]
    try:
        yield
    finally:
        engine.sqlite3 = real
        shared.close()
