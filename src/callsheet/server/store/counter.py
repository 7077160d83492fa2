"""The counter of positions is one row, so commits and published events have positions in the order of commit."""

from __future__ import annotations

from sqlalchemy import Connection, Update, insert, update

from callsheet.server.store.store import Store

__all__ = ["next_position"]


def next_position(store: Store, connection: Connection) -> int:
    """The position of this commit; no other commit gets one before this transaction ends."""
    counter = store.table("_counter")

    def build() -> Update:
        raised = update(counter).where(counter.c.name == "log").values(value=counter.c.value + 1)
        return raised.returning(counter.c.value)

    found = store.prepared.get("next position", connection, build).rows(connection, {})
    if not found:
        connection.execute(insert(counter), {"name": "log", "value": 1})
    return int(found[0][0]) if found else 1
