"""The files of a server as one user may see and change them (``FileBackend``)."""

from __future__ import annotations

from typing import Protocol

from callsheet.dialects.protocol import FileState
from callsheet.errors import Forbidden, NotFound
from callsheet.model.schema import Schema
from callsheet.server.files.uploads import FileStore

__all__ = ["FileAccess"]


class Permitting(Protocol):
    """What is asked of a backend."""

    @property
    def schema(self) -> Schema: ...

    def may(self, verb: str, entity_type: str, key: str) -> bool: ...


class FileAccess:
    """A file is read by who may read its component, and written by who may change it, or create components."""

    def __init__(self, files: FileStore, backend: Permitting, user: str) -> None:
        self._files, self._backend, self._user = files, backend, user

    def state(self, key: str) -> FileState:
        """What there is of a file."""
        if not self._may("read", key) and not self._may_write(key):
            return FileState()
        whole, staged = self._files.path(key), self._files.staged(key)
        size = whole.stat().st_size if whole.is_file() else None
        return FileState(size, staged.stat().st_size if staged.is_file() else 0)

    def write(self, key: str, offset: int, data: bytes) -> int:
        """Add a part to an upload."""
        self._check_write(key)
        return self._files.append(key, offset, data)

    def finish(self, key: str, size: int, checksum: str) -> None:
        """The upload is complete."""
        self._check_write(key)
        self._files.complete(key, size, checksum)

    def read(self, key: str, offset: int, size: int) -> bytes:
        """A part of a file."""
        self._check_read(key)
        return self._files.read(key, offset, size)

    def remove(self, key: str) -> None:
        """Remove a file, or what there is of its upload."""
        if self._files.exists(key) and not self._may("delete", key):
            raise Forbidden(f"{self._user} may not remove the file of this component")
        if self._files.exists(key) or self._may_write(key):
            self._files.remove(key)

    def address(self, key: str) -> str:
        """A path on the server that anybody may read the file at, for some hours."""
        self._check_read(key)
        self._files.find(key)
        return self._files.reading_address(key)

    def _check_read(self, key: str) -> None:
        if not self._may("read", key):
            raise NotFound("there is no file for this component")

    def _check_write(self, key: str) -> None:
        if not self._may_write(key):
            raise Forbidden(f"{self._user} may not upload a file for this component")

    def _may_write(self, key: str) -> bool:
        """Who may make a component may upload its file before it is there; nobody may replace a stranger's."""
        if self._may("update", key):
            return True
        return not self._files.exists(key) and self._may("create", "")

    def _may(self, verb: str, key: str) -> bool:
        return "Component" not in self._backend.schema.types or self._backend.may(verb, "Component", key)
