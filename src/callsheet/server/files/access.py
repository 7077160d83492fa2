"""The files of a server as one account may see and change them (``FileBackend``).

A file belongs to its component: who may read the component reads it, who may change the component changes it. A key
that the account sees no component for is the same to it whether there is one or not. What it uploads there waits as
its own, and becomes the component's file when there is a component that the account may change or has created.
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
    """What is asked of a backend."""

    @property
    def schema(self) -> Schema: ...

    def may(self, verb: str, entity_type: str, key: str) -> bool: ...

    def exists(self, entity_type: str, key: str) -> bool: ...


class FileAccess:
    """The files that an account sees; ``seen_by`` gives the server as another account sees it."""

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
        """What there is of a file, or of the account's own upload."""
        whole, staged = self._visible(key), self._files.staged(key, self._user)
        size = None if whole is None else whole.stat().st_size
        return FileState(size, staged.stat().st_size if staged.is_file() else 0)

    def find(self, key: str) -> Path:
        """The file of a component, or what the account uploaded for one to come; `NotFound` where neither is."""
        found = self._visible(key)
        if found is None:
            raise NotFound("there is no file for this component")
        return found

    def read(self, key: str, offset: int, size: int) -> bytes:
        """A part of a file."""
        return self._files.read(self.find(key), offset, size)

    def image(self, key: str, size: int | None = None) -> tuple[bytes | Path, str]:
        """A picture of a component, and its media type; `NotFound` where the component is not seen.

        With a ``size`` it is at most so many pixels wide and high.
        """
        if not _may(self._backend, "read", key):
            raise NotFound("there is no file for this component")
        self._whole(key)
        return self._files.image(key, size)

    def _visible(self, key: str) -> Path | None:
        pending = self._files.pending(key, self._user)
        return self._whole(key) or (pending if pending.is_file() else None)

    def _whole(self, key: str) -> Path | None:
        """The file of a component that the account sees, if there is one."""
        if not _may(self._backend, "read", key):
            return None
        if not self._files.exists(key):
            any(self._adopted(key, name) for name in self._files.waiting(key))
        return self._files.path(key) if self._files.exists(key) else None

    def _adopted(self, key: str, account: str) -> bool:
        """Whether a pending file has become the component's, now that its account may change the component."""
        try:
            backend = self._backend if account == self._user else self._seen_by(account)
            return self._is_there(key) and _may_fill(backend, key) and self._files.adopt(key, account)
        except CallsheetError:
            return False  # The account has been disabled.

    def _is_there(self, key: str) -> bool:
        return COMPONENT not in self._backend.schema.types or self._backend.exists(COMPONENT, key)

    # Writing

    def place(self, key: str, part: int = 0) -> Path:
        """Where the account's file goes, or a part of it; raises `Forbidden` where it may not upload it."""
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
        """The upload is complete."""
        self._files.complete(key, self._user, size, checksum, self.place(key))

    def remove(self, key: str) -> None:
        """Remove a file, or what there is of the account's own upload."""
        if self._whole(key) is not None:
            if not _may(self._backend, "delete", key):
                raise self._refused("remove the file of")
            self._files.remove(key)
        self._files.forget(key, self._user)

    def join(self, key: str, upload: str, numbers: Sequence[int]) -> None:
        """Put the parts of an upload together."""
        told = sorted(set(numbers))
        until, _, signature = upload.partition(JOINED)
        params = {"id": key, "user": self._user, "part": str(len(told)), "until": until, "signature": signature}
        try:
            self._addresses.account(JOIN, params)
        except Forbidden:
            raise Invalid("the upload id does not belong to this component and number of parts") from None
        self._files.join(key, self._user, told, self.place(key))

    # Addresses

    def address(self, key: str) -> str:
        """A path on the server that whoever has it may read the file at, for some hours, while the account may."""
        self.find(key)
        return self.reading_address(key)

    def reading_address(self, key: str) -> str:
        """The same, of a file that may not be there yet."""
        if not _may(self._backend, "read", key):
            raise NotFound("there is no file for this component")
        return f"/component/get?{urlencode(self._addresses.sign(READ, self._user, key))}"

    def upload_addresses(self, key: str, parts: Sequence[int] = (0,)) -> list[str]:
        """Paths to put a file to (part 0), or parts of one, for some hours, while the account may."""
        self.place(key)
        told = (self._addresses.sign(PUT, self._user, key, part) for part in parts)
        return [f"/component/put?{urlencode(params)}" for params in told]

    def new_upload(self, key: str, parts: int) -> str:
        """The name of an upload in parts."""
        told = self._addresses.sign(JOIN, self._user, key, parts)
        return f"{told['until']}{JOINED}{told['signature']}"

    def _refused(self, what: str) -> Forbidden:
        return Forbidden(f"{self._user} may not {what} this component")


def _may(backend: Permitting, verb: str, key: str) -> bool:
    return COMPONENT not in backend.schema.types or backend.may(verb, COMPONENT, key)


def _may_fill(backend: Permitting, key: str) -> bool:
    """Whether an account may give a component its file: by changing it, or as one that creates such components."""
    return _may(backend, "read", key) and (_may(backend, "update", key) or _may(backend, "create", key))
