"""Abandoned uploads, which never became a component's file, are listed, and removed when they are old.

An upload is kept for some days after its last byte (the limit ``upload_days``), so that a client may commit the
component later. It is kept one more day, because a commit may be sent in parts, which are kept for a day: so a commit
that began in time finds its uploads. A file whose component exists is never removed. The server checks once a day, when
a file is uploaded.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from attrs import frozen
from sqlalchemy import select

from callsheet.errors import Invalid
from callsheet.server.files.uploads import key_digest
from callsheet.server.store.store import Store

__all__ = ["AbandonedUploads", "Unfinished"]

_log = logging.getLogger("callsheet.server")

COMMITS = timedelta(days=1)
"""How long a commit in parts may take."""
PACE = timedelta(days=1)
LEAST = 1.0
"""Days: a younger upload may still be running."""
_NAME = re.compile(r"([0-9a-f]{64})\.(?:([0-9a-f]{16})\.)?.+")
"""The digest of a component, the digest of the account if the file is an account's own, and the kind of file."""


@frozen
class Unfinished:
    """A file that is not a component's: incomplete, or pending. ``changed`` is the time of its last byte."""

    path: Path
    component: str
    account: str
    state: str
    size: int
    changed: datetime


class AbandonedUploads:
    """The unfinished uploads of one server."""

    def __init__(self, store: Store, folder: Callable[[], Path], clock: Callable[[], datetime], days: float) -> None:
        self._store, self._folder, self._clock = store, folder, clock
        self._kept = timedelta(days=days)
        self._checked: datetime | None = None
        self._checking = Lock()

    def keep(self) -> None:
        """Remove old uploads, at most once a day. Called when a file is uploaded."""
        now = self._clock()
        if (self._checked is not None and now - self._checked < PACE) or not self._checking.acquire(blocking=False):
            return
        try:
            self._checked = now
            self.remove()
        except OSError:
            _log.warning("old uploads cannot be removed", exc_info=True)
        finally:
            self._checking.release()

    def found(self) -> list[Unfinished]:
        """All unfinished uploads, the oldest first."""
        return sorted(_unfinished(self._folder()), key=lambda each: each.changed)

    def remove(self, days: float | None = None) -> list[Unfinished]:
        """Remove uploads unchanged for ``days`` (None: ``upload_days`` and one more); returns the removed ones."""
        if days is not None and days < LEAST:
            raise Invalid(f"an upload younger than {LEAST:g} day may still be running, and is not removed")
        age = self._kept + COMMITS if days is None else timedelta(days=days)
        before = self._clock() - age
        old = [each for each in _unfinished(self._folder()) if each.changed <= before]
        needed = self._needed({each.component for each in old if each.state == "pending"})
        gone = [each for each in old if not (each.state == "pending" and each.component in needed)]
        for each in gone:
            each.path.unlink(missing_ok=True)
        return gone

    def _needed(self, components: set[str]) -> set[str]:
        """The digests among these whose component exists without a file."""
        schema = self._store.schema
        if not components or "Component" not in schema.types:
            return set()
        table = self._store.tables[schema.types["Component"].root]
        keys = select(table.c.id).where(table.c._type.in_(schema.concrete("Component")))
        with self._store.reading() as connection:
            there = {key_digest(key) for key in connection.execute(keys).scalars()} & components
        return {each for each in there if not (self._folder() / each[:2] / each).exists()}


def _unfinished(folder: Path) -> Iterator[Unfinished]:
    for part in os.scandir(folder):
        if len(part.name) == 2 and part.is_dir(follow_symlinks=False):
            yield from _in_part(folder, Path(part.path))


def _in_part(folder: Path, part: Path) -> Iterator[Unfinished]:
    for file in os.scandir(part):
        named = _NAME.fullmatch(file.name)
        if named is None:
            continue
        try:
            status = file.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # It was just renamed to a component's file.
        component, account = named[1], named[2]
        state = "pending" if file.name.endswith(".pending") else "incomplete"
        changed = datetime.fromtimestamp(status.st_mtime, UTC)
        yield Unfinished(Path(file.path), component, _account(folder, account), state, status.st_size, changed)


def _account(folder: Path, digest: str | None) -> str:
    """The account of a digest; empty for an interrupted upload to a component's own path."""
    try:
        return "" if digest is None else (folder / "accounts" / digest).read_text(encoding="utf-8")
    except OSError:
        return ""
