"""The server without a wire: it opens a database, and provides a backend for each user.

The HTTP server, or a session in the same process, gets a backend for the calling account, and calls its verbs
(``backend.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from callsheet.config import shown
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import StorageError, UsageError
from callsheet.model.operation import ChangeSet
from callsheet.model.record import NOT_SET, NotSet
from callsheet.model.workspace import DEFAULT
from callsheet.server.access.principal import Principal
from callsheet.server.backend import ServiceBackend, apply_changes
from callsheet.server.context import ServerContext, utc_now
from callsheet.server.limits import Limits
from callsheet.server.opening import (
    ADMINISTRATOR,
    DEFAULT_SCHEMA,
    first_operations,
    make_administrator,
    mirror_of,
    prepare,
    say_ignored,
    schema_document,
)
from callsheet.server.schemas.seeding import SEED_COMMIT
from callsheet.server.store.store import Store
from callsheet.server.user_content import CONTENT_SCHEMA, UserContent
from callsheet.server.views import PresentView
from callsheet.server.workspaces.hosting import Opening, Workspaces
from callsheet.server.workspaces.places import Places

__all__ = ["ADMINISTRATOR", "Service"]


class Service(ServerContext):
    """A server in this process. ``Service.open`` opens one; ``close`` it, or use it as a context manager.

    ``new_admin_key`` is the key of the account ``admin`` if it was generated on opening, else None.

    >>> with Service.open("memory:", {"name": "tiny", "types": {"Dot": {}}}) as service:
    ...     service.backend("anna").describe().schema.name
    'tiny'
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime] = utc_now,
        files: Path | None = None,
        limits: Limits | None = None,
        workspace: str = DEFAULT,
        user_content: str | Path | NotSet | None = NOT_SET,
    ) -> None:
        super().__init__(store, clock, files, limits, workspace)
        self.user_content = UserContent(store, self._folder, _open_content, user_content)
        self.new_admin_key: str | None = None
        self._present = PresentView(self)

    @staticmethod
    def open(
        url: str,
        schema: str | Path | Mapping[str, Any] | None = None,
        admin_key: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        seed: bool = False,
        administrator: bool = True,
        files: Path | None = None,
        essentials: bool = True,
        limits: Limits | None = None,
        workspace: str = DEFAULT,
        analytics: bool = False,
        analytics_folder: Path | None = None,
        user_content: str | Path | NotSet | None = NOT_SET,
    ) -> Service:
        """Open a database (see `Store.open`), or create one with this schema: a preset, a file or a document.

        The default schema of a new database is the preset ``production``. An existing one keeps its schema; if
        ``schema`` differs, a warning is logged.

        A new database gets the account ``admin``, with ``admin_key`` or a generated key; in an existing one,
        ``admin_key`` replaces the account's key. Without ``administrator`` no account is created: a process that opens
        a database itself needs none, and a server started on it later creates one and prints its key. ``seed`` creates
        standard entities in a new database. ``files`` is the folder for uploaded files; the default is next to the
        database's file, or for PostgreSQL in the user's data folder. Without ``essentials``, a new store with a
        vendor's schema does not get the rows that the vendor's clients need. ``limits`` are those of accounts.
        ``workspace`` is the name under which the server offers the database; the default one may have others. With
        ``analytics`` a mirror answers aggregates (``mirror/``); it needs the extra ``analytics``. It is in
        ``analytics_folder``; the default is beside the database's file, and for PostgreSQL a temporary folder.
        ``user_content`` is where kept views are (`UserContent`).
        """
        document = schema_document(DEFAULT_SCHEMA if schema is None else schema)
        service = Service(
            Store.open(url, document, stated=schema is not None), clock, files, limits, workspace, user_content
        )
        if workspace == DEFAULT:
            service.workspaces = Workspaces(service.store, Places(url, files), service._workspace_opened, clock)
        try:
            say_ignored(service.store)
            prepare(service)
            if analytics:
                service.mirror = mirror_of(service, analytics_folder)
            service.new_admin_key = make_administrator(service, admin_key, create=administrator)
            if operations := first_operations(service, seed, essentials):
                service.commit(ChangeSet(SEED_COMMIT, operations), ADMINISTRATOR)
            if service.mirror is not None:
                service.mirror.ring()
        except BaseException:
            service.close()
            raise
        return service

    @staticmethod
    def workspace_address(url: str, name: str) -> tuple[str, Path | None]:
        """The database of a workspace that a main database names, and the folder named for its files.

        The main database is closed again. Raises `NotFound` if it has no workspace of this name.
        """
        if name == DEFAULT:
            return url, None
        if not Places(url).exists(url):
            raise StorageError(f"there is no database {shown(url)}, so it has no workspace `{name}`")
        if url in ("memory:", "sqlite://", "sqlite:///:memory:"):
            raise UsageError(f"a new database in memory has no workspaces, so there is no `{name}`; name a file")
        with Service.open(url, administrator=False) as main:
            assert main.workspaces is not None, "the default workspace has the others"
            address, files = main.workspaces.database_of(name)
        if not Places(url).exists(address):
            raise StorageError(f"the database of the workspace `{name}` is gone: {shown(address)}")
        return address, files

    @staticmethod
    def open_workspace(url: str, name: str) -> Service:
        """Open one workspace of a database, for a process of its own (see `workspace_address`)."""
        address, files = Service.workspace_address(url, name)
        return Service.open(address, administrator=False, files=files, workspace=name)

    def _workspace_opened(self, opening: Opening) -> Service:
        """A service for one of the workspaces."""
        return Service.open(
            opening.url,
            opening.schema,
            opening.admin_key,
            self.clock,
            seed=opening.new,
            administrator=opening.new,
            files=opening.files,
            limits=self.limits,
            workspace=opening.workspace,
            analytics=self.mirror is not None,
            analytics_folder=None if self.mirror is None else self.mirror.place.named,
            user_content=self.user_content.of_workspace(opening.workspace),
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Service of {self.store.schema.name!r} on {self.store.engine_name}>"

    def backend(self, user: str, address: str = "") -> ServiceBackend:
        """The backend of this user. The caller must have authenticated the user, or be the user.

        ``address`` is the network address of the call, for the audit log.
        """
        return ServiceBackend(self, Principal(user, address), self._present)

    def commit(self, changes: ChangeSet, user: str) -> CommitResult:
        """Apply a change set on behalf of the user, without a check of permissions."""
        return apply_changes(self, self._present, changes, user)

    def refused_key(self, user: str | None, reason: str, address: str) -> None:
        """Record a failed authentication. A name without an account is not recorded, because it may be a key."""
        exists = user is not None and self.accounts.get(user) is not None
        self.audit.note("authenticate", reason, account=(user or "") if exists else "", address=address)

    def backup(self, path: str | Path) -> None:
        """Write a consistent copy of the database to a new file (see `Store.backup`), while commits go on."""
        self.store.backup(path)


def _open_content(url: str) -> Service:
    return Service.open(url, CONTENT_SCHEMA, administrator=False)
