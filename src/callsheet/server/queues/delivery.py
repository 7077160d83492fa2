"""A delivery: one event for one handler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from attrs import frozen
from sqlalchemy import Row

from callsheet.model.event import Event, event_from_plain, event_to_plain
from callsheet.model.values import unpack

__all__ = ["Delivery", "delivery_of"]


@frozen
class Delivery:
    """An event for a handler. ``attempt`` counts from 1, ``failures`` counts reported failures."""

    handler: str
    event: Event
    state: str
    stream: str
    attempt: int
    failures: int
    lease: str
    worker: str
    next_try: datetime
    error: str = ""
    traceback: str = ""

    def plain(self) -> dict[str, Any]:
        """As plain data, the result of an action."""
        return {
            "handler": self.handler,
            "event": event_to_plain(self.event),
            "state": self.state,
            "attempt": self.attempt,
            "failures": self.failures,
            "lease": self.lease,
            "worker": self.worker,
            "next_try": self.next_try,
            "error": self.error,
            "traceback": self.traceback,
        }


def delivery_of(row: Row[Any]) -> Delivery:
    """The delivery of a row of the table ``_delivery``."""
    plain: Mapping[str, Any] = unpack(msgspec.json.decode(row.event))
    return Delivery(
        row.handler,
        event_from_plain(plain),
        row.state,
        row.stream,
        row.attempts,
        row.failures,
        row.lease or "",
        row.worker or "",
        row.next_try,
        row.error or "",
        row.traceback or "",
    )
