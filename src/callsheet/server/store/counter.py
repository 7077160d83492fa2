"""The counter that numbers commits and published events: one row, so that positions have the order of commits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, insert, update

from callsheet.server.store.store import Store

__all__ = ["next_position"]


def next_position(store: Store, connection: Connection) -> int:
    """The position of this commit; no other commit gets one before this transaction is over."""
    counter = store.table("_counter")
    raised = connection.execute(_raise(counter)).scalar()
    if raised is None:
        connection.execute(insert(counter), {"name": "log", "value": 1})
    return int(raised or 1)


def _raise(counter: Table) -> Any:
    """The statement that raises the counter; it is kept with the table, since each commit runs it."""
    found = counter.info.get("callsheet.raise")
    if found is None:
        raised = update(counter).where(counter.c.name == "log").values(value=counter.c.value + 1)
        found = counter.info["callsheet.raise"] = raised.returning(counter.c.value)
    return found
