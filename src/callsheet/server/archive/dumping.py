"""A database becomes an archive: all of it as of one moment, streamed, and there only when it is whole."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
from sqlalchemy import Connection

from callsheet.errors import StorageError
from callsheet.private import opener
from callsheet.server.archive.contents import FORMAT, MANIFEST, SCHEMA, FileEntry, Manifest, TableEntry, run_name
from callsheet.server.archive.tables import TableDigest, lines_of
from callsheet.server.files.folder import MARK_FILE
from callsheet.server.log.commits import last_position
from callsheet.server.store.store import Store

__all__ = ["BLOCK", "DEADLINE", "HISTORY", "Progress", "dump"]

Progress = Callable[[str, int], None]
"""Called with a table (or ``files``) and how many rows (or bytes) of it are done."""

HISTORY = ("_audit", "_delivery", "_event", "_handler", "_log", "_part")
"""What a dump without the log leaves out: commits, events, and how far their readers are."""
ELSEWHERE = ("_workspace",)
"""What no dump has: addresses of other databases, which a copy would share with the original."""
BLOCK = 2**20
DEADLINE = 24 * 3600.0
"""Seconds that reading one table may take."""


def dump(
    store: Store, path: Path, *, log: bool = True, files: Path | None = None, progress: Progress | None = None
) -> Manifest:
    """Write everything that a store has to a new file, as of one moment; gives what is in it.

    Without ``log`` the history is left out. ``files`` is the folder of uploaded files, if they are to come along. The
    file is its owner's: it has the hashes of accounts' keys. Raises `StorageError` where the file exists or cannot be
    written.
    """
    report = progress or (lambda name, done: None)
    with _whole(path) as archive, store.reading() as connection:
        archive.writestr(SCHEMA, msgspec.json.encode(store.described.document))
        tables = [_table(archive, store, connection, name, report) for name in _names(store, log)]
        manifest = Manifest(
            FORMAT,
            version("callsheet"),
            store.schema.name,
            store.engine_name,
            datetime.now(UTC).isoformat(timespec="seconds"),
            log,
            last_position(store, connection),
            tuple(tables),
            None if files is None else tuple(_files(archive, files, report)),
        )
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _names(store: Store, log: bool) -> list[str]:
    left_out = ELSEWHERE if log else (*ELSEWHERE, *HISTORY)
    return [str(name) for name in sorted(store.layout.metadata.tables) if name not in left_out]


def _table(archive: ZipFile, store: Store, connection: Connection, name: str, report: Progress) -> TableEntry:
    table = store.layout.metadata.tables[name]
    columns = tuple(str(column.name) for column in table.columns)
    digest, runs = TableDigest(), 0
    for lines in lines_of(connection, table, columns):
        runs += 1
        archive.writestr(run_name(name, runs), b"".join(lines))
        digest.add(lines)
        report(name, digest.rows)
    return TableEntry(name, columns, digest.rows, runs, digest.hexadecimal)


def _files(archive: ZipFile, folder: Path, report: Progress) -> Iterator[FileEntry]:
    done = 0
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()):
        if path.name == MARK_FILE:
            # Says which database the folder belongs to; the copy's is another.
            continue
        name = path.relative_to(folder).as_posix()
        size, found = 0, hashlib.sha256()
        with path.open("rb") as source, archive.open(f"files/{name}", "w", force_zip64=True) as target:
            while block := source.read(BLOCK):
                target.write(block)
                found.update(block)
                size += len(block)
        done += size
        report("files", done)
        yield FileEntry(name, size, found.hexdigest())


@contextmanager
def _whole(path: Path) -> Iterator[ZipFile]:
    """A new archive, which bears its name only when all of it is on disk."""
    if path.exists():
        raise StorageError(f"{path} exists already; a dump is a new file")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        with open(unfinished, "xb", opener=opener) as file:
            with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if sys.exc_info()[0] is not None:
            unfinished.unlink(missing_ok=True)
