"""Wakes a listener when the server sends an event, so that it need not poll.

The event itself is ignored: events to handle come from the queue, in order and leased. So without a connection, events
are handled up to half a second later, and nothing else changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from callsheet.dialects.protocol import EventDialect
from callsheet.model.event import Event, Position
from callsheet.session.blocking import Session

__all__ = ["Doorbell"]

log = logging.getLogger("callsheet.listening")


class Doorbell:
    """Calls ``ring`` when an event is received that fulfils one of the expressions."""

    def __init__(self, session: Session, ring: Callable[[], None], name: str) -> None:
        self._session, self._ring, self._name = session, ring, name
        self._expressions: tuple[str, ...] = ()
        self._listener: Any = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._listener is not None and bool(self._listener.connected)

    def listen_for(self, expressions: Sequence[str]) -> None:
        """Listen for these events from now on."""
        wanted = tuple(sorted(set(expressions)))
        if wanted == self._expressions or not isinstance(self._session._dialect, EventDialect):
            return
        self._expressions = wanted
        if not wanted:
            self.close()
        elif self._listener is None:
            transport = self._session._connection.transport
            self._listener = transport.listen(self._stream, self._on_events, self._on_state)
            self._listener.start()
        else:
            self._listener.resubscribe()

    def close(self) -> None:
        """Stop listening."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def _stream(self, position: Position | None) -> Any:
        dialect = self._session._dialect
        assert isinstance(dialect, EventDialect)
        return dialect.events(position, self._expressions, {"id": self._name})

    def _on_events(self, events: Sequence[Event]) -> None:
        self._ring()

    def _on_state(self, state: Any) -> None:
        if state.kind == "failed":
            log.warning("the server's events cannot be received (%s); it is polled twice a second", state.error)
        elif state.kind == "connected":
            self._ring()
