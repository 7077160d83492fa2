"""Where the databases and files of workspaces are.

==================  ===========================================================================================
address             the database
==================  ===========================================================================================
``folder:SLUG``     a SQLite file in a folder of its own, in ``NAME-workspaces`` beside the main database's file
``schema:SLUG``     a schema of its own in the main database, on PostgreSQL
``memory:``         in memory, as the main database is: it ends with the process
any other           the address that the operator named
==================  ===========================================================================================

The first three are relative, so they hold no password, and the main database can be moved together with its workspaces.
What was made here is deleted here; a database that the operator named is only forgotten.
"""

from __future__ import annotations

import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from attrs import frozen
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from callsheet.errors import StorageError, UsageError
from callsheet.private import make_folder
from callsheet.server.store.database import locked
from callsheet.server.store.engine import postgres_engine

__all__ = ["DATABASE", "MEMORY", "Places", "check_stated"]

DATABASE = "callsheet.db"
MEMORY = "memory:"
SECONDS = 60.0


@frozen
class Places:
    """The places of a main database's workspaces.

    ``url`` is its address, ``files`` the folder that was named for its own uploads.
    """

    url: str
    files: Path | None = None

    @property
    def folder(self) -> Path | None:
        """The folder of the workspaces of a SQLite file."""
        scheme, _, rest = self.url.partition("://")
        if not scheme.startswith("sqlite") or rest in ("", "/", "/:memory:"):
            return None
        path = Path(rest.removeprefix("/"))
        return path.with_name(f"{path.stem}-workspaces")

    @property
    def is_postgres(self) -> bool:
        return self.url.startswith("postgres")

    def new_address(self, name: str) -> str:
        """A relative address for a new workspace; it differs from those of all others, also of dropped ones."""
        mark = secrets.token_hex(4)
        if self.is_postgres:
            return f"schema:workspace_{re.sub('[^a-z0-9]+', '_', name.lower())[:40]}_{mark}"
        return MEMORY if self.folder is None else f"folder:{name.replace('/', '~')}-{mark}"

    def new_files(self, address: str) -> str | None:
        """The folder of its uploads, if the main database's was named; else it is where its database decides."""
        kind, _, slug = address.partition(":")
        if self.files is None or kind not in ("folder", "schema"):
            return None
        return str(self.files.absolute().with_name(f"{self.files.name}-workspaces") / slug)

    def database(self, address: str) -> str:
        """The URL to open."""
        kind, _, slug = address.partition(":")
        if kind == "folder":
            return f"sqlite:///{(self._own(slug) / DATABASE).as_posix()}"
        if kind == "schema":
            return (
                make_url(self.url)
                .update_query_string(f"options=-csearch_path={slug}", append=True)
                .render_as_string(hide_password=False)
            )
        return address

    def make(self, address: str) -> None:
        """Make the folder or the schema of a new workspace."""
        kind, _, slug = address.partition(":")
        if kind == "folder":
            make_folder(self._own(slug))
        elif kind == "schema":
            self._statement(f'CREATE SCHEMA IF NOT EXISTS "{slug}"')

    def exists(self, address: str) -> bool:
        """Whether the database is there; unknown for PostgreSQL, where opening it says so."""
        scheme, _, rest = self.database(address).partition("://")
        return not scheme.startswith("sqlite") or rest in ("", "/") or Path(rest.removeprefix("/")).is_file()

    def is_stated(self, address: str) -> bool:
        """Whether the operator named the database."""
        return address != MEMORY and address.partition(":")[0] not in ("folder", "schema")

    def delete(self, address: str, files: str | None) -> None:
        """Delete what `make` made, and the files; what is gone already is no error.

        Raises `StorageError` if another process has the database open, or if something cannot be deleted.
        """
        kind, _, slug = address.partition(":")
        if files is not None:
            _remove(Path(files))
        if kind == "schema":
            self._statement(f'DROP SCHEMA IF EXISTS "{slug}" CASCADE')
        elif kind == "folder" and (folder := self._own(slug)).is_dir():
            # Raises if another process has the database open. Released first, because the lock is in the folder.
            locked(folder / DATABASE).release()
            _remove(folder)
            with suppress(OSError):
                folder.parent.rmdir()

    def _own(self, slug: str) -> Path:
        assert self.folder is not None, "only a SQLite file has workspaces in folders"
        return self.folder / slug

    def _statement(self, statement: str) -> None:
        engine = postgres_engine(f"postgresql+psycopg://{self.url.partition('://')[2]}", SECONDS)
        try:
            with engine.begin() as connection:
                connection.execute(text(statement))
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
            raise StorageError(f"the database refused: {reason}") from None
        finally:
            engine.dispose()


def check_stated(address: str) -> str:
    """The address of a database that an operator names; `UsageError` for one that has a password, which would be kept.

    >>> check_stated("postgresql+psycopg://ann:secret@db/lab")
    Traceback (most recent call last):
    callsheet.errors.UsageError: the address of a workspace is kept, so it may hold no password; ...
    """
    try:
        found = make_url(address) if "://" in address else None
    except ArgumentError:
        found = None
    if found is None or found.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError("the database of a workspace is sqlite:///FILE or postgresql+psycopg://…/NAME")
    if found.password is not None or "password" in found.query:
        raise UsageError(
            "the address of a workspace is kept, so it may hold no password; put it into a password file (~/.pgpass), "
            "or the variable PGPASSWORD of the server"
        )
    if found.get_backend_name() == "sqlite":
        return f"sqlite:///{Path(address.partition('://')[2].removeprefix('/')).absolute().as_posix()}"
    return address


def _remove(folder: Path) -> None:
    """Delete a folder with everything in it."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StorageError(f"{folder} cannot be deleted: {error.strerror or error}; drop the workspace again") from None
