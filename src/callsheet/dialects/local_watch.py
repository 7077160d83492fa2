"""Watches of a backend in this process, as a stream."""

from __future__ import annotations

from collections.abc import Sequence

from callsheet.dialects.protocol import WatchSource
from callsheet.errors import StateError
from callsheet.flow import Request, Response
from callsheet.model.event import LAST_INDEX, Event, Position
from callsheet.model.watching import WATCHED

__all__ = ["LocalWatchStream"]


class LocalWatchStream:
    """Changes of the results that a backend's reader watches: a `LocalEventStream`."""

    kind = "local"
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

    def opening(self) -> Request:
        """Not used: the backend is called."""
        raise StateError("a server in this process is called, not connected to")

    def opened(self, response: Response) -> None:
        """Not used: the backend is called."""

    def receive(self, data: bytes) -> list[Event]:
        """Not used: no bytes are received."""
        return []

    def to_send(self) -> list[bytes]:
        """Nothing is sent."""
        return []
