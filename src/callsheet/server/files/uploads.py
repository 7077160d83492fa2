"""Uploaded files, kept below one folder: a file for each component, its name a digest of the component's id.

No name that a client tells ever becomes part of a path. An address to put a file to is signed and ends after a
while, since whoever puts the file shows no key. A file is written beside its place and moved there when whole.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
import struct
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

from anyio import to_thread

from callsheet.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge

__all__ = ["FileStore", "placeholder"]

VALID_SECONDS = 6 * 3600
LARGEST = 64 * 2**30
"""Bytes in one request."""

_IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class FileStore:
    """The files of one server. Without a folder they are in a temporary one, which ends with ``close``."""

    def __init__(
        self, folder: Path | None = None, clock: Callable[[], float] = time.time, largest: int = LARGEST
    ) -> None:
        self._folder, self._clock, self._largest = folder, clock, largest
        self._secret = secrets.token_bytes(32)
        self._temporary: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the files are; made when first needed."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._folder
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="callsheet-files-"))
        return self._temporary

    def close(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    # Addresses

    def address(self, url: str, key: str, part: int = 0) -> str:
        """Where to put a file, or a part of one; good for some hours."""
        until = int(self._clock()) + VALID_SECONDS
        params = {"id": key, "part": part, "until": until, "signature": self._signature(key, part, until)}
        return f"{url}/component/put?{urlencode(params)}"

    def check(self, key: str, part: str, until: str, signature: str) -> int:
        """The part that an address is for; `Forbidden` where it was not made here, or is over."""
        if not (part.isascii() and part.isdigit() and until.isascii() and until.isdigit() and len(until) < 12):
            raise Forbidden("the address is damaged")
        expected = self._signature(key, int(part[:6]), int(until))
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise Forbidden("the address is damaged")
        if int(until) < self._clock():
            raise Forbidden("the address is too old; ask for another one")
        return int(part)

    def _signature(self, key: str, part: int, until: int) -> str:
        return hmac.new(self._secret, f"{part}\n{until}\n{key}".encode("utf-8", "replace"), "sha256").hexdigest()

    def reading_address(self, key: str) -> str:
        """A path that anybody may read a file at, for some hours."""
        until = int(self._clock()) + VALID_SECONDS
        params = {"id": key, "until": until, "signature": self._signature(key, -1, until)}
        return f"/component/get?{urlencode(params)}"

    def check_reading(self, key: str, until: str, signature: str) -> None:
        """Raise `Forbidden` where an address to read a file at was not made here, or is over."""
        if not (until.isascii() and until.isdigit() and len(until) < 12):
            raise Forbidden("the address is damaged")
        expected = self._signature(key, -1, int(until))
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise Forbidden("the address is damaged")
        if int(until) < self._clock():
            raise Forbidden("the address is too old; ask for another one")

    # Files

    def path(self, key: str, part: int = 0) -> Path:
        """Where the file of a component is, or a part of it."""
        digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        name = digest if not part else f"{digest}.{part:05d}"
        return self.folder / digest[:2] / name

    def find(self, key: str) -> Path:
        """The file of a component; `NotFound` where there is none."""
        path = self.path(key)
        if not self.exists(key):
            raise NotFound("there is no file for this component")
        return path

    def exists(self, key: str) -> bool:
        """Whether a component has a file."""
        return self.path(key).is_file()

    async def save(self, key: str, part: int, chunks: AsyncIterator[bytes]) -> str:
        """Write what comes; its MD5 in hexadecimal."""
        path = self.path(key, part)
        await to_thread.run_sync(lambda: path.parent.mkdir(parents=True, exist_ok=True))
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(6)}.part")
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with unfinished.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self._largest:
                        raise TooLarge(f"the file is larger than {self._largest:,} bytes")
                    await to_thread.run_sync(_write, file, digest, chunk)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return digest.hexdigest()

    def remove(self, key: str) -> None:
        """Remove the file of a component, and what there is of an upload; they need not be there."""
        self.path(key).unlink(missing_ok=True)
        self.staged(key).unlink(missing_ok=True)

    # Uploads that go on where they stopped

    def staged(self, key: str) -> Path:
        """Where an upload is that is not complete."""
        whole = self.path(key)
        return whole.with_name(f"{whole.name}.upload")

    def append(self, key: str, offset: int, data: bytes) -> int:
        """Add a part at its offset. A part that is there already is fine; `Conflict` tells where to go on."""
        path = self.staged(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
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

    def complete(self, key: str, size: int, checksum: str) -> None:
        """Make an upload the file, if it is what it should be; `Conflict` where there is another file."""
        path, whole = self.staged(key), self.path(key)
        there = path.is_file()
        if not there and size == 0 and not whole.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            there = True
        if not there:
            if whole.is_file() and whole.stat().st_size == size and _checksum(whole) == checksum:
                return
            raise Invalid("there is no upload of this file")
        if path.stat().st_size != size or _checksum(path) != checksum:
            path.unlink()
            raise Invalid("what was uploaded is not what it should be, and was removed; upload it again")
        if whole.is_file() and (whole.stat().st_size != size or _checksum(whole) != checksum):
            path.unlink()
            raise Conflict("there is another file of this component already, which is kept")
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(whole)

    def read(self, key: str, offset: int, size: int) -> bytes:
        """A part of a file."""
        with self.find(key).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def new_upload(self, key: str, parts: int) -> str:
        """The name of an upload in parts."""
        return self._signature(key, parts, 0)[:32]

    def join(self, key: str, upload: str, parts: Sequence[int]) -> None:
        """Put the parts together, in the order of their numbers."""
        numbers = sorted(set(parts))
        if not hmac.compare_digest(self.new_upload(key, len(numbers)).encode(), upload.encode("utf-8", "replace")):
            raise Invalid("the upload id does not belong to this component and number of parts")
        paths = [self.path(key, number) for number in numbers if 0 < number <= 99_999]
        missing = [path for path in paths if not path.is_file()]
        if missing or len(paths) != len(numbers):
            raise Invalid(f"{len(missing)} parts of the file have not come yet")
        whole = self.path(key)
        unfinished = whole.with_name(f"{whole.name}.{secrets.token_hex(6)}.part")
        with unfinished.open("wb") as file:
            for path in paths:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, file, 2**20)
        unfinished.replace(whole)
        for path in paths:
            path.unlink(missing_ok=True)

    def placeholder(self) -> bytes:
        """The picture of what has none."""
        return placeholder()

    def image(self, key: str) -> tuple[bytes | Path, str]:
        """A picture of a component: its file where that is one, else a grey square; and its media type."""
        path = self.path(key)
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(16)
            for signature, kind in _IMAGES.items():
                if start.startswith(signature):
                    return path, kind
        return placeholder(), "image/png"


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
