"""Accessors read and write the files of a location. An identifier is a text with forward slashes.

Theory. A file becomes visible only when it is complete: an `Upload` writes under a temporary name next to the final
path, and is *published* when it is complete. Existing files are never overwritten. Accessors block; flows call them in
`Work`.
"""

from __future__ import annotations

from typing import BinaryIO, Protocol

from callsheet.errors import UnsafePath

__all__ = ["HIDDEN", "Accessor", "Upload", "parts_of"]

HIDDEN = ".callsheet"
"""The folder of a location in which Callsheet records running operations."""


class Upload(Protocol):
    """A file that is being written. ``received`` counts the bytes kept from an earlier attempt."""

    received: int

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""

    def kept(self, size: int) -> BinaryIO:
        """The bytes of an earlier attempt (at most ``size``), to be compared with the source."""

    def truncate(self, size: int) -> None:
        """Discard received bytes beyond this size."""

    def checksum(self) -> str:
        """SHA-256 of the stored bytes, read back from storage."""

    def publish(self) -> None:
        """Give the file its final name; raises `AlreadyThere` if that exists."""

    def close(self) -> None:
        """Close it. Received bytes are kept for another attempt."""


class Accessor(Protocol):
    """Reads and writes the files of a location. Errors are `StorageError`, whose text has the identifier."""

    def exists(self, identifier: str) -> bool:
        """Whether there is a file."""

    def size(self, identifier: str) -> int:
        """The size of a file in bytes; raises `FileMissing` if there is none."""

    def open(self, identifier: str) -> BinaryIO:
        """Open a file for reading; raises `FileMissing` if there is none."""

    def begin(self, identifier: str, token: str) -> Upload:
        """Begin to write a file, or resume an earlier upload with the same token."""

    def forget(self, identifier: str, token: str) -> None:
        """Remove an unpublished upload, if there is one."""

    def write(self, identifier: str, data: bytes) -> None:
        """Write a small file at once, replacing an existing one."""

    def remove(self, identifier: str) -> None:
        """Remove a file; raises `FileMissing` if there is none."""

    def list(self, folder: str = "") -> list[str]:
        """The identifiers of all files below a folder, sorted; empty if there is no folder."""

    def filesystem_path(self, identifier: str) -> str:
        """The path on this machine; raises `Unsupported` if there is none."""

    def url(self, identifier: str) -> str:
        """A URL for others; raises `Unsupported` if there is none."""


def parts_of(identifier: str) -> tuple[str, ...]:
    """The parts of an identifier; raises `UnsafePath` if it is absolute, leads upwards, or has other separators.

    >>> parts_of("sintel/sq010/plate.0001.exr")
    ('sintel', 'sq010', 'plate.0001.exr')
    """
    parts = tuple(part for part in identifier.split("/") if part not in ("", "."))
    wrong = not parts or identifier.startswith("/") or any(map(_is_unsafe, parts))
    if wrong:
        raise UnsafePath(f"{identifier!r:.200} is not a path within a location; write it as folder/file")
    return parts


def _is_unsafe(part: str) -> bool:
    drive = len(part) > 1 and part[1] == ":"
    return part == ".." or drive or "\\" in part or any(ord(character) < 32 for character in part)
