"""Invitations: a code, valid once and for some days, with which an account chooses its password.

A code has 256 random bits, so only its digest is stored, as for keys. A new invitation of an account replaces the one
before.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import field, frozen
from sqlalchemy import Connection, delete, insert, select

from callsheet.errors import Unauthorised
from callsheet.server.store.store import Store

__all__ = ["Invitation", "Invitations"]

REFUSED = "the invitation is unknown, used or expired; log in with your password, or ask for another invitation"
_CODE = re.compile(r"ci_([0-9a-f]{12})_([0-9a-f]{64})")


@frozen
class Invitation:
    """An invitation of an account, with its code."""

    account: str
    code: str = field(repr=False)
    expires: datetime


class Invitations:
    """The invitations of one server.

    >>> store = Store.open("memory:", {"types": {"Dot": {}}})
    >>> invitations = Invitations(store, lambda: datetime.fromisoformat("2026-05-01T00:00:00+00:00"))
    >>> made = store.write(lambda connection: invitations.make(connection, "anna", timedelta(days=7)))
    >>> invitations.account_of(made.code), made.expires.day
    ('anna', 8)
    >>> store.close()
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._table = store.table("_invitation")

    def make(self, connection: Connection, account: str, valid: timedelta) -> Invitation:
        """A new invitation of an account."""
        now = self._clock()
        name, code = secrets.token_hex(6), secrets.token_hex(32)
        made = Invitation(account, f"ci_{name}_{code}", now + valid)
        self.withdraw(connection, account)
        row = {"id": name, "account": account, "digest": _digest(made.code), "created": now, "expires": made.expires}
        connection.execute(insert(self._table), row)
        return made

    def withdraw(self, connection: Connection, account: str) -> None:
        """End the invitation of an account, if there is one."""
        connection.execute(delete(self._table).where(self._table.c.account == account))

    def account_of(self, code: str) -> str:
        """The account that a code is for; raises `Unauthorised` if it is not valid."""
        with self._store.reading() as connection:
            return self._account(connection, code)

    def use(self, connection: Connection, code: str) -> str:
        """The account of a code, which is not valid any more after the transaction."""
        account = self._account(connection, code)
        if connection.execute(delete(self._table).where(self._table.c.id == code.split("_")[1])).rowcount != 1:
            raise Unauthorised(REFUSED)
        return account

    def _account(self, connection: Connection, code: str) -> str:
        found = _CODE.fullmatch(code)
        if found is None:
            raise Unauthorised(REFUSED)
        row = connection.execute(select(self._table).where(self._table.c.id == found[1])).first()
        right = hmac.compare_digest(_digest(code), row.digest if row else "0" * 64)
        if row is None or not right or row.expires <= self._clock():
            raise Unauthorised(REFUSED)
        return str(row.account)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
