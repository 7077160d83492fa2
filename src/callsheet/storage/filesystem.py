"""All file systems of fsspec: S3, GCS, Azure, SFTP, WebDAV, a zip file, memory.

Most of them need another package besides fsspec (``s3fs`` for ``s3://``, and so on).
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any, BinaryIO

from callsheet.errors import AlreadyThere, FileMissing, StorageError, Unsupported, UsageError
from callsheet.storage.accessor import parts_of

__all__ = ["FsspecAccessor"]

CHUNK = 2**22


class FsspecAccessor:
    """Files at an address of fsspec: ``FsspecAccessor("s3://bucket/studio", profile="renders")``.

    ``options`` are passed to the file system of fsspec. A file is written under another name, read back, and then
    moved, which is not atomic in object stores. Unfinished files are begun again.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._url, self._options = url.rstrip("/"), options
        self._files: Any = None
        self._root = ""

    def __repr__(self) -> str:
        return f"<FsspecAccessor {self._url}>"

    @property
    def files(self) -> Any:
        """The file system; fsspec is imported on first use."""
        if self._files is None:
            try:
                import fsspec
            except ImportError as error:
                raise UsageError(
                    f"{self._url} needs the extra `storage`: pip install 'callsheet[storage]' ({error})"
                ) from error
            try:
                self._files, self._root = fsspec.core.url_to_fs(self._url, **self._options)
            except (ImportError, ValueError) as error:
                raise UsageError(f"{self._url}: {error}") from error
        return self._files

    def path(self, identifier: str) -> str:
        """The path in fsspec's file system; raises `UnsafePath` if the identifier leads out of the address."""
        inner = "/".join(parts_of(identifier))
        _ = self.files
        return f"{self._root.rstrip('/')}/{inner}"

    def exists(self, identifier: str) -> bool:
        path = self.path(identifier)
        return bool(_done(identifier, lambda: self.files.isfile(path)))

    def size(self, identifier: str) -> int:
        path = self.path(identifier)
        return int(_done(identifier, lambda: self.files.info(path)["size"]))

    def open(self, identifier: str) -> BinaryIO:
        path = self.path(identifier)
        found: BinaryIO = _done(identifier, lambda: self.files.open(path, "rb"))
        return found

    def begin(self, identifier: str, token: str) -> FsspecUpload:
        path = self.path(identifier)
        _done(identifier, lambda: self.files.makedirs(path.rpartition("/")[0], exist_ok=True))
        return FsspecUpload(self.files, path, _unfinished(path, token))

    def forget(self, identifier: str, token: str) -> None:
        unfinished = _unfinished(self.path(identifier), token)
        try:
            _done(identifier, lambda: self.files.rm_file(unfinished))
        except FileMissing:
            return

    def write(self, identifier: str, data: bytes) -> None:
        path = self.path(identifier)
        _done(identifier, lambda: self.files.makedirs(path.rpartition("/")[0], exist_ok=True))
        _done(identifier, lambda: self.files.pipe_file(path, data))

    def remove(self, identifier: str) -> None:
        path = self.path(identifier)
        _done(identifier, lambda: self.files.rm_file(path))

    def list(self, folder: str = "") -> list[str]:
        _ = self.files
        root = self._root.rstrip("/")
        start = f"{root}/{'/'.join(parts_of(folder))}" if folder else self._root
        # A cached listing would not have newer files of others.
        self.files.invalidate_cache()
        found = _done(folder, lambda: self.files.find(start))
        return sorted(path.lstrip("/")[len(root.lstrip("/")) :].lstrip("/") for path in found)

    def filesystem_path(self, identifier: str) -> str:
        raise Unsupported(f"{identifier} is at {self._url}, which is not a disk of this machine; try `get_url`")

    def url(self, identifier: str) -> str:
        path = self.path(identifier)
        try:
            return str(self.files.sign(path))
        except NotImplementedError:
            return f"{self._url}/{'/'.join(parts_of(identifier))}"


class FsspecUpload:
    """A file under a temporary name next to the final path."""

    def __init__(self, files: Any, path: str, unfinished: str) -> None:
        self._files, self._path, self._unfinished = files, path, unfinished
        self.received = 0
        self._file: Any = _done(unfinished, lambda: files.open(unfinished, "wb", block_size=CHUNK * 2))

    def write(self, data: bytes) -> None:
        _done(self._unfinished, lambda: self._file.write(data))

    def kept(self, size: int) -> BinaryIO:
        return BytesIO()

    def truncate(self, size: int) -> None:
        """There are never bytes of an earlier attempt."""

    def checksum(self) -> str:
        self.close()
        return str(_done(self._unfinished, self._digest))

    def _digest(self) -> str:
        digest = hashlib.sha256()
        with self._files.open(self._unfinished, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def publish(self) -> None:
        self.close()
        self._files.invalidate_cache()
        if _done(self._path, lambda: self._files.exists(self._path)):
            raise AlreadyThere(f"{self._path}: there is a file already, which is kept")
        _done(self._path, lambda: self._files.mv(self._unfinished, self._path))

    def close(self) -> None:
        _done(self._unfinished, self._file.close)


def _unfinished(path: str, token: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{token}.part"


def _done(identifier: str, function: Any) -> Any:
    """The function's result; errors of any file system become `StorageError`."""
    try:
        return function()
    except FileNotFoundError:
        raise FileMissing(f"{identifier}: there is no such file") from None
    except StorageError:
        raise
    except Exception as error:
        # Each file system of fsspec raises the exceptions of its own library.
        raise StorageError(f"{identifier}: {error}") from error
