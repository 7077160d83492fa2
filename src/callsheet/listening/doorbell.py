"""Wakes a listener when the server tells that something happened, so that it need not ask all the time.

What is told is let go: the events that are handled come from the queue, in order and leased. So a doorbell that
cannot be heard costs half a second, and nothing else.
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
    """Calls ``ring`` when an event comes that one of the expressions is true of."""

    def __init__(self, session: Session, ring: Callable[[], None], name: str) -> None:
        self._session, self._ring, self._name = session, ring, name
        self._expressions: tuple[str, ...] = ()
        self._listener: Any = None

    @property
    def heard(self) -> bool:
        """Whether there is a connection now."""
        return self._listener is not None and bool(self._listener.connected)

    def listen_for(self, expressions: Sequence[str]) -> None:
        """Hear of these events from now on."""
        wanted = tuple(sorted(set(expressions)))
        if wanted == self._expressions or not isinstance(self._session._dialect, EventDialect):
            return
        self._expressions = wanted
        if not wanted:
            self.close()
        elif self._listener is None:
            transport = self._session._connection.transport
            self._listener = transport.listen(self._stream, self._heard, self._told)
            self._listener.start()
        else:
            self._listener.resubscribe()

    def close(self) -> None:
        """Hear nothing more."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def _stream(self, position: Position | None) -> Any:
        dialect = self._session._dialect
        assert isinstance(dialect, EventDialect)
        return dialect.events(position, self._expressions, {"id": self._name})

    def _heard(self, events: Sequence[Event]) -> None:
        self._ring()

    def _told(self, state: Any) -> None:
        if state.kind == "failed":
            log.warning("the server's events cannot be heard (%s); it is asked twice a second", state.error)
        elif state.kind == "connected":
            self._ring()
