"""An archive becomes a database: a run of rows is a transaction, so what is cut off goes on where it ended.

Theory. How many runs are done stands in the database itself (``_meta``, ``loading``) and changes with the rows, in one
transaction. While it is there, no server opens the database. At the end every table is read again and its
digest compared with the manifest's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import msgspec
from sqlalchemy import Connection, Table, delete, func, insert, select, text, update

from callsheet.errors import StorageError
from callsheet.model.schema import Schema
from callsheet.private import make_folder, opener
from callsheet.server.archive.contents import APART, SCHEMA, FileEntry, Manifest, TableEntry, open_archive, run_name
from callsheet.server.archive.dumping import BLOCK, DEADLINE, Progress
from callsheet.server.archive.tables import TableDigest, lines_of, rows_of
from callsheet.server.log.commits import LOG_BEGINS
from callsheet.server.schemas.marks import marked
from callsheet.server.store.store import LOADING, Store

__all__ = ["load"]


def load(
    url: str,
    path: Path,
    *,
    replace: bool = False,
    files: Path | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Fill a database with what an archive has, and compare the two; gives what is in it.

    The database is new or empty; with ``replace`` what it had is deleted first. A load that was cut off goes on when it
    is run again. Uploaded files go to the folder ``files``, if the archive has any. Raises `StorageError` for a
    database that has something, for an archive that cannot be read, and where the two differ at the end.
    """
    archive, manifest = open_archive(path)
    with archive:
        document = msgspec.json.decode(archive.read(SCHEMA))
        store = _opened(url, document, manifest, replace)
        try:
            work = _Loading(store, archive, manifest, progress or (lambda name, done: None))
            work.insert_rows()
            if files is not None:
                work.extract_files(files)
            work.compare()
            store.write(work.finish)
        finally:
            store.close()
    return manifest


def _opened(url: str, document: Mapping[str, Any], manifest: Manifest, replace: bool) -> Store:
    """The database, empty, or as far as this archive is loaded."""
    store = Store.open(url, document, deadline=DEADLINE, stated=False, unfinished=True)
    try:
        mark = _mark(store)
        if mark is not None and mark["archive"] == manifest.digest:
            return store
        if not store.created and not replace and (mark is not None or not _is_empty(store)):
            content = "an unfinished load of another archive" if mark is not None else "entities, accounts or a log"
            raise StorageError(f"{store.url} has {content}; load into a new database, or replace what it has")
        if store.created or store.described.hash == Schema(marked(document)).hash:
            store.write(lambda connection: _emptied(store, connection, manifest))
            return store
        store.write(lambda connection: _dropped(store, connection))
    except BaseException:
        store.close()
        raise
    store.close()
    return _opened(url, document, manifest, replace)


def _dropped(store: Store, connection: Connection) -> None:
    """Drop all tables."""
    for name in store.user_tables:
        store.tables[name].drop(connection, checkfirst=True)
    store.layout.metadata.drop_all(connection)


def _mark(store: Store) -> dict[str, Any] | None:
    meta = store.table("_meta")
    with store.reading() as connection:
        found = connection.execute(select(meta.c.value).where(meta.c.name == LOADING)).scalar()
    return None if found is None else msgspec.json.decode(found, type=dict[str, Any])


def _is_empty(store: Store) -> bool:
    with store.reading() as connection:
        return all(
            connection.execute(select(func.count()).select_from(table)).scalar() == 0
            for table in store.layout.metadata.tables.values()
            if table.name not in ("_meta", "_counter")
        )


def _emptied(store: Store, connection: Connection, manifest: Manifest) -> None:
    meta = store.table("_meta")
    for name in store.user_tables:
        store.tables[name].drop(connection, checkfirst=True)
    for table in store.layout.metadata.tables.values():
        if table is not meta:
            connection.execute(delete(table))
    connection.execute(delete(meta).where(meta.c.name.not_in([name for name in APART if name != LOADING])))
    value = msgspec.json.encode({"archive": manifest.digest, "done": 0}).decode()
    connection.execute(insert(meta), {"name": LOADING, "value": value})
    store.reload(connection)


