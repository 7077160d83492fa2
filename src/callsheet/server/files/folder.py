"""The folder of a server's uploaded files: it is permanent, or the server accepts no uploads.

The database has a mark, and the folder with its files has the same one. So a server on another machine, whose default
would be an empty folder, accepts no uploads that other servers could not find.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from callsheet.errors import Invalid
from callsheet.private import make_folder, opener
from callsheet.server.store.store import Store

__all__ = ["UploadFolder"]

MARK = "files_mark"
USED = "files_mark_used"
MARK_FILE = "callsheet-files"
HINT = "start it with `--files FOLDER` (or `serve(files=…)`), a folder that all servers of this database share"


class UploadFolder:
    """The folder of one server's uploads, found on first use.

    ``named`` is used if given. The default is next to a SQLite file, in the user's data folder for PostgreSQL, and a
    temporary folder for a database in memory, deleted with it.
    """

    def __init__(self, store: Store, named: Path | None = None) -> None:
        self._store, self._named = store, named
        self._found: Path | None = None
        self._temporary: Path | None = None

    @property
    def path(self) -> Path:
        """The folder; it exists. Raises `Invalid` if this server has no permanent one."""
        if self._found is None:
            self._found = self._find()
        return self._found

    @property
    def existing(self) -> Path | None:
        """The folder, if there is one already."""
        if self._found is not None or self._store.engine_name != "sqlite":
            return self._found if self._found is not None or not self._is_used() else self.path
        folder = self._named or _beside(self._store.url)
        return folder if folder is not None and folder.is_dir() else None

    def close(self) -> None:
        """Remove the temporary folder of a database in memory."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _find(self) -> Path:
        if self._store.engine_name == "sqlite":
            return self._local()
        mark = self._mark(MARK, uuid4().hex)
        folder = self._named or _data_folder(mark)
        if folder is None:
            raise Invalid(f"this server has no folder for uploaded files, and accepts none; {HINT}")
        try:
            _check_mark(folder, mark, adopt=self._named is not None or not self._is_used())
        except OSError as error:
            raise Invalid(f"this server cannot keep uploaded files in {folder}: {error.strerror}; {HINT}") from None
        self._mark(USED, mark)
        return folder

    def _local(self) -> Path:
        """The folder of a SQLite database."""
        folder = self._named or _beside(self._store.url)
        if folder is None:
            folder = self._temporary = Path(tempfile.mkdtemp(prefix="callsheet-files-"))
        try:
            make_folder(folder)
        except OSError as error:
            raise Invalid(f"this server cannot keep uploaded files in {folder}: {error.strerror}; {HINT}") from None
        return folder

    def _is_used(self) -> bool:
        """Whether this database has a folder with files already."""
        with self._store.reading() as connection:
            return _value(self._store, connection, USED) is not None

    def _mark(self, name: str, value: str) -> str:
        """A value in the database, set once."""
        with self._store.reading() as connection:
            found = _value(self._store, connection, name)
        return found or self._store.write(lambda connection: _made(self._store, connection, name, value))


def _value(store: Store, connection: Connection, name: str) -> str | None:
    meta = store.table("_meta")
    found = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()
    return None if found is None else str(found)


def _made(store: Store, connection: Connection, name: str, value: str) -> str:
    found = _value(store, connection, name)
    if found is None:
        connection.execute(insert(store.table("_meta")), {"name": name, "value": value})
    return found or value


def _check_mark(folder: Path, mark: str, adopt: bool) -> None:
    """Raise `Invalid` if the folder is not this database's; with ``adopt``, an unmarked folder gets the mark."""
    known = folder / MARK_FILE
    if adopt:
        make_folder(folder)
        if not known.exists():
            with open(known, "w", encoding="utf-8", opener=opener) as file:
                file.write(mark)
    elif not known.is_file() or known.read_text(encoding="utf-8") != mark:
        raise Invalid(f"the uploaded files of this database are in a folder of another server; {HINT}")


def _beside(url: str) -> Path | None:
    """The folder next to a database file."""
    scheme, _, rest = url.partition("://")
    if not scheme.startswith("sqlite") or rest in ("", "/", "/:memory:"):
        return None
    path = Path(rest.removeprefix("/"))
    return path.with_name(f"{path.stem}-files")


def _data_folder(mark: str, environment: Mapping[str, str] | None = None) -> Path | None:
    """The folder of a database in the user's own data folder; None for a user without one."""
    known = os.environ if environment is None else environment
    try:
        if sys.platform == "win32":
            data = Path(known.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            data = Path.home() / "Library" / "Application Support"
        else:
            data = Path(known.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    except RuntimeError:
        return None
    return data / "callsheet" / "files" / mark
