"""Accessors: how the files of a location are reached. An identifier is a text with forward slashes.

Theory. Files become visible whole or not at all: an `Upload` writes beside its place under a name of its own
and is *published* when all of it is there. Nothing is ever overwritten. Accessors block; flows call them in
`Work`.
"""

from __future__ import annotations

from typing import BinaryIO, Protocol

from callsheet.errors import UnsafePath

__all__ = ["HIDDEN", "Accessor", "Upload", "parts_of"]

HIDDEN = ".callsheet"
"""The folder of a location where Callsheet notes what is under way."""


class Upload(Protocol):
    """A file on its way to its place. ``received`` counts the bytes that are there from an attempt before."""

    received: int

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""

    def kept(self, size: int) -> BinaryIO:
        """What was received before, to be compared with what should be there; at most ``size`` bytes count."""

    def truncate(self, size: int) -> None:
        """Forget what was received beyond this size."""

    def checksum(self) -> str:
        """SHA-256 of what is stored now, read back from where it is."""

    def publish(self) -> None:
        """Give the file its name; `AlreadyThere` where that is taken."""

    def close(self) -> None:
        """Let go of it. What was received stays for another attempt."""


class Accessor(Protocol):
    """Reaches the files of a location. Errors are `StorageError`; what fails tells the identifier."""

    def exists(self, identifier: str) -> bool:
        """Whether there is a file."""

    def size(self, identifier: str) -> int:
        """Bytes of a file; `FileMissing` where there is none."""

    def open(self, identifier: str) -> BinaryIO:
        """A file to read from its beginning; `FileMissing` where there is none."""

    def begin(self, identifier: str, token: str) -> Upload:
        """Begin to write a file, or go on with what an earlier upload of the same token left."""

    def forget(self, identifier: str, token: str) -> None:
        """Remove what an upload left that was not published; there need not be any."""

    def write(self, identifier: str, data: bytes) -> None:
        """Write a small file at once, in place of what is there."""

    def remove(self, identifier: str) -> None:
        """Remove a file; `FileMissing` where there is none."""

    def list(self, folder: str = "") -> list[str]:
        """The identifiers of all files below a folder, sorted; none where there is no folder."""

    def filesystem_path(self, identifier: str) -> str:
        """The path on this machine; `Unsupported` where there is none."""

    def url(self, identifier: str) -> str:
        """An address others can use; `Unsupported` where there is none."""


def parts_of(identifier: str) -> tuple[str, ...]:
    """The parts of an identifier; `UnsafePath` for one that is absolute, leads upwards, or hides a separator.

    >>> parts_of("sintel/sq010/plate.0001.exr")
    ('sintel', 'sq010', 'plate.0001.exr')
    """
    parts = tuple(part for part in identifier.split("/") if part not in ("", "."))
    wrong = not parts or identifier.startswith("/") or any(map(_is_unsafe, parts))
    if wrong:
        raise UnsafePath(f"{identifier!r:.200} is no place within a location; write it as folder/file")
    return parts


def _is_unsafe(part: str) -> bool:
    drive = len(part) > 1 and part[1] == ":"
    return part == ".." or drive or "\\" in part or any(ord(character) < 32 for character in part)
