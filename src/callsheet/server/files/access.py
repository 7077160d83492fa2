"""The files of a server with the rights of one account (``FileBackend``).

A file has the rights of its component: an account that may read (or change) the component may read (or change) the
file. For a key without a component that the account may read, the account gets the same answers whether a component
exists or not. A file that it uploads under such a key is *pending*: it becomes the component's file when a component
exists that the account may change or has created.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from callsheet.dialects.protocol import FileState
from callsheet.errors import CallsheetError, Forbidden, Invalid, NotFound
from callsheet.model.schema import Schema
from callsheet.server.files.addresses import JOIN, PUT, READ, SignedAddresses
from callsheet.server.files.uploads import FileStore

__all__ = ["FileAccess"]

COMPONENT = "Component"
JOINED = "."


class Permitting(Protocol):
    """What `FileAccess` needs of a backend."""

    @property
    def schema(self) -> Schema: ...

    def may(self, verb: str, entity_type: str, key: str) -> bool: ...

    def exists(self, entity_type: str, key: str) -> bool: ...


class FileAccess:
    """The files of one account; ``seen_by`` returns the backend of another account."""

    def __init__(
        self,
        files: FileStore,
        addresses: SignedAddresses,
        backend: Permitting,
        user: str,
        seen_by: Callable[[str], Permitting],
    ) -> None:
        self._files, self._addresses, self._backend, self._user = files, addresses, backend, user
        self._seen_by = seen_by

    # Reading

    def state(self, key: str) -> FileState:
        """The size of a file, and how much of the account's own upload was received."""
        whole, staged = self._visible(key), self._files.staged(key, self._user)
        size = None if whole is None else whole.stat().st_size
        return FileState(size, staged.stat().st_size if staged.is_file() else 0)

    def find(self, key: str) -> Path:
        """The file of a component, or the account's pending file; raises `NotFound` if there is neither."""
        found = self._visible(key)
        if found is None:
            raise NotFound("there is no file for this component")
        return found

    def read(self, key: str, offset: int, size: int) -> bytes:
        """A part of a file."""
        return self._files.read(self.find(key), offset, size)

    def image(self, key: str, size: int | None = None) -> tuple[bytes | Path, str]:
        """A picture of a component, and its media type; raises `NotFound` if the account may not read the component.

        ``size`` is the largest width and height in pixels.
        """
        if not _may(self._backend, "read", key):
            raise NotFound("there is no file for this component")
        self._whole(key)
        return self._files.image(key, size)

    def _visible(self, key: str) -> Path | None:
        pending = self._files.pending(key, self._user)
        return self._whole(key) or (pending if pending.is_file() else None)

    def _whole(self, key: str) -> Path | None:
        """The file of a component that the account may read, if there is one."""
        if not _may(self._backend, "read", key):
            return None
        if not self._files.exists(key):
            any(self._adopted(key, name) for name in self._files.waiting(key))
        return self._files.path(key) if self._files.exists(key) else None

    def _adopted(self, key: str, account: str) -> bool:
        """Make a pending file the component's if its account may change the component; returns whether it did."""
        try:
            backend = self._backend if account == self._user else self._seen_by(account)
            return self._is_there(key) and _may_fill(backend, key) and self._files.adopt(key, account)
        except CallsheetError:
            return False  # The account has been disabled.

    def _is_there(self, key: str) -> bool:
        return COMPONENT not in self._backend.schema.types or self._backend.exists(COMPONENT, key)

    # Writing

    def place(self, key: str, part: int = 0) -> Path:
        """The path for the account's file, or for a part of it; raises `Forbidden` if it may not upload it."""
        whole = self._whole(key)
        sees = self._is_there(key) and _may(self._backend, "read", key)
        if whole is not None and not _may(self._backend, "update", key):
            raise self._refused("upload a file for")
        if not (_may_fill(self._backend, key) if sees else _may(self._backend, "create", "")):
            raise self._refused("upload a file for")
        if part:
            return self._files.part(key, self._user, part)
        return self._files.path(key) if sees else self._files.pending(key, self._user)

    def write(self, key: str, offset: int, data: bytes) -> int:
        """Add a part to an upload."""
        self.place(key)
        return self._files.append(key, self._user, offset, data)

    def finish(self, key: str, size: int, checksum: str) -> None:
        """Complete the upload."""
        self._files.complete(key, self._user, size, checksum, self.place(key))

    def remove(self, key: str) -> None:
        """Remove a file, and the account's own upload."""
        if self._whole(key) is not None:
            if not _may(self._backend, "delete", key):
                raise self._refused("remove the file of")
            self._files.remove(key)
        self._files.forget(key, self._user)

    def join(self, key: str, upload: str, numbers: Sequence[int]) -> None:
        """Put the parts of an upload together."""
        parts = sorted(set(numbers))
        until, _, signature = upload.partition(JOINED)
        params = {"id": key, "user": self._user, "part": str(len(parts)), "until": until, "signature": signature}
        try:
            self._addresses.account(JOIN, params)
        except Forbidden:
            raise Invalid("the upload id does not belong to this component and number of parts") from None
        self._files.join(key, self._user, parts, self.place(key))

    # Addresses

    def address(self, key: str) -> str:
        """A signed path for reading the file: valid without a key for some hours, while the account may read it."""
        self.find(key)
        return self.reading_address(key)

    def reading_address(self, key: str) -> str:
        """The same for a file that may not exist yet."""
        if not _may(self._backend, "read", key):
            raise NotFound("there is no file for this component")
        return f"/component/get?{urlencode(self._addresses.sign(READ, self._user, key))}"

    def upload_addresses(self, key: str, parts: Sequence[int] = (0,)) -> list[str]:
        """Signed paths for uploading a file (part 0) or its parts: valid for some hours, while the account may."""
        self.place(key)
        signed = (self._addresses.sign(PUT, self._user, key, part) for part in parts)
        return [f"/component/put?{urlencode(params)}" for params in signed]

    def new_upload(self, key: str, parts: int) -> str:
        """The id of a new upload in parts."""
        signed = self._addresses.sign(JOIN, self._user, key, parts)
        return f"{signed['until']}{JOINED}{signed['signature']}"

    def _refused(self, what: str) -> Forbidden:
        return Forbidden(f"{self._user} may not {what} this component")


def _may(backend: Permitting, verb: str, key: str) -> bool:
    return COMPONENT not in backend.schema.types or backend.may(verb, COMPONENT, key)


def _may_fill(backend: Permitting, key: str) -> bool:
    """Whether an account may upload a component's file: it may update the component, or create one like it."""
    return _may(backend, "read", key) and (_may(backend, "update", key) or _may(backend, "create", key))
