"""The workspaces of a server: added, opened, dropped, each a service on a database of its own.

Theory. The main database names the workspaces (``registry.py``). Adding is: a row that says ``adding``, the database
with its administrator, the row says ``ready``. Dropping is: the row says ``deleting``, the service is closed, the data
are deleted, the row goes. A process that ends in between leaves a row that says how far it was, and the next process
that opens the main database takes back what was being added, and completes what was being dropped. Data that are kept
need one step: the row goes.

Services are opened on first use, or by `open_all`. On PostgreSQL several servers share a main database: each reads the
rows again after a second, and closes what another one has dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock, Thread
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from attrs import define, evolve, field, frozen

from callsheet.config import shown
from callsheet.errors import CallsheetError, Invalid, NotFound, StorageError, UsageError
from callsheet.model.schema import did_you_mean
from callsheet.model.workspace import DEFAULT, check_name
from callsheet.server.store.store import Store
from callsheet.server.workspaces.places import MEMORY, Places, check_stated
from callsheet.server.workspaces.registry import ADDING, DELETING, READY, Registry, RegistryEntry

__all__ = ["AddedWorkspace", "Opening", "Workspaces"]

log = logging.getLogger("callsheet.server")

FRESH_SECONDS = 1.0
"""How long the rows are used before they are read again, where another process may change them."""
ABANDONED = timedelta(minutes=10)
"""After this time, a workspace that another server of the database was adding is taken back."""


class HostedService(Protocol):
    """What is needed of a service."""

    new_admin_key: str | None

    @property
    def store(self) -> Store: ...

    @property
    def upload_folder(self) -> Path | None:
        """The folder of its uploaded files, if it has one already."""

    def stop(self) -> None:
        """End the event streams."""

    def close(self) -> None:
        """Close the database."""


S = TypeVar("S", bound=HostedService)


@frozen
class Opening:
    """What a service is opened with. ``new`` is for one that is being added, which gets an administrator."""

    url: str = field(repr=False)
    workspace: str
    files: Path | None
    new: bool = False
    schema: Any = None
    admin_key: str | None = field(default=None, repr=False)


@frozen
class AddedWorkspace:
    """A workspace that was added; the key of its administrator, if its database had none."""

    entry: RegistryEntry
    key: str | None = field(repr=False)
    address: str


@define(eq=False)
class _Slot(Generic[S]):
    """The service of one name, if it is open. The lock admits one opening or closing at a time."""

    lock: Any = field(factory=RLock)
    service: S | None = None


class Workspaces(Generic[S]):
    """The workspaces that one main database names."""

    def __init__(
        self, store: Store, places: Places, open_service: Callable[[Opening], S], clock: Callable[[], datetime]
    ) -> None:
        self._store, self._places, self._open_service, self._clock = store, places, open_service, clock
        self._registry = Registry(store)
        self._slots: dict[str, _Slot[S]] = {}
        self._lock = RLock()
        self._known: dict[str, RegistryEntry] | None = None
        self._until = 0.0
        self._closed = False

    def list(self) -> list[RegistryEntry]:
        """All that can be reached, by name; the default one is not among them."""
        return [entry for entry in self._entries(fresh=True).values() if entry.state == READY]

    def known(self, name: str) -> S | None:
        """The service of a workspace, if it is open and the rows are fresh. Never blocks."""
        slot, entry = self._slots.get(name), (self._known or {}).get(name)
        is_ready = entry is not None and entry.state == READY and self._is_fresh()
        return slot.service if slot is not None and is_ready else None

    def service(self, name: str) -> S | None:
        """The open service of a workspace, None if there is no such workspace.

        Raises `StorageError` if its database cannot be opened.
        """
        if (found := self.known(name)) is not None:
            return found
        slot = self._slot(name)
        with slot.lock:
            entry = self._entries().get(name)
            if entry is None or entry.state != READY or self._closed:
                self._end(slot)
                return None
            if slot.service is None:
                slot.service = self._opened(entry)
            return slot.service

    def add(
        self,
        name: str,
        schema: str | Path | Mapping[str, Any] | None = None,
        description: str = "",
        *,
        address: str | None = None,
        files: Path | None = None,
        admin_key: str | None = None,
    ) -> AddedWorkspace:
        """Make a workspace, with the account ``admin`` in it, and its key.

        ``schema`` is of a new database: a preset, a file or a document. ``address`` is a database of your own, which
        may exist already, and ``files`` the folder of its uploads; without it, both are made beside the main database.
        Raises `Invalid` for a name that is taken.
        """
        _check(name, description)
        if files is not None and address is None:
            raise UsageError("a folder for files is named together with the database, by its address")
        self._entries()
        place = self._places.new_address(name) if address is None else check_stated(address)
        folder = str(files.absolute()) if files is not None else self._places.new_files(place)
        entry = RegistryEntry(name, ADDING, place, folder, "", description, self._clock())
        slot = self._slot(name)
        with slot.lock:
            self._registry.begin(entry)
            try:
                self._places.make(place)
                slot.service = self._made(entry, schema, admin_key)
                found = slot.service.store.schema.name
                self._registry.finish(name, found)
            except BaseException:
                self._end(slot)
                self._take_back(entry)
                raise
            self._renew()
            return AddedWorkspace(
                evolve(entry, state=READY, schema_name=found), slot.service.new_admin_key, self.address_of(entry)
            )

    def drop(self, name: str, data: str) -> str:
        """Forget a workspace; its data are kept (``keep``) or deleted (``delete``). Returns where they are or were.

        Open streams end, and later requests are refused. Raises `NotFound` for an unknown name, `StorageError` if
        another process has its database open.
        """
        if data not in ("keep", "delete"):
            raise Invalid(f"say what becomes of the data: `keep` or `delete`, not {data!r:.80}")
        slot = self._slot(name)
        with slot.lock:
            entry = self._entries(fresh=True).get(name)
            if entry is None or entry.state != READY:
                raise self.unknown(name)
            where = self.address_of(entry)
            if data == "keep":
                if entry.address == MEMORY:
                    raise Invalid(f"the data of `{name}` are in memory and cannot be kept; dump them, then delete")
                self._registry.remove(name)
                self._renew()
                self._end(slot)
                return where
            if self._places.is_stated(entry.address):
                raise Invalid(
                    f"the database of `{name}` was not made by this server, so it deletes no data there; drop the "
                    f"workspace with its data kept, then delete {where} yourself"
                )
            folder = self._folder(slot, entry)
            self._registry.move(name, DELETING)
            self._renew()
            self._end(slot)
            self._finish_deleting(entry, folder)
            return where

    def address_of(self, entry: RegistryEntry) -> str:
        """Where its database is, without a password."""
        return shown(self._places.database(entry.address))

    def database_of(self, name: str) -> tuple[str, Path | None]:
        """The address of its database, and the folder named for its files; raises `NotFound`."""
        entry = self._entries(fresh=True).get(name)
        if entry is None or entry.state != READY:
            raise self.unknown(name)
        return self._places.database(entry.address), None if entry.files is None else Path(entry.files)

    def unknown(self, name: str) -> NotFound:
        """The error for a name without a workspace, for callers that may know the others."""
        names = [DEFAULT, *(entry.name for entry in self.list())]
        near = did_you_mean(name, names) or f"; there are {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"
        return NotFound(f"there is no workspace `{name:.80}`{near}; `callsheet workspaces add` makes one")

    def open_all(self) -> None:
        """Open all services in a thread, so that first requests need not wait. What cannot be opened is logged."""
        Thread(target=self._open_all, name="callsheet-workspaces", daemon=True).start()

    def stop(self) -> None:
        """End the event streams of all open services."""
        for slot in [*self._slots.values()]:
            if (service := slot.service) is not None:
                service.stop()

    def close(self) -> None:
        """Close all open services."""
        self._closed = True
        for slot in [*self._slots.values()]:
            with slot.lock:
                self._end(slot)

    # -- rows --------------------------------------------------------------------------------------------

    def _entries(self, fresh: bool = False) -> dict[str, RegistryEntry]:
        """The rows by name. The first call completes what an earlier process left."""
        with self._lock:
            first = self._known is None
            if first or fresh or not self._is_fresh():
                self._known = self._registry.entries()
                self._until = monotonic() + FRESH_SECONDS
            found = self._known or {}
            if first:
                for entry in [*found.values()]:
                    self._recover(entry)
                found = self._known = self._registry.entries()
            return found

    def _is_fresh(self) -> bool:
        # Only this process changes a SQLite file.
        return self._known is not None and (self._store.engine_name == "sqlite" or monotonic() < self._until)

    def _renew(self) -> None:
        """The rows have changed."""
        self._entries(fresh=True)

    def _slot(self, name: str) -> _Slot[S]:
        with self._lock:
            return self._slots.setdefault(name, _Slot())

    # -- services ----------------------------------------------------------------------------------------

    def _made(self, entry: RegistryEntry, schema: Any, admin_key: str | None) -> S:
        url = self._places.database(entry.address)
        return self._open_service(Opening(url, entry.name, _path(entry.files), True, schema, admin_key))

    def _opened(self, entry: RegistryEntry) -> S:
        if not self._places.exists(entry.address):
            # Opening would make an empty database in its place.
            raise StorageError(f"the database of the workspace `{entry.name}` is gone: {self.address_of(entry)}")
        url = self._places.database(entry.address)
        return self._open_service(Opening(url, entry.name, _path(entry.files)))

    def _end(self, slot: _Slot[S]) -> None:
        service, slot.service = slot.service, None
        if service is not None:
            service.stop()
            service.close()

    def _open_all(self) -> None:
        try:
            entries = self.list()
        except CallsheetError as error:
            log.error("the workspaces cannot be read: %s", error)
            return
        for entry in entries:
            try:
                if not self._closed:
                    self.service(entry.name)
            except CallsheetError as error:
                log.error("the workspace %s cannot be opened: %s", entry.name, error)

    # -- what ends in the middle -------------------------------------------------------------------------

    def _recover(self, entry: RegistryEntry) -> None:
        """Complete what another process began and did not end."""
        shared = self._store.engine_name != "sqlite"
        if entry.state == READY or (shared and self._clock() - entry.created < ABANDONED and entry.state == ADDING):
            return
        try:
            if entry.state == ADDING:
                self._take_back(entry)
            else:
                self._finish_deleting(entry, self._folder(_Slot(), entry))
        except CallsheetError as error:
            log.error("the workspace %s is not dropped to its end: %s", entry.name, error)

    def _take_back(self, entry: RegistryEntry) -> None:
        """Delete what was made of a workspace that was not added to its end; a stated database stays."""
        if not self._places.is_stated(entry.address):
            self._places.delete(entry.address, entry.files)
        self._registry.remove(entry.name)
        self._renew()
        log.warning("the workspace %s was not added to its end, and is taken back", entry.name)

    def _finish_deleting(self, entry: RegistryEntry, folder: Path | None) -> None:
        self._places.delete(entry.address, entry.files or (None if folder is None else str(folder)))
        self._registry.remove(entry.name)
        self._renew()

    def _folder(self, slot: _Slot[S], entry: RegistryEntry) -> Path | None:
        """The folder of its uploads. Opens the service, and closes it if it was not open."""
        if slot.service is not None:
            return slot.service.upload_folder
        if not self._places.exists(entry.address):
            return None
        try:
            service = self._opened(entry)
        except StorageError:
            if self._store.engine_name == "sqlite":
                raise
            return None
        try:
            return service.upload_folder
        finally:
            service.close()


def _check(name: str, description: str) -> None:
    try:
        check_name(name)
    except UsageError as error:
        raise Invalid(str(error)) from None
    if not isinstance(description, str) or len(description) > 2_000:
        raise Invalid("the description of a workspace is a text of at most 2,000 characters")


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
