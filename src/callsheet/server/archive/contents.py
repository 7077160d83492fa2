"""What an archive consists of: a ZIP file with the schema, the rows of each table in runs, files, and a manifest.

===========================  =================================================================
``schema.json``              the schema document
``rows/TABLE/00001.jsonl``   a run of rows, each a JSON array, in the order of the table's key
``files/…``                  uploaded files, as they are in their folder
``manifest.json``            written last: tables with their columns, numbers of rows and digests
===========================  =================================================================

A file without a manifest is the rest of a dump that was cut off.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import msgspec

from callsheet.errors import StorageError

__all__ = ["APART", "FORMAT", "MANIFEST", "SCHEMA", "FileEntry", "Manifest", "TableEntry", "open_archive", "run_name"]

FORMAT = 1
MANIFEST, SCHEMA = "manifest.json", "schema.json"
APART = ("files_mark", "files_mark_used", "format", "id", "loading", "schema", "statistics")
"""Rows of ``_meta`` that are of one database and not of a copy, and the schema, which stands apart."""


class TableEntry(msgspec.Struct, frozen=True):
    """A table: its columns, how many rows in how many runs, and the digest of its rows."""

    name: str
    columns: tuple[str, ...]
    rows: int
    runs: int
    digest: str


class FileEntry(msgspec.Struct, frozen=True):
    """An uploaded file: its path in the folder, its size and SHA-256."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What is in an archive; ``log`` says whether the history is."""

    format: int
    version: str
    schema: str
    engine: str
    made: str
    log: bool
    position: int
    tables: tuple[TableEntry, ...]
    files: tuple[FileEntry, ...] | None = None

    @property
    def rows(self) -> int:
        """All rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def digest(self) -> str:
        """What tells this archive from others."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


def run_name(table: str, number: int) -> str:
    """The name of a run of rows."""
    return f"rows/{table}/{number:05d}.jsonl"


def open_archive(path: Path) -> tuple[ZipFile, Manifest]:
    """An archive, opened, and its manifest; `StorageError` for what is none, or not whole."""
    try:
        archive = ZipFile(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    except BadZipFile:
        raise StorageError(f"{path} is no dump, or one that was cut off") from None
    try:
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (KeyError, msgspec.DecodeError, BadZipFile):
        archive.close()
        raise StorageError(f"{path} is no dump of Callsheet's") from None
    if manifest.format != FORMAT:
        archive.close()
        raise StorageError(f"{path} has the format {manifest.format}; this version reads {FORMAT}: use a newer one")
    return archive, manifest
