"""The events of the log as the vendor's hubs get them: commits as its updates, the rest as it was published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from attrs import frozen

from callsheet.dialects.ftrack.common.envelope import UPDATE as VENDOR_UPDATE
from callsheet.dialects.ftrack.common.envelope import envelope_of
from callsheet.dialects.ftrack.common.socket import Packet, event_packet
from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.schema.catalogue import catalogue_of
from callsheet.dialects.ftrack.server.stream.lineage import Lineage
from callsheet.dialects.ftrack.server.stream.update_events import grouped, update_of
from callsheet.model.event import Event, Position

__all__ = ["LogEvents", "ReadEvents"]

UPDATE = "callsheet.update"
BATCH = 1_000
PUBLISHED = f'topic != "{UPDATE}"'


@frozen
class ReadEvents:
    """Events, each with its packet; how far the log was read, and whether that is any further."""

    events: Sequence[tuple[Event, Packet]]
    reached: Position
    advanced: bool


class LogEvents:
    """Reads the log for one account."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._users: dict[str, str | None] = {}

    def beginning(self) -> Position:
        """The place behind all that has happened."""
        place: Position = self._backend.events(None, (), {}, BATCH).place
        return place

    def read(self, after: Position, updates: bool) -> ReadEvents:
        """The events after a position; what commits changed only if wanted."""
        batch = self._backend.events(after, () if updates else (PUBLISHED,), {}, BATCH)
        events = [(event, event_packet(envelope_of(event, self._user))) for event in self._as_vendor(batch.events)]
        return ReadEvents(events, batch.place, batch.place > after)

    def _as_vendor(self, events: Sequence[Event]) -> Iterator[Event]:
        lineage = self._lineage()
        for is_update, run in groupby(events, lambda event: event.topic == UPDATE):
            if is_update:
                catalogue, schema = lineage.reader.catalogue, lineage.schema
                found = (update_of(group, catalogue, schema, lineage) for group in grouped(list(run)))
                yield from (event for event in found if event is not None)
            else:
                # Only the server publishes what has changed.
                yield from (event for event in run if event.topic != VENDOR_UPDATE)

    def _lineage(self) -> Lineage:
        schema = self._backend.schema
        return Lineage(StoreReader(self._backend, catalogue_of(schema)[0]), schema)

    def _user(self, name: str) -> str | None:
        if name not in self._users:
            self._users[name] = self._lineage().user(name)["userid"]
        return self._users[name]
