"""The id of a database: made once, kept in it, and not copied by ``callsheet dump``.

It tells databases apart whatever their addresses are: a token that was made for one is refused by every other.
"""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection, Table, insert, select

__all__ = ["OWN_ID", "own_id"]

OWN_ID = "id"
"""The row of ``_meta`` with the id."""


def own_id(connection: Connection, meta: Table) -> str:
    """The id of the database, which is made if there is none yet."""
    found = connection.execute(select(meta.c.value).where(meta.c.name == OWN_ID)).scalar()
    if found is not None:
        return str(found)
    made = uuid4().hex
    connection.execute(insert(meta), {"name": OWN_ID, "value": made})
    return made
