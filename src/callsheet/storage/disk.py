"""Files on a disk of this machine, in one folder, whose path may differ between operating systems."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.request import pathname2url

from callsheet.errors import AlreadyThere, FileMissing, MountMissing, StorageError, UnsafePath
from callsheet.storage.accessor import parts_of

__all__ = ["DiskAccessor", "DiskUpload", "system_name"]

CHUNK = 2**22
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


def system_name() -> str:
    """The name of this operating system in mount points: ``linux``, ``macos`` or ``windows``."""
    return {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")


class DiskAccessor:
    """Files in ``prefix``: a folder, or a mount point for each of ``linux``, ``macos`` and ``windows``.

    ``prefix`` may begin with ``~`` and contain environment variables. Identifiers are relative to it; absolute paths
    are accepted if they are within it. Links that lead out of it are refused. With ``must_exist``, the folder must
    exist before anything is written, so that an unmounted disk is not replaced by an empty folder. An empty prefix
    accepts only absolute paths.
    """

    def __init__(self, prefix: str | os.PathLike[str] | Mapping[str, str], must_exist: bool = False) -> None:
        self.prefix = prefix
        self._must_exist = must_exist

    def __repr__(self) -> str:
        return f"<DiskAccessor {self.prefix!r}>"

    @property
    def root(self) -> Path | None:
        """The folder on this machine; None if any path is accepted. Raises `MountMissing` if it does not exist."""
        prefix = self.prefix
        if isinstance(prefix, Mapping):
            system = system_name()
            if not prefix.get(system):
                known = ", ".join(sorted(prefix)) or "none"
                raise MountMissing(f"the disk has no mount point for {system}; it has one for: {known}")
            prefix = prefix[system]
        text = os.fspath(prefix)
        if not text:
            return None
        root = Path(os.path.realpath(os.path.expanduser(os.path.expandvars(text))))
        if self._must_exist and not root.is_dir():
            raise MountMissing(f"the disk is not mounted: there is no folder {root}; mount it, or correct its prefix")
        return root

    def path(self, identifier: str) -> Path:
        """The path of a file; raises `UnsafePath` if the identifier leads out of the prefix, also through links."""
        root = self.root
        if os.path.isabs(identifier):
            path = Path(os.path.normpath(identifier))
        elif root is None:
            raise UnsafePath(f"{identifier!r:.200} is relative, and this accessor has no prefix")
        else:
            path = root.joinpath(*parts_of(identifier))
        if "\0" in identifier:
            raise UnsafePath(f"{identifier!r:.200} contains a character that paths cannot have")
        if root is not None and not Path(os.path.realpath(path)).is_relative_to(root):
            raise UnsafePath(f"{identifier!r:.200} leads out of {root}")
        return path

    def exists(self, identifier: str) -> bool:
        return self.path(identifier).is_file()

    def size(self, identifier: str) -> int:
        try:
            return self.path(identifier).stat().st_size
        except OSError as error:
            raise _typed(error, identifier) from error

    def open(self, identifier: str) -> BinaryIO:
        try:
            return self.path(identifier).open("rb")
        except OSError as error:
            raise _typed(error, identifier) from error

    def begin(self, identifier: str, token: str) -> DiskUpload:
        path = self.path(identifier)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return DiskUpload(path, _unfinished(path, token))
        except OSError as error:
            raise _typed(error, identifier) from error

    def forget(self, identifier: str, token: str) -> None:
        path = self.path(identifier)
        _unfinished(path, token).unlink(missing_ok=True)
        self._prune(path.parent)

    def write(self, identifier: str, data: bytes) -> None:
        path = self.path(identifier)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise _typed(error, identifier) from error

    def remove(self, identifier: str) -> None:
        path = self.path(identifier)
        try:
            path.unlink()
        except OSError as error:
            raise _typed(error, identifier) from error
        self._prune(path.parent)

    def list(self, folder: str = "") -> list[str]:
        root = self.root
        if root is None:
            raise UnsafePath("an accessor without a prefix has no files of its own to list")
        start = root.joinpath(*parts_of(folder)) if folder else root
        found = (Path(where, name) for where, _, names in os.walk(start) for name in names)
        return sorted(path.relative_to(root).as_posix() for path in found)

    def filesystem_path(self, identifier: str) -> str:
        return str(self.path(identifier))

    def url(self, identifier: str) -> str:
        return "file://" + pathname2url(str(self.path(identifier)))

    def _prune(self, folder: Path) -> None:
        """Remove folders that became empty, up to the prefix."""
        root = self.root
        while root is not None and folder != root and folder.is_relative_to(root):
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


class DiskUpload:
    """A temporary file next to the final path, with a name that begins with a dot."""

    def __init__(self, path: Path, unfinished: Path) -> None:
        self._path, self._unfinished = path, unfinished
        self._file = unfinished.open("ab")
        self.received = unfinished.stat().st_size

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise _typed(error, str(self._path)) from error

    def kept(self, size: int) -> BinaryIO:
        return self._unfinished.open("rb")

    def truncate(self, size: int) -> None:
        self._file.truncate(size)
        self.received = min(size, self.received)

    def checksum(self) -> str:
        self._file.flush()
        os.fsync(self._file.fileno())
        with self._unfinished.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def publish(self) -> None:
        self.close()
        try:
            try:
                os.link(self._unfinished, self._path)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                # Without hard links, the check and the move are two steps.
                if self._path.exists():
                    raise FileExistsError(errno.EEXIST, "exists", str(self._path)) from None
                self._unfinished.replace(self._path)
            self._unfinished.unlink(missing_ok=True)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise _typed(error, str(self._path)) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise _typed(error, str(self._path)) from error


def _unfinished(path: Path, token: str) -> Path:
    """The path of an unfinished file. Long names are truncated, because the suffix makes them longer."""
    return path.with_name(f".{path.name[-150:]}.{token}.part")


def _sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, if the system supports it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network file systems do not support it.
        pass
    finally:
        os.close(handle)


def _typed(error: OSError, identifier: str) -> StorageError:
    kinds: tuple[tuple[type[OSError], type[StorageError]], ...] = (
        (FileNotFoundError, FileMissing),
        (FileExistsError, AlreadyThere),
    )
    kind = next((ours for theirs, ours in kinds if isinstance(error, theirs)), StorageError)
    words = {FileMissing: "there is no such file", AlreadyThere: "there is a file already, which is kept"}
    return kind(f"{identifier}: {words.get(kind) or error.strerror or error}")
