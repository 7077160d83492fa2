"""Watches of a backend in this process, as a stream."""

from __future__ import annotations

from collections.abc import Sequence

from callsheet.dialects.called_stream import CalledStream
from callsheet.dialects.protocol import WatchSource
from callsheet.model.event import LAST_INDEX, Event, Position
from callsheet.model.watching import WATCHED

__all__ = ["LocalWatchStream"]


class LocalWatchStream(CalledStream):
    """Changes of the results that a backend's reader watches: a `LocalEventStream`."""

    begun = True

    def __init__(self, source: WatchSource) -> None:
        self._source = source

    @property
    def position(self) -> Position | None:
        """The position up to which all results are known to hold."""
        return Position(self._source.position, LAST_INDEX)

    def read(self, timeout: float) -> Sequence[Event]:
        """The next changes; blocks up to ``timeout`` seconds until there are any."""
        if not self._source.wait(timeout):
            return ()
        found = [Event(WATCHED, step) for step in self._source.changes()]
        self._source.delivered()
        return found

    def close(self) -> None:
        """Watch no more."""
        self._source.close()

    def resubscribe(self, *_: object) -> bool:
        """False: this stream cannot change its questions."""
        return False
