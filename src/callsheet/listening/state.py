"""Queues of handlers in a file beside the listener, for servers that keep none.

The file is a small Callsheet database with no entities in it: what the session's event hub hears is written to its
log, once for each event id, and from there on everything is as on a server, with the same code. What cannot be had
is one transaction for the effect and the checkpoint, since they are in two places: an effect is done first, and
settled then. An attempt that may be a repetition looks whether its commit was done before (`Errand`), for which
entities that a handler creates get keys made of the event (``keys.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from callsheet.errors import CallsheetError
from callsheet.listening.work import WorkQueue
from callsheet.model.event import Event
from callsheet.session.blocking import Session
from callsheet.session.connection import over

__all__ = ["StateFile"]

OWNER = "listener"
log = logging.getLogger("callsheet.listening")


class StateFile:
    """A file of queues; one process has it open at a time. Close it, or use it as a context manager."""

    def __init__(self, path: str | Path) -> None:
        from callsheet.server.service import Service

        self.path = Path(path)
        # A schema has at least one type; nothing is ever made of this one.
        document = {"name": "handlers", "types": {"Nothing": {}}}
        self._service = Service.open(f"sqlite:///{self.path}", document, administrator=False)
        self._session = Session(connection=over(self._service.backend(OWNER)), plugin_paths=False)
        self._subscriptions: dict[str, str] = {}

    def __enter__(self) -> StateFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._session.close()
        self._service.close()

    def queue(self, worker: str, lease: float = 30.0) -> WorkQueue:
        """The queues of this file, as a worker sees them."""
        return WorkQueue(self._session, worker, lease, joined=False)

    def record(self, event: Event) -> bool:
        """Write an event to the log, if it is not there; whether it was not."""
        from sqlalchemy import insert, select

        from callsheet.model.values import pack
        from callsheet.server.store.counter import next_position

        store = self._service.store
        table = store.table("_event")
        row = {
            "id": event.id,
            "topic": event.topic,
            "data": msgspec.json.encode(pack(event.data)),
            "source": msgspec.json.encode(pack(dict(event.source))),
            "target": event.target,
            "in_reply_to": event.in_reply_to_event,
            "user_name": OWNER,
            "sent": event.sent,
            "time": self._service.clock(),
        }

        def save(connection: Any) -> int:
            if connection.execute(select(table.c.position).where(table.c.id == event.id)).first() is not None:
                return 0
            position: int = next_position(store, connection)
            connection.execute(insert(table), {**row, "position": position})
            return position

        position = store.write(save)
        if position:
            self._service.broker.announce(position)
        return bool(position)

    def follow(self, session: Session, expressions: Sequence[str]) -> None:
        """Record the events of a session's hub that any of these expressions is true of; who connects it is another."""
        hub = session.event_hub
        for expression in set(self._subscriptions) - set(expressions):
            hub.unsubscribe(self._subscriptions.pop(expression))
        for expression in expressions:
            if expression not in self._subscriptions:
                self._subscriptions[expression] = hub.subscribe(expression, self._heard)

    def _heard(self, event: Event) -> None:
        try:
            self.record(event)
        except CallsheetError:
            log.exception("event %s could not be recorded", event.id, extra={"facts": {"event_id": event.id}})
            raise
