"""Identities of people at providers of the house, as rows: which account each has here, and which roles it gives.

An identity is found by the provider and by what the provider never gives to another person (its ``subject``), not by a
name. The roles are those of the groups that the provider last named. An identity that has ended gives none.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from attrs import frozen
from sqlalchemy import Connection, Row, delete, insert, select, update

from callsheet.server.store.store import Store

__all__ = ["Identities", "KnownIdentity"]


@frozen
class KnownIdentity:
    """An identity that signed on. ``state`` is what its provider needs to read it again."""

    provider: str
    subject: str
    account: str
    roles: tuple[str, ...]
    read: datetime
    ended: datetime | None = None
    reason: str = ""
    state: str = ""


class Identities:
    """The identities of one server."""

    def __init__(self, store: Store) -> None:
        self._store, self._table = store, store.table("_identity")

    def find(self, provider: str, subject: str) -> KnownIdentity | None:
        """The identity of this subject."""
        columns = self._table.c
        here = (columns.provider == provider) & (columns.subject == subject)
        with self._store.reading() as connection:
            row = connection.execute(select(self._table).where(here)).first()
        return None if row is None else _identity(row)

    def of(self, account: str) -> list[KnownIdentity]:
        """The identities of an account; none of an account that only this server knows."""
        here = self._table.c.account == account
        with self._store.reading() as connection:
            rows = connection.execute(select(self._table).where(here).order_by(self._table.c.provider)).all()
        return [_identity(row) for row in rows]

    def link(self, connection: Connection, identity: KnownIdentity) -> None:
        """Store an identity, in place of what was stored of its subject."""
        self.unlink(connection, identity.provider, identity.subject)
        row = {
            "provider": identity.provider,
            "subject": identity.subject,
            "account": identity.account,
            "roles": msgspec.json.encode(identity.roles).decode(),
            "read": identity.read,
            "ended": identity.ended,
            "reason": identity.reason,
            "state": identity.state,
        }
        connection.execute(insert(self._table), row)

    def unlink(self, connection: Connection, provider: str, subject: str) -> bool:
        """Forget an identity; returns whether it was known."""
        columns = self._table.c
        here = (columns.provider == provider) & (columns.subject == subject)
        return connection.execute(delete(self._table).where(here)).rowcount > 0

    def keep_state(self, provider: str, subject: str, state: str) -> None:
        """Replace what the provider needs to read an identity again."""
        columns = self._table.c
        here = (columns.provider == provider) & (columns.subject == subject)
        self._store.write(lambda connection: connection.execute(update(self._table).where(here), {"state": state}))

    def roles_of(self, account: str) -> Iterable[str]:
        """The roles that an account has by its identities."""
        return sorted({role for each in self.of(account) if each.ended is None for role in each.roles})


def _identity(row: Row[Any]) -> KnownIdentity:
    roles = tuple(msgspec.json.decode(row.roles))
    return KnownIdentity(
        row.provider, row.subject, row.account, roles, row.read, row.ended, row.reason or "", row.state or ""
    )
