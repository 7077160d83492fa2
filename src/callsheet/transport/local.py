"""The transport of a session with a server in the same process: it sends nothing."""

from __future__ import annotations

from typing import NoReturn

from callsheet.errors import StateError
from callsheet.flow import Request
from callsheet.model.event import Position
from callsheet.transport.listen import (
    AsyncListener,
    Deliver,
    DeliverAsync,
    Listener,
    Listening,
    OnState,
    OpenStream,
)

__all__ = ["LocalTransport"]


class LocalTransport:
    """Refuses every request; a local dialect yields only `Work`. It serves blocking and awaiting sessions."""

    def __repr__(self) -> str:
        return "<LocalTransport>"

    def send(self, request: Request) -> NoReturn:
        raise StateError(
            f"this session works on a store in its own process and has no server for {request.method} {request.path}; "
            "open a session with the server's URL"
        )

    def listen(
        self, open_stream: OpenStream, deliver: Deliver, on_state: OnState, after: Position | None = None
    ) -> Listener:
        """A listener to the events of the server in this process (see ``listen.py``)."""
        return Listener(Listening(open_stream, after=after), deliver, on_state)

    def alisten(
        self, open_stream: OpenStream, deliver: DeliverAsync, on_state: OnState, after: Position | None = None
    ) -> AsyncListener:
        """The same, awaited."""
        return AsyncListener(Listening(open_stream, after=after), deliver, on_state)

    def close(self) -> None:
        """There is nothing to close."""

    async def aclose(self) -> None:
        """There is nothing to close."""
