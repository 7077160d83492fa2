"""One connection of ftrack's event hub: its client's packets (``conversation.py``), and the log's events for it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from callsheet.dialects.ftrack.common.socket import Kind, Packet
from callsheet.dialects.ftrack.server.stream.conversation import Conversation
from callsheet.dialects.ftrack.server.stream.log_events import LogEvents, ReadEvents
from callsheet.dialects.routes import FrameOutcome, SubscriptionHub
from callsheet.model.event import Position

__all__ = ["HubConnection"]


class HubConnection:
    """A `callsheet.dialects.routes.SocketConversation`. It does no I/O."""

    def __init__(self, backend: Any, hub: SubscriptionHub) -> None:
        self._talk = Conversation(hub)
        self._log = LogEvents(backend)

    def opening(self) -> Sequence[Packet]:
        return [Packet(Kind.CONNECT)]

    def heartbeat(self) -> Sequence[Packet]:
        return [Packet(Kind.HEARTBEAT)]

    def receive(self, frame: str, now: Position) -> FrameOutcome:
        return self._talk.receive(frame, now)

    def beginning(self) -> Position:
        return self._log.beginning()

    def question(self) -> Hashable:
        return self._talk.wants_updates

    def read(self, after: Position) -> ReadEvents:
        return self._log.read(after, self._talk.wants_updates)

    def frames(self, read: ReadEvents) -> Sequence[Packet]:
        return [packet for event, packet in read.events if self._talk.wants(event)]
