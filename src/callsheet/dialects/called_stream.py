"""A stream of a backend in this process: it is read by calls, and has no bytes."""

from __future__ import annotations

from callsheet.errors import StateError
from callsheet.flow import Request, Response
from callsheet.model.event import Event

__all__ = ["CalledStream"]


class CalledStream:
    """What a `LocalEventStream` has only because streams over a network have it."""

    kind = "local"

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