class _Loading:
    """How far it is."""

    def __init__(self, store: Store, archive: ZipFile, manifest: Manifest, report: Progress) -> None:
        self._store, self._archive, self._manifest, self._report = store, archive, manifest, report
        self._made = False

    def insert_rows(self) -> None:
        """Insert the runs that are not done."""
        mark = _mark(self._store)
        done = 0 if mark is None else mark["done"]
        count: dict[str, int] = {}
        for number, (entry, run) in enumerate(self._runs(), 1):
            if number <= done:
                continue
            rows = rows_of(self._table(entry), entry.columns, self._content(run))
            self._store.write(partial(self._insert, entry=entry, rows=rows, number=number))
            count[entry.name] = count.get(entry.name, 0) + len(rows)
            self._report(entry.name, count[entry.name])

    def _runs(self) -> Iterator[tuple[TableEntry, str]]:
        for entry in self._manifest.tables:
            for number in range(1, entry.runs + 1):
                yield entry, run_name(entry.name, number)

    def _table(self, entry: TableEntry) -> Table:
        if not self._made and entry.name.startswith("_table_"):
            self._store.write(self._make_user_tables)
            self._made = True
        table = self._store.database_tables.get(entry.name)
        if table is None or not set(entry.columns) <= set(table.c.keys()):
            raise StorageError(f"this version has no table {entry.name} like that of the archive: use a newer one")
        return table

    def _make_user_tables(self, connection: Connection) -> None:
        """Create the tables of user tables, whose definitions come before their rows."""
        self._store.reload(connection)
        for name in self._store.user_tables:
            self._store.tables[name].create(connection, checkfirst=True)

    def _content(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except (KeyError, BadZipFile, OSError) as error:
            raise StorageError(f"the archive is damaged: {name}: {error}") from None

    def _insert(self, connection: Connection, entry: TableEntry, rows: list[dict[str, Any]], number: int) -> None:
        table, meta = self._table(entry), self._store.table("_meta")
        if rows:
            connection.execute(insert(table), rows)
        value = msgspec.json.encode({"archive": self._manifest.digest, "done": number}).decode()
        connection.execute(update(meta).where(meta.c.name == LOADING).values(value=value))

    def extract_files(self, folder: Path) -> None:
        """Write the files that are not there yet as they are."""
        make_folder(folder)
        done = 0
        for entry in self._manifest.files or ():
            path = _inside(folder, entry)
            if not (path.is_file() and path.stat().st_size == entry.size and _sha256(path) == entry.sha256):
                self._extract(entry, path)
            done += entry.size
            self._report("files", done)

    def _extract(self, entry: FileEntry, path: Path) -> None:
        make_folder(path.parent)
        part = path.with_name(f"{path.name}.unfinished")
        found = hashlib.sha256()
        try:
            with self._archive.open(f"files/{entry.path}") as source, open(part, "wb", opener=opener) as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    found.update(block)
        except (KeyError, BadZipFile, OSError) as error:
            raise StorageError(f"the archive is damaged, or {path} cannot be written: {error}") from None
        if found.hexdigest() != entry.sha256:
            raise StorageError(f"the archive is damaged: {entry.path} is not what was dumped")
        part.replace(path)

    def compare(self) -> None:
        """Read every table again; `StorageError` unless it has the rows of the archive."""
        for entry in self._manifest.tables:
            digest = TableDigest()
            with self._store.reading() as connection:
                for lines in lines_of(connection, self._table(entry), entry.columns):
                    digest.add(lines)
            if (digest.rows, digest.hexadecimal) != (entry.rows, entry.digest):
                found = f"{digest.rows:,} rows of {entry.rows:,}" if digest.rows != entry.rows else "other values"
                raise StorageError(f"{self._store.url} has {found} in {entry.name} than the archive; load it again")

    def finish(self, connection: Connection) -> None:
        """The database is whole: from now on it opens."""
        meta = self._store.table("_meta")
        if self._store.engine_name == "postgresql":
            for table in self._store.layout.metadata.tables.values():
                _go_on_counting(connection, table)
        if not self._manifest.log:
            connection.execute(delete(meta).where(meta.c.name == LOG_BEGINS))
            connection.execute(insert(meta), {"name": LOG_BEGINS, "value": str(self._manifest.position)})
        connection.execute(delete(meta).where(meta.c.name == LOADING))


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Numbers that PostgreSQL gives go on after those that were loaded."""
    column = table.autoincrement_column
    if column is not None:
        name = f'"{table.name}"'
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{name}', '{column.name}'), coalesce(max({column.name}), 1), "
                f"max({column.name}) IS NOT NULL) FROM {name} WHERE pg_get_serial_sequence('{name}', '{column.name}') "
                "IS NOT NULL"
            )
        )


def _inside(folder: Path, entry: FileEntry) -> Path:
    path = (folder / entry.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise StorageError(f"the archive is damaged: {entry.path!r:.80} leads out of the folder")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
