"""Uploaded files, kept below one folder: a file for each component, its name a digest of the component's id.

No name that a client tells ever becomes part of a path. A file is written beside its place and moved there when whole.
What is unfinished is each account's own, and so is a whole file of a component that its account does not see yet
(*pending*): it becomes the component's file when the component is there (``access.py``).
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
    """The files below a folder, which is asked for when it is first needed; ``begun`` is called with each upload."""

    def __init__(
        self, folder: Callable[[], Path], largest: int = LARGEST, begun: Callable[[], None] = lambda: None
    ) -> None:
        self._folder, self._largest, self._begun = folder, largest, begun

    # Places

    def path(self, key: str) -> Path:
        """Where the file of a component is."""
        digest = key_digest(key)
        return self._folder() / digest[:2] / digest

    def pending(self, key: str, account: str) -> Path:
        """Where an account's file is until its component is there."""
        return self._own(key, account, "pending")

    def staged(self, key: str, account: str) -> Path:
        """Where an account's upload is that is not complete."""
        return self._own(key, account, "upload")

    def part(self, key: str, account: str, number: int) -> Path:
        """Where a part of an account's upload is."""
        return self._own(key, account, f"{number:05d}")

    def _own(self, key: str, account: str, what: str) -> Path:
        path = self.path(key)
        return path.with_name(f"{path.name}.{key_digest(account)[:16]}.{what}")

    def waiting(self, key: str) -> Iterator[str]:
        """The accounts that have pending files of a component; the one that came first is the first."""
        path = self.path(key)
        found = path.parent.glob(f"{path.name}.*.pending") if path.parent.is_dir() else ()
        for each in sorted(found, key=lambda one: one.stat().st_mtime_ns):
            name = self._folder() / "accounts" / each.name.split(".")[1]
            if name.is_file():
                yield name.read_text(encoding="utf-8")

    def adopt(self, key: str, account: str) -> bool:
        """Make an account's pending file that of the component; whether it is. One that is there is kept."""
        pending, whole = self.pending(key, account), self.path(key)
        try:
            os.link(pending, whole)
        except FileExistsError:
            return False
        except OSError:
            # Another reader has done it, or this file system has no links.
            return whole.exists() or _is_renamed(pending, whole)
        pending.unlink(missing_ok=True)
        return True

    def _prepare(self, path: Path, account: str) -> None:
        """Make the folder of a file, and note whose it is."""
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
        """The file of a component; `NotFound` where there is none."""
        if not self.exists(key):
            raise NotFound("there is no file for this component")
        return self.path(key)

    def exists(self, key: str) -> bool:
        """Whether a component has a file."""
        return self.path(key).is_file()

    async def save(self, account: str, place: Callable[[], Path], chunks: AsyncIterator[bytes]) -> str:
        """Write what comes; its MD5 in hexadecimal. ``place`` says where it goes: before and after, for hours may pass.

        It raises where it may not go anywhere.
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
        """Remove the file of a component; it need not be there."""
        self.path(key).unlink(missing_ok=True)

    def forget(self, key: str, account: str) -> None:
        """Remove what an account has of an upload; it need not be there."""
        self.pending(key, account).unlink(missing_ok=True)
        self.staged(key, account).unlink(missing_ok=True)

    # Uploads that go on where they stopped

    def append(self, key: str, account: str, offset: int, data: bytes) -> int:
        """Add a part at its offset. A part that is there already is fine; `Conflict` tells where to go on."""
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
                raise Conflict(f"the upload has {size:,} bytes; go on there", details={"received": size})
        return size

    def complete(self, key: str, account: str, size: int, checksum: str, place: Path) -> None:
        """Make an upload the file at a place, if it is what it should be; `Conflict` where there is another file."""
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
            raise Invalid("what was uploaded is not what it should be, and was removed; upload it again")
        if place.is_file() and not _is_this(place, size, checksum):
            path.unlink()
            raise Conflict("there is another file of this component already, which is kept")
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(place)

    def join(self, key: str, account: str, numbers: Sequence[int], place: Path) -> None:
        """Put an account's parts together at a place, in the order of their numbers."""
        paths = [self.part(key, account, number) for number in numbers if 0 < number <= 99_999]
        missing = [path for path in paths if not path.is_file()]
        if missing or len(paths) != len(numbers):
            raise Invalid(f"{len(missing)} parts of the file have not come yet")
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
        """The picture of what has none."""
        return placeholder()

    @staticmethod
    def read(path: Path, offset: int, size: int) -> bytes:
        """A part of a file."""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def image(self, key: str, size: int | None = None) -> tuple[bytes | Path, str]:
        """A picture of a component: its file where that is one, else a grey square; and its media type.

        With a ``size`` it is at most so many pixels wide and high (see `smaller`).
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
    """Whether a file is there with this content."""
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
    told = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(told)
