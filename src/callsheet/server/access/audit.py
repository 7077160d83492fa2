"""The audit log, for administrators: refused attempts, and logins. It is limited in size and rate.

A note has the account (if known), the action, the reason and the network address; never a key, and never a name without
an account, because it might be a key in the wrong field. More than `A_MINUTE` notes of one kind are only counted, and
the next note has the count, so that an attack cannot fill the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import define, frozen
from sqlalchemy import delete, func, insert, select

from callsheet.bounded import BoundedDict
from callsheet.errors import CallsheetError
from callsheet.server.store.store import Store

__all__ = ["KEPT", "Audit", "Note"]

KEPT = 10_000
A_MINUTE = 10
KINDS = 1_000


@frozen
class Note:
    """A refused attempt. ``position`` increases; unknown fields are empty."""

    position: int
    time: datetime
    account: str
    action: str
    entity_type: str
    key: str
    reason: str
    address: str


@define
class _Pace:
    """The number of notes of one kind since a time."""

    since: datetime
    count: int = 0


class Audit:
    """The refused attempts of one server, the newest ``KEPT`` of them."""

    def __init__(self, store: Store, clock: Callable[[], datetime], kept: int = KEPT) -> None:
        self._store, self._clock, self._kept = store, clock, kept
        self._table = store.table("_audit")
        self._lock = threading.Lock()
        self._paces: BoundedDict[tuple[str, str], _Pace] = BoundedDict(KINDS)
        self._written = 0

    def note(
        self,
        action: str,
        reason: str,
        *,
        account: str = "",
        entity: tuple[str, str] | None = None,
        address: str = "",
    ) -> None:
        """Record a refused attempt; database errors are ignored, because the attempt is refused anyway."""
        self._record((address or account, action), action, reason, account, entity, address)

    def happened(self, action: str, what: str, *, account: str, address: str = "") -> None:
        """Record what an account did; its pace does not depend on what others do from the same address."""
        self._record((account, action), action, what, account, None, address)

    def _record(
        self,
        kind: tuple[str, str],
        action: str,
        reason: str,
        account: str,
        entity: tuple[str, str] | None,
        address: str,
    ) -> None:
        now = self._clock()
        missed = self._missed(kind, now)
        if missed is None:
            return
        more = f" (and {missed} more like it in the minute before)" if missed else ""
        entity_type, key = entity or ("", "")
        row = {
            "time": now,
            "account": account,
            "action": action[:80],
            "entity_type": entity_type[:80],
            "key": key[:255],
            "reason": reason[:400] + more,
            "address": address[:80],
        }
        try:
            self._store.write(lambda connection: connection.execute(insert(self._table), row))
            self._trim()
        except CallsheetError:
            return

    def list(self, after: int = 0, limit: int = 100) -> list[Note]:
        """At most ``limit`` notes whose position is greater than ``after``, oldest first."""
        columns = self._table.c
        names = ("position", "time", "account", "action", "entity_type", "key", "reason", "address")
        statement = select(*(columns[name] for name in names)).where(columns.position > after)
        with self._store.reading() as connection:
            rows = connection.execute(statement.order_by(columns.position).limit(max(1, min(limit, 1_000))))
            return [Note(*row) for row in rows]

    def _missed(self, kind: tuple[str, str], now: datetime) -> int | None:
        """How many notes of this kind were skipped before this one; None if this one is skipped too."""
        with self._lock:
            pace = self._paces.get(kind)
            missed = 0
            if pace is None or now - pace.since >= timedelta(minutes=1):
                missed = max(0, pace.count - A_MINUTE) if pace is not None else 0
                pace = self._paces[kind] = _Pace(now)
            pace.count += 1
            return missed if pace.count <= A_MINUTE else None

    def _trim(self) -> None:
        """Delete the oldest notes, once every ``kept / 100`` notes."""
        self._written += 1
        if self._written % max(1, self._kept // 100) == 0:
            columns = self._table.c
            newest = select(func.max(columns.position)).scalar_subquery()
            too_old = columns.position <= newest - self._kept
            self._store.write(lambda connection: connection.execute(delete(self._table).where(too_old)))
