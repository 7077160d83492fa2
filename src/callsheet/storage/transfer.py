"""Copies the file of one component, in parts, and makes sure that what was written is what was read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from attrs import define, frozen

from callsheet.errors import DamagedCopy, FileMissing, TransportError
from callsheet.flow import Flow
from callsheet.storage.keeping import FileReader, FileWriter, Keeper

__all__ = ["Copy", "OnProgress", "Progress", "transfer"]


@frozen
class Progress:
    """How far a transfer is: bytes copied of all bytes, and the identifier of the file that is being copied."""

    identifier: str
    done: int
    total: int


OnProgress: TypeAlias = Callable[[Progress], None]


@define
class Copy:
    """One file to copy. ``done`` counts the bytes of the whole transfer when it begins, of ``total``."""

    source: Keeper
    source_identifier: str
    target: Keeper
    identifier: str
    token: str
    name: str
    size: int
    done: int
    total: int


def transfer(copy: Copy, progress: OnProgress | None, alive: Callable[[], Flow[None]]) -> Flow[str]:
    """Copy a file and give it its name; its SHA-256. ``alive`` is run after every part.

    Half a copy is removed, unless the network failed: then the next attempt goes on with it. When the flow is
    closed in the middle, half a copy stays.
    """
    reader = yield from copy.source.reader(copy.source_identifier, copy.size)
    try:
        writer = yield from copy.target.writer(copy.identifier, copy.token, copy.name, copy.size)
        try:
            try:
                checksum = yield from _copy(copy, reader, writer, progress, alive)
                yield from writer.publish()
            except Exception as error:
                if not isinstance(error, TransportError):
                    yield from writer.discard()
                raise
        finally:
            writer.close()
    finally:
        reader.close()
    return checksum


def _copy(
    copy: Copy, reader: FileReader, writer: FileWriter, progress: OnProgress | None, alive: Callable[[], Flow[None]]
) -> Flow[str]:
    digest, position = hashlib.sha256(), 0
    while True:
        part = yield from _fill(reader, writer.part)
        if not part:
            break
        digest.update(part)
        yield from writer.write(part)
        position += len(part)
        if progress is not None:
            progress(Progress(copy.identifier, copy.done + position, copy.total))
        yield from alive()
    if position != copy.size:
        raise FileMissing(
            f"{copy.source_identifier}: {position:,} bytes could be read instead of {copy.size:,}; it is being changed"
        )
    expected = digest.hexdigest()
    stored = yield from writer.seal(expected)
    if stored != expected:
        raise DamagedCopy(f"{copy.identifier}: what was written is not what was read from {copy.source_identifier}")
    return expected


def _fill(reader: FileReader, size: int) -> Flow[bytes]:
    """A part of this size, or what is left of the file."""
    part: bytes = yield from reader.read(size)
    if not part or len(part) == size:
        return part
    parts, missing = [part], size - len(part)
    while missing and (part := (yield from reader.read(missing))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
