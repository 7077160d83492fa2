"""Running operations on a location are recorded in the location itself before they begin.

Theory. Files and the server's rows cannot change atomically. So a file gets its final name before its row is committed:
a file exists for every row. And before a file is begun, an *intent* is written: the rows to be committed, with their
files and sizes. An interrupted operation leaves its intent, and the intent and the rows determine what to do: if the
row exists, the file stays; if not, it is removed. For a removal, the row is deleted first, under the same rule. An
intent is renewed while its operation runs, and other sessions do not touch it until it is old: by then, none of its
requests can still be running.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import asdict, evolve, field, frozen

from callsheet.errors import FileMissing
from callsheet.flow import Flow, Work
from callsheet.model.record import new_key
from callsheet.storage.accessor import HIDDEN, Accessor

__all__ = ["STALE_SECONDS", "Intent", "Intents", "Planned"]

FOLDER = f"{HIDDEN}/pending"
STALE_SECONDS = 600.0
"""After this time without renewal, others may settle an intent. Longer than any request may take."""
RENEWED_SECONDS = 60.0


@frozen
class Planned:
    """A file whose row is to be created or deleted: the keys of row and component, the identifier, and the size."""

    row: str
    component: str
    identifier: str
    size: int | None
    """None: there is no file, as for a sequence as a whole."""
    told: str
    """The identifier in the row. (The name is part of the stored format.)"""


@frozen
class Intent:
    """A running operation. ``origin`` is its session, ``renewed`` a time in seconds since 1970."""

    items: tuple[Planned, ...]
    origin: str
    renewed: float
    token: str = field(factory=new_key)

    def is_old(self, now: float, older_than: float = STALE_SECONDS) -> bool:
        return now - self.renewed >= older_than


class Intents:
    """The intents of one location."""

    def __init__(self, accessor: Accessor, clock: Callable[[], float] = time.time) -> None:
        self._accessor, self._clock = accessor, clock

    def now(self) -> float:
        return self._clock()

    def begin(self, items: tuple[Planned, ...], origin: str) -> Flow[Intent]:
        """Write an intent."""
        intent = Intent(items, origin, self._clock())
        yield from self._write(intent)
        return intent

    def renew(self, intent: Intent) -> Flow[Intent]:
        """Renew an intent if it is due."""
        if self._clock() - intent.renewed < RENEWED_SECONDS:
            return intent
        renewed = evolve(intent, renewed=self._clock())
        yield from self._write(renewed)
        return renewed

    def forget_half(self, planned: Planned) -> Flow[None]:
        """Remove an unpublished file, if there is one."""
        if planned.size is not None:
            yield Work(partial(self._accessor.forget, planned.identifier, planned.component))

    def end(self, intent: Intent) -> Flow[None]:
        """Remove the intent: its operation is done or undone."""
        try:
            yield Work(lambda: self._accessor.remove(_name(intent.token)))
        except FileMissing:
            return

    def all(self) -> Flow[list[Intent]]:
        """The intents of running and interrupted operations."""
        names: list[str] = yield Work(lambda: self._accessor.list(FOLDER))
        found = []
        for name in names:
            if name.endswith(".json"):
                intent = yield Work(partial(self._read, name))
                if intent is not None:
                    found.append(intent)
        return found

    def _write(self, intent: Intent) -> Flow[None]:
        data = json.dumps(asdict(intent)).encode()
        yield Work(lambda: self._accessor.write(_name(intent.token), data))

    def _read(self, name: str) -> Intent | None:
        try:
            with self._accessor.open(name) as file:
                content: Any = json.loads(file.read())
            items = tuple(Planned(**each) for each in content["items"])
            return Intent(items, str(content["origin"]), float(content["renewed"]), str(content["token"]))
        except (FileMissing, ValueError, TypeError, KeyError):
            # It has just ended, or is not an intent.
            return None


def _name(token: str) -> str:
    return f"{FOLDER}/{token}.json"
