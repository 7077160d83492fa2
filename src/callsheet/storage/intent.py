"""What is under way in a location, noted in the location itself before anything of it happens.

Theory. Files and the server's rows cannot change in one step. So a file gets its name before its row is
committed: whoever finds a row finds the file. And before a file gets its name, or is begun, an *intent* is
written: which rows will be committed, for which files of which size. Whatever is interrupted leaves an intent,
and from the intent and the rows it follows what to do: a row is there, so the file stays; there is none, so the
file goes. For a removal the row goes first, under the same rule. An intent is renewed while its work goes on, and
is left alone by others until it is old: by then no request of it can still be on its way.
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
"""After this long without a sign of life an intent is taken over. Longer than any request may take."""
RENEWED_SECONDS = 60.0


@frozen
class Planned:
    """A file that is to have a row, or to lose it: the keys of row and component, where, and how many bytes."""

    row: str
    component: str
    identifier: str
    size: int | None
    """None: there is no file, as of a sequence as a whole."""
    told: str
    """The identifier as the row has it."""


@frozen
class Intent:
    """Work that has begun. ``origin`` is the session that does it, ``renewed`` a time in seconds since 1970."""

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
        """Note what is going to happen."""
        intent = Intent(items, origin, self._clock())
        yield from self._write(intent)
        return intent

    def renew(self, intent: Intent) -> Flow[Intent]:
        """Say that the work goes on, where it is some time since that was said."""
        if self._clock() - intent.renewed < RENEWED_SECONDS:
            return intent
        renewed = evolve(intent, renewed=self._clock())
        yield from self._write(renewed)
        return renewed

    def forget_half(self, planned: Planned) -> Flow[None]:
        """Remove what there is of a file that did not get its name."""
        if planned.size is not None:
            yield Work(partial(self._accessor.forget, planned.identifier, planned.component))

    def end(self, intent: Intent) -> Flow[None]:
        """All of it is done, or undone."""
        try:
            yield Work(lambda: self._accessor.remove(_name(intent.token)))
        except FileMissing:
            return

    def all(self) -> Flow[list[Intent]]:
        """What is under way, or was interrupted."""
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
                told: Any = json.loads(file.read())
            items = tuple(Planned(**each) for each in told["items"])
            return Intent(items, str(told["origin"]), float(told["renewed"]), str(told["token"]))
        except (FileMissing, ValueError, TypeError, KeyError):
            # It ended meanwhile, or is no intent of ours.
            return None


def _name(token: str) -> str:
    return f"{FOLDER}/{token}.json"
