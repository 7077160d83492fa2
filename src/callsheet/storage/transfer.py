"""Copies the file of one component, in parts, and verifies its checksum."""

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
    """The progress of a transfer: copied bytes, total bytes, and the identifier of the current file."""

    identifier: str
    done: int
    total: int


OnProgress: TypeAlias = Callable[[Progress], None]


@define
class Copy:
    """One file to copy. ``done`` counts the bytes copied before this file, of ``total`` in the whole transfer."""

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
    """Copy a file and publish it; returns its SHA-256. ``alive`` is run after every part.

    An unfinished copy is removed, except after a network failure: then the next attempt resumes it. If the flow is
    closed, the unfinished copy stays.
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
            f"{copy.source_identifier}: {position:,} bytes were read instead of {copy.size:,}; the file is changing"
        )
    expected = digest.hexdigest()
    stored = yield from writer.seal(expected)
    if stored != expected:
        raise DamagedCopy(f"{copy.identifier}: the copy differs from its source {copy.source_identifier}")
    return expected


def _fill(reader: FileReader, size: int) -> Flow[bytes]:
    """A part of this size, or the rest of the file."""
    part: bytes = yield from reader.read(size)
    if not part or len(part) == size:
        return part
    parts, missing = [part], size - len(part)
    while missing and (part := (yield from reader.read(missing))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
