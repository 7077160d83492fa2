"""Uploaded files are stored in one folder: a file for each component, named by a digest of the component's id.

No text from a client becomes part of a path. A file is written next to its final path and renamed when it is complete.
Unfinished uploads are separate for each account. So is a complete file of a component that its account may not read yet
(*pending*): it becomes the component's file when the component exists (``access.py``).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread

from callsheet.errors import Conflict, Invalid, NotFound, TooLarge
from callsheet.private import make_folder, opener
from callsheet.server.files.pictures import smaller

__all__ = ["FileStore", "key_digest", "placeholder"]

LARGEST = 64 * 2**30
"""Bytes in one request."""

_IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class FileStore:
    """The files in a folder; ``folder`` is called on first use, ``begun`` at the beginning of each upload."""

    def __init__(
        self, folder: Callable[[], Path], largest: int = LARGEST, begun: Callable[[], None] = lambda: None
    ) -> None:
        self._folder, self._largest, self._begun = folder, largest, begun

    # Places

    def path(self, key: str) -> Path:
        """The path of a component's file."""
        digest = key_digest(key)
        return self._folder() / digest[:2] / digest

    def pending(self, key: str, account: str) -> Path:
        """The path of an account's file until its component exists."""
        return self._own(key, account, "pending")

    def staged(self, key: str, account: str) -> Path:
        """The path of an account's unfinished upload."""
        return self._own(key, account, "upload")

    def part(self, key: str, account: str, number: int) -> Path:
        """The path of a part of an account's upload."""
        return self._own(key, account, f"{number:05d}")

    def _own(self, key: str, account: str, what: str) -> Path:
        path = self.path(key)
        return path.with_name(f"{path.name}.{key_digest(account)[:16]}.{what}")

    def waiting(self, key: str) -> Iterator[str]:
        """The accounts with pending files of a component, the oldest file first."""
        path = self.path(key)
        found = path.parent.glob(f"{path.name}.*.pending") if path.parent.is_dir() else ()
        for each in sorted(found, key=lambda one: one.stat().st_mtime_ns):
            name = self._folder() / "accounts" / each.name.split(".")[1]
            if name.is_file():
                yield name.read_text(encoding="utf-8")

    def adopt(self, key: str, account: str) -> bool:
        """Make an account's pending file the component's; returns false if the component has another file."""
        pending, whole = self.pending(key, account), self.path(key)
        try:
            os.link(pending, whole)
        except FileExistsError:
            return False
        except OSError:
            # Another reader has adopted it, or this file system has no hard links.
            return whole.exists() or _is_renamed(pending, whole)
        pending.unlink(missing_ok=True)
        return True

    def _prepare(self, path: Path, account: str) -> None:
        """Create the folder of a file, and record the account's name."""
        self._begun()
        make_folder(path.parent)
        known = self._folder() / "accounts" / key_digest(account)[:16]
        if not known.exists():
            make_folder(known.parent)
            unfinished = known.with_name(secrets.token_hex(8))
            with open(unfinished, "w", encoding="utf-8", opener=opener) as file:
                file.write(account)
            unfinished.replace(known)

    # Files

    def find(self, key: str) -> Path:
        """The file of a component; raises `NotFound` if there is none."""
        if not self.exists(key):
            raise NotFound("there is no file for this component")
        return self.path(key)

    def exists(self, key: str) -> bool:
        """Whether a component has a file."""
        return self.path(key).is_file()

    async def save(self, account: str, place: Callable[[], Path], chunks: AsyncIterator[bytes]) -> str:
        """Write the chunks to a file; returns its MD5 in hexadecimal.

        ``place`` returns the path, or raises if the account may not write. It is called before and after the upload,
        because that may take hours.
        """
        path = await to_thread.run_sync(place)
        await to_thread.run_sync(self._prepare, path, account)
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(6)}.part")
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with open(unfinished, "wb", opener=opener) as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self._largest:
                        raise TooLarge(f"the file is larger than {self._largest:,} bytes")
                    await to_thread.run_sync(_write, file, digest, chunk)
            unfinished.replace(await to_thread.run_sync(place))
        finally:
            unfinished.unlink(missing_ok=True)
        return digest.hexdigest()

    def remove(self, key: str) -> None:
        """Remove the file of a component, if there is one."""
        self.path(key).unlink(missing_ok=True)

    def forget(self, key: str, account: str) -> None:
        """Remove an account's upload, if there is one."""
        self.pending(key, account).unlink(missing_ok=True)
        self.staged(key, account).unlink(missing_ok=True)

    # Resumable uploads

    def append(self, key: str, account: str, offset: int, data: bytes) -> int:
        """Append data at its offset; returns the size received. Data received before is accepted again.

        Raises `Conflict`, whose details have the size ``received``, if the offset is not the end.
        """
        path = self.staged(key, account)
        self._prepare(path, account)
        with open(path, "a+b", opener=opener) as file:
            size = file.seek(0, os.SEEK_END)
            if offset + len(data) > self._largest:
                raise TooLarge(f"the file is larger than {self._largest:,} bytes")
            if size == offset:
                file.write(data)
                return offset + len(data)
            file.seek(offset)
            if size < offset + len(data) or file.read(len(data)) != data:
                raise Conflict(f"the upload has {size:,} bytes; continue there", details={"received": size})
        return size

    def complete(self, key: str, account: str, size: int, checksum: str, place: Path) -> None:
        """Move an upload to its path if size and checksum match; raises `Conflict` if another file is there."""
        path = self.staged(key, account)
        there = path.is_file()
        if not there and size == 0 and not place.exists():
            self._prepare(path, account)
            with open(path, "wb", opener=opener):
                there = True
        if not there:
            if _is_this(place, size, checksum):
                return
            raise Invalid("there is no upload of this file")
        if not _is_this(path, size, checksum):
            path.unlink()
            raise Invalid("the uploaded file does not match its size and checksum, and was removed; upload it again")
        if place.is_file() and not _is_this(place, size, checksum):
            path.unlink()
            raise Conflict("there is another file of this component already, which is kept")
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(place)

    def join(self, key: str, account: str, numbers: Sequence[int], place: Path) -> None:
        """Join an account's parts to a file, in the order of their numbers."""
        paths = [self.part(key, account, number) for number in numbers if 0 < number <= 99_999]
        missing = [path for path in paths if not path.is_file()]
        if missing or len(paths) != len(numbers):
            raise Invalid(f"{len(missing)} parts of the file have not been uploaded")
        unfinished = place.with_name(f"{place.name}.{secrets.token_hex(6)}.part")
        with open(unfinished, "wb", opener=opener) as file:
            for path in paths:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, file, 2**20)
        unfinished.replace(place)
        for path in paths:
            path.unlink(missing_ok=True)

    @staticmethod
    def placeholder() -> bytes:
        """The picture of a component without one."""
        return placeholder()

    @staticmethod
    def read(path: Path, offset: int, size: int) -> bytes:
        """A part of a file."""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def image(self, key: str, size: int | None = None) -> tuple[bytes | Path, str]:
        """A picture of a component, and its media type: its file if that is a picture, else a grey square.

        ``size`` is the largest width and height in pixels (see `smaller`).
        """
        path = self.path(key)
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(16)
            for signature, kind in _IMAGES.items():
                if start.startswith(signature):
                    made = None if size is None else smaller(path, size)
                    return (path, kind) if made is None else (made, "image/png")
        return placeholder(), "image/png"


def key_digest(text: str) -> str:
    """What stands for a component's id, or an account's name, in the names of files."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _is_renamed(path: Path, to: Path) -> bool:
    try:
        path.rename(to)
    except OSError:
        return False
    return True


def _is_this(path: Path, size: int, checksum: str) -> bool:
    """Whether a file exists with this size and checksum."""
    return path.is_file() and path.stat().st_size == size and _checksum(path) == checksum


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(file: BinaryIO, digest: hashlib._Hash, chunk: bytes) -> None:
    digest.update(chunk)
    file.write(chunk)


def placeholder(size: int = 32, grey: int = 0x80) -> bytes:
    """A grey square as PNG.

    >>> placeholder()[:4]
    b'\\x89PNG'
    """
    rows = b"".join(b"\x00" + bytes([grey]) * size for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    encoded = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(encoded)
