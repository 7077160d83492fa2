"""Queues of handlers in a local file, for servers that have none.

The file is a small Callsheet database without entities: events received by the session's hub are written to its log,
once for each event id; everything else is done by the server's own code. The effect and the checkpoint cannot be in one
transaction, because they are in two databases: the effect is committed first, then the event is settled. An attempt
that may be a repetition checks whether its commit was applied before (`Errand`); for that, entities that a handler
creates get keys derived from the event (``keys.py``).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from callsheet.errors import CallsheetError, StateError
from callsheet.listening.work import WorkQueue
from callsheet.model.event import Event
from callsheet.session.blocking import Session
from callsheet.session.connection import over

__all__ = ["StateFile"]

OWNER = "listener"
PLACE = "listener_place"
"""The row of the file's facts that says whose events it holds; files of versions before 0.3 have none."""
log = logging.getLogger("callsheet.listening")


class StateFile:
    """A file with queues, for one process at a time. Close it, or use it as a context manager."""

    def __init__(self, path: str | Path) -> None:
        from callsheet.server.service import Service

        self.path = Path(path)
        # A schema needs at least one type; this one is never used.
        document = {"name": "handlers", "types": {"Nothing": {}}}
        self._service = Service.open(f"sqlite:///{self.path}", document, administrator=False)
        self._session = Session(connection=over(self._service.backend(OWNER)), plugin_paths=False)
        self._subscriptions: dict[str, str] = {}

    def __enter__(self) -> StateFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._session.close()
        self._service.close()

    def belong_to(self, session: Session) -> None:
        """Record the server and the workspace whose events the file holds, the first time that it is used.

        Raises `StateError` for a session in another workspace: its handlers would handle events of this one. The same
        workspace under another address is logged as a warning, because servers move.
        """
        from sqlalchemy import delete, insert, select

        now = {"url": session.base_url, "workspace": session.workspace}
        meta = self._service.store.table("_meta")

        def work(connection: Any) -> dict[str, str] | None:
            found = connection.execute(select(meta.c.value).where(meta.c.name == PLACE)).scalar()
            before: dict[str, str] | None = None if found is None else json.loads(found)
            if before is None or before["workspace"] == now["workspace"]:
                connection.execute(delete(meta).where(meta.c.name == PLACE))
                connection.execute(insert(meta), {"name": PLACE, "value": json.dumps(now)})
            return before

        before = self._service.store.write(work)
        if before is None or before == now:
            return
        if before["workspace"] != now["workspace"]:
            raise StateError(
                f"{self.path} holds events of the workspace `{before['workspace']}` ({before['url']}), "
                f"and this session is in `{now['workspace']}`; give each workspace a state file of its own"
            )
        log.warning("%s was used with %s before, and is used with %s now", self.path, before["url"], now["url"])

    def queue(self, worker: str, lease: float = 30.0) -> WorkQueue:
        """The queues of this file for a worker."""
        return WorkQueue(self._session, worker, lease, joined=False)

    def record(self, event: Event) -> bool:
        """Write an event to the log unless it is there; returns whether it was written."""
        from sqlalchemy import insert, select

        from callsheet.server.log.publications import received_row
        from callsheet.server.store.counter import next_position

        store = self._service.store
        table = store.table("_event")
        row = received_row(event, OWNER, self._service.clock())

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
        """Record events of a session's hub that fulfil any of these expressions; the caller connects the hub."""
        hub = session.event_hub
        for expression in set(self._subscriptions) - set(expressions):
            hub.unsubscribe(self._subscriptions.pop(expression))
        for expression in expressions:
            if expression not in self._subscriptions:
                self._subscriptions[expression] = hub.subscribe(expression, self._on_event)

    def _on_event(self, event: Event) -> None:
        try:
            self.record(event)
        except CallsheetError:
            log.exception("event %s could not be recorded", event.id, extra={"facts": {"event_id": event.id}})
            raise
