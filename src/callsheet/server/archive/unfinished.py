"""An archive on its way: what is complete stays when a dump is cut off, and the same dump goes on behind it.

Theory. Beside the unfinished archive lies a note: what is complete, where that ends, and the archive's directory up to
there. The note is replaced after each table and each large part of the files, when all it speaks of is on disk. What
was written behind that place, when the dump was cut off, is dropped. Tables that only commits change are kept if the
database is where it was (its `moment`): then a copy of one moment is a copy of the other. If it is not, all begins
again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec

from callsheet.errors import StorageError
from callsheet.private import opener
from callsheet.server.archive.contents import FileEntry, TableEntry

__all__ = ["UnfinishedArchive", "unfinished"]


class _Note(msgspec.Struct, frozen=True):
    """What is complete: ``directory`` is that of the archive, which lies behind its first ``end`` bytes."""

    moment: str
    tables: tuple[TableEntry, ...]
    files: tuple[FileEntry, ...]
    end: int
    directory: bytes


class UnfinishedArchive:
    """An archive that is being written; ``tables`` and ``files`` are what is complete of an earlier attempt."""

    def __init__(self, file: IO[bytes], path: Path, moment: str, note: _Note | None) -> None:
        self._file, self._path, self._moment = file, path, moment
        self.tables = {} if note is None else {each.name: each for each in note.tables}
        self.files = {} if note is None else {each.path: each for each in note.files}
        self.archive = self._opened("w" if note is None else "a")

    def _opened(self, mode: str) -> ZipFile:
        return ZipFile(self._file, "a" if mode == "a" else "w", ZIP_DEFLATED, compresslevel=1)

    def keep(self, *entries: TableEntry | FileEntry) -> None:
        """From now on these are complete, whatever happens."""
        self.tables |= {each.name: each for each in entries if isinstance(each, TableEntry)}
        self.files |= {each.path: each for each in entries if isinstance(each, FileEntry)}
        self.archive.close()
        end = self.archive.start_dir
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(end)
        directory = self._file.read()
        note = _Note(self._moment, tuple(self.tables.values()), tuple(self.files.values()), end, directory)
        _write(_note_of(self._path), msgspec.json.encode(note))
        self.archive = self._opened("a")


@contextmanager
def unfinished(path: Path, moment: str) -> Iterator[UnfinishedArchive]:
    """A new archive, which bears its name only when all of it is on disk, or one that goes on.

    ``moment`` says where the database is. If the block raises, what was kept stays for the same dump later; if nothing
    was, nothing stays.
    """
    part = path.with_name(f"{path.name}.unfinished")
    try:
        note = _recovered(part, moment)
        with open(part, "x+b" if note is None else "r+b", opener=opener) as file:
            work = UnfinishedArchive(file, part, moment, note)
            try:
                yield work
            finally:
                work.archive.close()
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _note_of(part).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if not _note_of(part).exists():
            part.unlink(missing_ok=True)


def _recovered(part: Path, moment: str) -> _Note | None:
    """What an earlier attempt completed, with the archive as it was then; None, and nothing there, if it is no use."""
    try:
        note = msgspec.json.decode(_note_of(part).read_bytes(), type=_Note)
        if note.moment == moment and part.stat().st_size >= note.end:
            with open(part, "r+b") as file:
                file.truncate(note.end)
                file.seek(note.end)
                file.write(note.directory)
            with ZipFile(part):
                return note
    except (OSError, BadZipFile, msgspec.DecodeError):
        # Whatever is wrong with it, the dump starts again.
        pass
    _note_of(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)
    return None


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(new, "xb", opener=opener) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
