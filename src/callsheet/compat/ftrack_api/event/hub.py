"""The event hub with the vendor's methods and errors."""

from __future__ import annotations

from typing import Any

from callsheet.compat.ftrack_api.event.base import ChangeableEvent
from callsheet.compat.ftrack_api.exception import translating
from callsheet.events.hub import Callback
from callsheet.model.event import Event, Position
from callsheet.session.events import EventHub as BlockingHub
from callsheet.session.subscribing import PATIENCE

__all__ = ["EventHub", "NamedHub"]

_CONNECTION = "EventHubConnectionError"


class NamedHub(BlockingHub):
    """`callsheet.session.events.EventHub`; a script gets it from its session."""

    def connect(self, after: Position | str | None = None, timeout: float = PATIENCE) -> None:
        with translating(_CONNECTION):
            super().connect(after, timeout)

    def disconnect(self, unsubscribe: bool = True, reconnect: bool = False) -> None:
        """Stop listening; with ``unsubscribe`` all subscriptions end."""
        super().disconnect()
        if unsubscribe and not reconnect:
            for each in self.subscribers:
                self.unsubscribe(each.id)

    def reconnect(self, attempts: int = 10, delay: float = 5) -> None:
        """Connect anew. A connection that breaks is made again without this."""
        self.disconnect(reconnect=True)
        self.connect(timeout=attempts * delay)

    def init_connection(self) -> None:
        """Nothing has to be prepared."""

    def get_server_url(self) -> str:
        """The address of the server."""
        return self._connection.server

    def wait(self, duration: float | None = None) -> None:
        with translating(_CONNECTION):
            super().wait(duration)

    def publish(
        self, event: Event, synchronous: bool = False, on_reply: Callback | None = None, on_error: str = "raise"
    ) -> list[Any] | None:
        with translating(_CONNECTION):
            return super().publish(event, synchronous, on_reply, on_error)

    def unsubscribe(self, identifier: str) -> None:
        with translating("NotFoundError"):
            super().unsubscribe(identifier)

    def _received(self, event: Event) -> Event:
        """The event as scripts expect it, under the vendor's name of its topic."""
        known = super()._received(event)
        return ChangeableEvent(
            known.topic,
            known.id,
            known.data,
            known.sent,
            known.source,
            known.target,
            known.in_reply_to_event,
            known.position,
        )


EventHub = NamedHub
