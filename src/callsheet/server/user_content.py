"""What people keep of the page, views and dashboards, in a database of its own beside the production's.

Theory. A kept view belongs to a person, not to the production: it is private until it is shared, and no query, event,
history or count of the production's wire may lead to it. So it is not a type of the production's schema, where every
reader of the log would have to know who may see it, but an entity of a second store, which only the page's own requests
reach (``explorer/views.py``). There it has what entities have: a log, versions, undo.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from callsheet.errors import UsageError
from callsheet.model.record import NOT_SET, NotSet
from callsheet.server.files.folder import UploadFolder
from callsheet.server.store.store import Store

__all__ = ["CONTENT_SCHEMA", "MEMORY", "UserContent"]

MEMORY = "memory:"
CONTENT_SCHEMA: dict[str, Any] = {
    "name": "user-content",
    "types": {
        "View": {
            "description": "A place of the page that somebody kept.",
            "attributes": {
                "name": {"type": "string", "description": "Empty for a place whose address was too long."},
                "kind": {"type": "string", "required": True, "description": "sheet, board, pivot, dashboard …"},
                "place": {"type": "string", "required": True, "description": "Its address, or a dashboard as JSON."},
                "description": {"type": "string"},
                "owner": {"type": "string", "required": True, "immutable": True, "indexed": True},
                "is_shared": {"type": "boolean", "default": False, "description": "Seen by everybody."},
                "people": {"type": "json", "description": "Accounts that see it, too."},
                "roles": {"type": "json", "description": "Roles whose accounts see it, too."},
                "created_at": {"type": "datetime", "computed": "created_at"},
                "updated_at": {"type": "datetime", "computed": "updated_at"},
            },
        }
    },
}


class UserContent:
    """The database of kept views; it is opened when it is first used.

    ``opened`` opens a service at an address. ``storage`` is a path or an address of a database; None keeps all in
    memory. If it is not set, it is beside the database's file, with the uploaded files for PostgreSQL, and in memory
    for one in memory.
    """

    def __init__(
        self,
        store: Store,
        files: UploadFolder,
        opened: Callable[[str], Any],
        storage: str | Path | NotSet | None = NOT_SET,
    ) -> None:
        self._store, self._files, self._opened, self._storage = store, files, opened, storage
        self._service: Any = None
        self._lock = Lock()

    @property
    def address(self) -> str:
        """The address of its database."""
        if self._storage is None:
            return MEMORY
        if not isinstance(self._storage, NotSet):
            return storage_address(self._storage)
        if self._store.engine_name != "sqlite":
            return storage_address(Path(self._files.path) / "user-content.db")
        path = self._store.url.partition("://")[2].removeprefix("/")
        if path in ("", ":memory:"):
            return MEMORY
        return storage_address(Path(path).with_suffix(".content.db"))

    def service(self) -> Any:
        """The `Service` of its database."""
        with self._lock:
            if self._service is None:
                self._service = self._opened(self.address)
            return self._service

    def of_workspace(self, name: str) -> str | Path | NotSet | None:
        """The storage of a workspace: as this one's, under a name of its own."""
        if self._storage is None or isinstance(self._storage, NotSet) or str(self._storage) == MEMORY:
            return self._storage
        if "://" in str(self._storage) and not str(self._storage).startswith("sqlite"):
            return NOT_SET
        path = Path(str(self._storage))
        return f"{str(self._storage).removesuffix(path.suffix)}-{name}{path.suffix}"

    def close(self) -> None:
        """Close its database, if it was opened."""
        with self._lock:
            if self._service is not None:
                self._service.close()
                self._service = None


def storage_address(storage: str | Path) -> str:
    """The address of a database that is named by a path, or by an address.

    >>> storage_address("views.db"), storage_address("memory:"), storage_address("sqlite:///x.db")
    ('sqlite:///views.db', 'memory:', 'sqlite:///x.db')
    """
    text = str(storage)
    if not text.strip():
        raise UsageError("user_content_storage is a path or an address of a database; None keeps it in memory")
    if text == MEMORY or "://" in text:
        return text
    return f"sqlite:///{Path(text).as_posix()}"
