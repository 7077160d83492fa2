"""Where a mirror's file is: a private folder that one server has for itself.

- A SQLite file has its mirror beside it.
- In a named folder, each database has a folder of its own, and so has each server of one database.
- A PostgreSQL database without a named folder has a temporary one, which is removed at the end.
- The mirror of a database in memory is in memory.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from filelock import BaseFileLock

from callsheet.errors import StorageError
from callsheet.private import make_folder
from callsheet.server.limits import Limits
from callsheet.server.mirror.database import LOCKED, MirrorDatabase
from callsheet.server.store.database import FileDatabase, locked
from callsheet.server.store.store import Store

__all__ = ["FILE", "MirrorPlace"]

FILE = "mirror.duckdb"
SERVERS = 64
"""The most servers of one database that share a folder."""


class MirrorPlace:
    """The place of a store's mirror; ``named`` is the folder that was chosen for mirrors, if one was."""

    def __init__(self, store: Store, named: Path | None = None) -> None:
        self._store, self.named = store, named
        self._lock: BaseFileLock | None = None
        self._temporary: Path | None = None
        self.folder: Path | None = None
        """The folder, once it is open; None in memory."""

    def __repr__(self) -> str:
        return str(self.folder or self.named or "memory")

    def opened(self, limits: Limits) -> MirrorDatabase:
        """The database there. A damaged file is removed: all it held is in the store."""
        try:
            self.folder = self._find()
        except OSError as error:
            raise StorageError(
                f"cannot keep a mirror in {error.filename}: {error.strerror}; name another folder (--analytics-folder)"
            ) from None
        if self.folder is None:
            return MirrorDatabase(None, self._store.deadline, limits)
        path = self.folder / FILE
        try:
            return MirrorDatabase(path, self._store.deadline, limits)
        except StorageError as error:
            if LOCKED in str(error):
                raise
            for each in self.folder.glob(f"{FILE}*"):
                if each.is_file() and each.suffix != ".lock":
                    each.unlink()
            return MirrorDatabase(path, self._store.deadline, limits)

    def close(self) -> None:
        """Release the folder; remove a temporary one."""
        if self._lock is not None:
            self._lock.release()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _find(self) -> Path | None:
        database = self._store.database
        if self.named is not None:
            return self._free(self.named)
        if isinstance(database, FileDatabase):
            return _made(Path(f"{database.path}.mirror"))
        if self._store.engine_name == "sqlite":
            return None
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="callsheet-mirror-"))
        return self._temporary

    def _free(self, named: Path) -> Path:
        """The first folder of this database that no other server has."""
        for number in range(1, SERVERS + 1):
            folder = _made(named / (self._store.id if number == 1 else f"{self._store.id}-{number}"))
            try:
                self._lock = locked(folder / FILE)
            except StorageError:
                continue
            return folder
        raise StorageError(f"{SERVERS} servers have a mirror of this database in {named} already; name another folder")


def _made(folder: Path) -> Path:
    make_folder(folder)
    return folder
