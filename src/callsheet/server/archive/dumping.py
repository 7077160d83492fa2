"""A database becomes an archive: all of it as of one moment, streamed, and there only when it is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import msgspec
from sqlalchemy import Connection

from callsheet.errors import StorageError
from callsheet.server.archive.contents import FORMAT, MANIFEST, SCHEMA, FileEntry, Manifest, TableEntry, run_name
from callsheet.server.archive.tables import TableDigest, lines_of
from callsheet.server.archive.unfinished import UnfinishedArchive, unfinished
from callsheet.server.files.folder import MARK_FILE
from callsheet.server.log.commits import first_position, last_position
from callsheet.server.store.store import Store

__all__ = ["BLOCK", "DEADLINE", "HISTORY", "Progress", "dump"]

Progress = Callable[[str, int], None]
"""Called with a table (or ``files``) and how many rows (or bytes) of it are done."""

HISTORY = ("_audit", "_delivery", "_event", "_handler", "_log", "_part")
"""What a dump without the log leaves out: commits, events, and how far their readers are."""
ELSEWHERE = ("_workspace",)
"""What no dump has: addresses of other databases, which a copy would share with the original."""
LASTING = ("_log", "_tombstone")
"""Tables of the server's own that only commits change."""
BLOCK = 2**20
KEPT_BYTES = 64 * BLOCK
"""Bytes of uploaded files after which they are kept, if the dump is cut off."""
DEADLINE = 24 * 3600.0
"""Seconds that reading one table may take."""


def dump(
    store: Store, path: Path, *, log: bool = True, files: Path | None = None, progress: Progress | None = None
) -> Manifest:
    """Write everything that a store has to a new file, as of one moment; gives what is in it.

    Without ``log`` the history is left out. ``files`` is the folder of uploaded files, if they are to come along. The
    file is its owner's: it has the hashes of accounts' keys. A dump that was cut off goes on when it is run again, if
    nothing was committed since. Raises `StorageError` where the file exists or cannot be written.
    """
    report = progress or (lambda name, done: None)
    if path.exists():
        raise StorageError(f"{path} exists already; a dump is a new file")
    with store.reading() as connection:
        position = last_position(store, connection)
        moment = msgspec.json.encode(
            [version("callsheet"), store.id, store.described.hash, position, first_position(store, connection), log]
        ).decode()
        with unfinished(path, moment) as work:
            if SCHEMA not in work.archive.namelist():
                work.archive.writestr(SCHEMA, msgspec.json.encode(store.described.document))
            lasting, others = _names(store, log)
            tables = [_lasting(work, store, connection, name, report) for name in lasting]
            entries = None if files is None else tuple(_files(work, files, report))
            # These are never kept: an account logs in without a commit.
            tables += [_table(work.archive, store, connection, name, report) for name in others]
            manifest = Manifest(
                FORMAT,
                version("callsheet"),
                store.schema.name,
                store.engine_name,
                datetime.now(UTC).isoformat(timespec="seconds"),
                log,
                position,
                tuple(sorted(tables, key=lambda entry: entry.name)),
                entries,
            )
            work.archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _names(store: Store, log: bool) -> tuple[list[str], list[str]]:
    """The tables that only commits change, and the others."""
    left_out = ELSEWHERE if log else (*ELSEWHERE, *HISTORY)
    names = [str(name) for name in sorted(store.database_tables) if name not in left_out]
    loaded = {store.tables[name].name for name in store.user_tables}
    lasting = [
        name
        for name in names
        if name in LASTING or name in loaded or not name.startswith("_") or name.startswith("_link_")
    ]
    return lasting, [name for name in names if name not in lasting]


def _lasting(work: UnfinishedArchive, store: Store, connection: Connection, name: str, report: Progress) -> TableEntry:
    """A table that stays if the dump is cut off, or that stayed."""
    entry = work.tables.get(name)
    if entry is not None:
        report(name, entry.rows)
        return entry
    entry = _table(work.archive, store, connection, name, report)
    work.keep(entry)
    return entry


def _table(archive: ZipFile, store: Store, connection: Connection, name: str, report: Progress) -> TableEntry:
    table = store.database_tables[name]
    columns = tuple(str(column.name) for column in table.columns)
    digest, runs = TableDigest(), 0
    # Closed here, so that no cursor stays open when the dump is cut off.
    with closing(lines_of(connection, table, columns)) as parts:
        for lines in parts:
            runs += 1
            archive.writestr(run_name(name, runs), b"".join(lines))
            digest.add(lines)
            report(name, digest.rows)
    return TableEntry(name, columns, digest.rows, runs, digest.hexadecimal)


def _files(work: UnfinishedArchive, folder: Path, report: Progress) -> Iterator[FileEntry]:
    done, fresh, since = 0, list[FileEntry](), 0
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()):
        if path.name == MARK_FILE:
            # Says which database the folder belongs to; the copy's is another.
            continue
        entry = _kept(work, folder, path)
        if entry is None:
            entry = _file(work.archive, folder, path)
            fresh.append(entry)
            since += entry.size
        if since >= KEPT_BYTES:
            work.keep(*fresh)
            fresh, since = [], 0
        done += entry.size
        report("files", done)
        yield entry


def _kept(work: UnfinishedArchive, folder: Path, path: Path) -> FileEntry | None:
    """The file as an earlier attempt wrote it, if it still is so."""
    entry = work.files.get(path.relative_to(folder).as_posix())
    if entry is None or path.stat().st_size != entry.size:
        return None
    with path.open("rb") as source:
        return entry if hashlib.file_digest(source, "sha256").hexdigest() == entry.sha256 else None


def _file(archive: ZipFile, folder: Path, path: Path) -> FileEntry:
    name = path.relative_to(folder).as_posix()
    size, found = 0, hashlib.sha256()
    with path.open("rb") as source, archive.open(f"files/{name}", "w", force_zip64=True) as target:
        while block := source.read(BLOCK):
            target.write(block)
            found.update(block)
            size += len(block)
    return FileEntry(name, size, found.hexdigest())
