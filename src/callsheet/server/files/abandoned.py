"""Uploads that nobody finished: what never became a component's file is listed, and removed when it is old.

An upload is kept for some days from its last byte on (the limit ``upload_days``), so that a client may commit the
component later. One more day passes before it is removed: a commit may be sent in parts, which are kept for a day. So
what a commit needs that began in time is there when the commit ends. A file whose component exists is never removed.
The server looks once a day, while files are uploaded.
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
"""How long a commit may take that is sent in parts."""
PACE = timedelta(days=1)
LEAST = 1.0
"""Days: what is younger may be under way."""
_NAME = re.compile(r"([0-9a-f]{64})\.(?:([0-9a-f]{16})\.)?.+")
"""The digest of a component, that of the account where the file is an account's own, and what it is."""


@frozen
class Unfinished:
    """A file that is not a component's: half uploaded, or whole without a component. ``changed`` is its last byte."""

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
        self._looked: datetime | None = None
        self._looking = Lock()

    def keep(self) -> None:
        """Remove what is old, where nobody has looked for a day. Called when a file is uploaded."""
        now = self._clock()
        if (self._looked is not None and now - self._looked < PACE) or not self._looking.acquire(blocking=False):
            return
        try:
            self._looked = now
            self.remove()
        except OSError:
            _log.warning("old uploads cannot be removed", exc_info=True)
        finally:
            self._looking.release()

    def found(self) -> list[Unfinished]:
        """What is unfinished now, the oldest first."""
        return sorted(_unfinished(self._folder()), key=lambda each: each.changed)

    def remove(self, days: float | None = None) -> list[Unfinished]:
        """Remove what has not changed for so many days (None: the server's own, and a day), and say what it was."""
        if days is not None and days < LEAST:
            raise Invalid(f"what is younger than {LEAST:g} day may be under way, and is not removed")
        age = self._kept + COMMITS if days is None else timedelta(days=days)
        before = self._clock() - age
        old = [each for each in _unfinished(self._folder()) if each.changed <= before]
        needed = self._needed({each.component for each in old if each.state == "pending"})
        gone = [each for each in old if not (each.state == "pending" and each.component in needed)]
        for each in gone:
            each.path.unlink(missing_ok=True)
        return gone

    def _needed(self, components: set[str]) -> set[str]:
        """Those of these digests whose component is there, and has no file yet."""
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
            continue  # It has become a component's file meanwhile.
        component, account = named[1], named[2]
        state = "pending" if file.name.endswith(".pending") else "incomplete"
        changed = datetime.fromtimestamp(status.st_mtime, UTC)
        yield Unfinished(Path(file.path), component, _account(folder, account), state, status.st_size, changed)


def _account(folder: Path, digest: str | None) -> str:
    """The account that a digest stands for; empty where a write to a component's own place was cut off."""
    try:
        return "" if digest is None else (folder / "accounts" / digest).read_text(encoding="utf-8")
    except OSError:
        return ""
