"""Reading and writing the files of a location as flows: `Kept` by an accessor, `ServerFiles` by the server.

Readers and writers have open files; ``close`` closes them at once and sends nothing, so that it can be called while a
flow is being closed.
"""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO, Protocol

from callsheet.dialects.protocol import FileDialect, FileUpload
from callsheet.errors import AlreadyThere, Conflict, FileMissing, NotFound, StorageError, Unsupported
from callsheet.flow import Flow, Work
from callsheet.storage.accessor import Accessor, Upload

__all__ = ["Keeper", "Kept", "FileReader", "ServerFiles", "FileWriter"]

CHUNK = 4 * 2**20


class FileReader(Protocol):
    """A file that is being read from its beginning."""

    def read(self, size: int) -> Flow[bytes]: ...

    def close(self) -> None: ...


class FileWriter(Protocol):
    """A file that is being written, and becomes visible when it is published."""

    part: int

    def write(self, data: bytes) -> Flow[None]: ...

    def seal(self, checksum: str) -> Flow[str]:
        """The checksum of the stored bytes."""
        ...

    def publish(self) -> Flow[None]: ...

    def close(self) -> None: ...

    def discard(self) -> Flow[None]: ...


class Keeper(Protocol):
    """Reads and writes the files of a location."""

    def size(self, identifier: str) -> Flow[int | None]:
        """The size of a file in bytes; None if there is none."""
        ...

    def reader(self, identifier: str, size: int) -> Flow[FileReader]: ...

    def writer(self, identifier: str, token: str, name: str, size: int) -> Flow[FileWriter]: ...

    def remove(self, identifier: str) -> Flow[None]:
        """Remove a file, if there is one."""
        ...


class Kept:
    """The files of an accessor."""

    def __init__(self, accessor: Accessor) -> None:
        self.accessor = accessor

    def size(self, identifier: str) -> Flow[int | None]:
        try:
            found: int = yield Work(lambda: self.accessor.size(identifier))
        except FileMissing:
            return None
        return found

    def reader(self, identifier: str, size: int) -> Flow[FileReader]:
        stream: BinaryIO = yield Work(lambda: self.accessor.open(identifier))
        return StreamReader(stream)

    def writer(self, identifier: str, token: str, name: str, size: int) -> Flow[FileWriter]:
        upload: Upload = yield Work(lambda: self.accessor.begin(identifier, token))
        return KeptWriter(upload, self.accessor, identifier, token)

    def remove(self, identifier: str) -> Flow[None]:
        try:
            yield Work(lambda: self.accessor.remove(identifier))
        except FileMissing:
            return


class StreamReader:
    """Reads a stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> Flow[bytes]:
        data: bytes = yield Work(lambda: self._stream.read(size))
        return data

    def close(self) -> None:
        self._stream.close()


class KeptWriter:
    """Writes through an upload. Bytes of an earlier attempt are compared with the source, and kept if equal."""

    def __init__(self, upload: Upload, accessor: Accessor, identifier: str, token: str) -> None:
        self._upload, self._accessor, self._identifier, self._token = upload, accessor, identifier, token
        self._position = 0
        self._kept: BinaryIO | None = upload.kept(upload.received) if upload.received else None
        self.part = CHUNK

    def write(self, data: bytes) -> Flow[None]:
        yield Work(lambda: self._write(data))

    def _write(self, data: bytes) -> None:
        known = b"" if self._kept is None else self._kept.read(len(data))
        if known and data.startswith(known):
            fresh = data[len(known) :]
        else:
            fresh = data
        if self._kept is not None and fresh:
            self._forget_rest(self._position + len(data) - len(fresh))
        if fresh:
            self._upload.write(fresh)
        self._position += len(data)

    def _forget_rest(self, position: int) -> None:
        """Discard the kept bytes from this position on."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
            self._upload.truncate(position)

    def seal(self, checksum: str) -> Flow[str]:
        found: str = yield Work(self._seal)
        return found

    def _seal(self) -> str:
        self._forget_rest(self._position)
        return self._upload.checksum()

    def publish(self) -> Flow[None]:
        yield Work(self._upload.publish)

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self._upload.close()

    def discard(self) -> Flow[None]:
        yield Work(self._discard)

    def _discard(self) -> None:
        try:
            self.close()
        except StorageError:
            # A full disk refuses the buffered bytes, which are not needed.
            pass
        self._accessor.forget(self._identifier, self._token)


class ServerFiles:
    """The files on the server, by the keys of their components."""

    def __init__(self, dialect: Any) -> None:
        if not isinstance(dialect, FileDialect):
            raise Unsupported(f"the dialect {dialect.name!r} cannot transfer files")
        self._dialect = dialect

    def size(self, identifier: str) -> Flow[int | None]:
        return (yield from self._dialect.file_size(identifier))

    def reader(self, identifier: str, size: int) -> Flow[FileReader]:
        return ServedReader(self._dialect, identifier, size)
        yield  # pragma: no cover

    def writer(self, identifier: str, token: str, name: str, size: int) -> Flow[FileWriter]:
        upload = yield from self._dialect.upload(identifier, name, size)
        return ServedWriter(upload)

    def remove(self, identifier: str) -> Flow[None]:
        try:
            yield from self._dialect.remove_file(identifier)
        except NotFound:
            return

    def address(self, identifier: str) -> Flow[str]:
        """A URL, or a path on the server, at which the file can be read for some hours."""
        return (yield from self._dialect.file_address(identifier))


class ServedReader:
    """Reads a file of the server part by part."""

    def __init__(self, dialect: FileDialect, key: str, size: int) -> None:
        self._dialect, self._key, self._size = dialect, key, size
        self._position = 0

    def read(self, size: int) -> Flow[bytes]:
        size = min(size, self._size - self._position)
        if size <= 0:
            return b""
        data = yield from self._dialect.read_file(self._key, self._position, size)
        if not data:
            raise FileMissing(f"{self._key}: the file ends after {self._position:,} of {self._size:,} bytes")
        self._position += len(data)
        return data

    def close(self) -> None:
        """There is nothing to close."""


class ServedWriter:
    """Sends a file to the server part by part; `publish` completes it."""

    def __init__(self, upload: FileUpload) -> None:
        self._upload = upload
        self.part = upload.part
        self._checksum = hashlib.sha256().hexdigest()

    def write(self, data: bytes) -> Flow[None]:
        yield from self._upload.send(data)

    def seal(self, checksum: str) -> Flow[str]:
        self._checksum = checksum
        return checksum
        yield  # pragma: no cover

    def publish(self) -> Flow[None]:
        try:
            yield from self._upload.finish(self._checksum)
        except Conflict as error:
            raise AlreadyThere(str(error)) from error

    def close(self) -> None:
        """There is nothing to close."""

    def discard(self) -> Flow[None]:
        yield from self._upload.abandon()
