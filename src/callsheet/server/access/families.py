"""Logins as rows: who is logged in, from where, until when, and which refresh token is valid.

A login ends when its account logs out, when it was idle or old for too long, or when a refresh token is used a second
time: then either its owner or a thief has an old one, and nobody knows which, so both have to log in again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from callsheet.dialects.accounts import IssuedTokens
from callsheet.server.access.access_tokens import Claims, signed
from callsheet.server.access.authentication import network_of
from callsheet.server.access.login_secret import LoginKeys, LoginSecret
from callsheet.server.access.refresh_tokens import RefreshToken, first_token, next_token
from callsheet.server.limits import Limits
from callsheet.server.store.store import Store

__all__ = ["REUSED", "Families", "Login"]

KEPT = 100
"""Logins of one account; the one that was not used for longest makes room."""
REUSED = "a refresh token was used again"


@frozen
class Login:
    """A login, without its tokens; ``ended`` is None while it is valid."""

    id: str
    account: str
    device: str
    address: str
    created: datetime
    last_used: datetime
    expires: datetime
    ended: datetime | None = None
    reason: str = ""


class Families:
    """The logins of one server's accounts."""

    def __init__(self, store: Store, secret: LoginSecret, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._store, self._secret, self._clock = store, secret, clock
        self._table = store.table("_login")
        self._idle, self._most = timedelta(days=limits.login_days), timedelta(days=limits.login_most_days)
        self._seconds = round(limits.access_seconds)

    def begin(self, account: str, device: str, address: str) -> IssuedTokens:
        """A new login of an account."""
        keys, now = self._secret.made(), self._clock()
        token = first_token(keys, secrets.token_hex(16))
        row = {
            "id": token.login,
            "account": account,
            "device": device,
            "address": address,
            "created": now,
            "last_used": now,
            "rotated": now,
            "expires": now + self._most,
            "token": token.digest,
        }

        self._store.write(lambda connection: self.add(connection, row))
        return self._issued(keys, token, account, now, now + self._most)

    def add(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """Add the row of a login; the one of its account that was not used for longest makes room."""
        connection.execute(insert(self._table), row)
        self._make_room(connection, row["account"])

    def refresh(self, token: RefreshToken, request: str, address: str) -> IssuedTokens | Login | None:
        """The next tokens; the login that ended because the token was used again; None if it is refused otherwise.

        The request that was answered last gets the same answer again, as long as the access token in it is valid.
        """
        keys = self._secret.made()

        def work(connection: Connection) -> IssuedTokens | Login | None:
            now, row = self._clock(), self._locked(connection, token.login)
            if row is None or row.ended is not None or row.disabled:
                return None
            if now >= min(row.expires, row.last_used + self._idle):
                self._end(connection, [row.id], "it expired")
                return None
            following = next_token(keys, token, request)
            if token.digest == row.token:
                self._rotate(connection, row, following, request, address)
                return self._issued(keys, following, row.account, now, row.expires)
            lasting = now < row.rotated + timedelta(seconds=self._seconds)
            if token.digest == row.previous and request == row.request and lasting:
                return self._issued(keys, following, row.account, row.rotated, row.expires)
            self._end(connection, [row.id], REUSED)
            return _login(row)

        return self._store.write(work)

    def account_of(self, login: str) -> str | None:
        """The account of a login that has not ended."""
        columns = self._table.c
        with self._store.reading() as connection:
            found = connection.execute(
                select(columns.account).where(columns.id == login, columns.ended.is_(None))
            ).scalar()
        return None if found is None else str(found)

    def end(self, login: str, reason: str) -> None:
        """End a login."""
        self._store.write(lambda connection: self._end(connection, [login], reason))

    def end_all(self, connection: Connection, account: str, reason: str, but: str = "") -> int:
        """End the logins of an account, except one; returns how many were valid."""
        columns = self._table.c
        here = columns.account == account, columns.ended.is_(None), columns.id != but
        found = connection.execute(select(columns.id).where(*here)).scalars().all()
        self._end(connection, found, reason)
        return len(found)

    def of(self, account: str) -> list[Login]:
        """The logins of an account, the one that was used last first; those that ended, too, while they are kept."""
        columns = self._table.c
        statement = select(self._table).where(columns.account == account).order_by(columns.last_used.desc(), columns.id)
        with self._store.reading() as connection:
            return [_login(row) for row in connection.execute(statement)]

    def is_known(self, account: str, address: str) -> bool:
        """Whether the account has logged in from this address, or its network, within the time that logins are kept."""
        columns = self._table.c
        with self._store.reading() as connection:
            places: Sequence[Any] = (
                connection.execute(select(columns.address).where(columns.account == account).distinct()).scalars().all()
            )
        return network_of(address) in map(network_of, places)

    def drop_old(self, connection: Connection) -> None:
        """Delete logins whose longest time is over."""
        connection.execute(delete(self._table).where(self._table.c.expires <= self._clock()))

    def _locked(self, connection: Connection, login: str) -> Row[Any] | None:
        accounts = self._store.table("_account")
        wanted = select(self._table, accounts.c.disabled).join(accounts, accounts.c.name == self._table.c.account)
        return connection.execute(wanted.where(self._table.c.id == login).with_for_update(of=self._table)).first()

    def _rotate(
        self, connection: Connection, row: Row[Any], following: RefreshToken, request: str, address: str
    ) -> None:
        now = self._clock()
        values = {
            "token": following.digest,
            "previous": row.token,
            "request": request,
            "rotated": now,
            "last_used": now,
            "address": address or row.address,
        }
        connection.execute(update(self._table).where(self._table.c.id == row.id), values)

    def _end(self, connection: Connection, logins: Iterable[str], reason: str) -> None:
        columns, values = self._table.c, {"ended": self._clock(), "reason": reason}
        for login in logins:
            connection.execute(update(self._table).where(columns.id == login, columns.ended.is_(None)), values)

    def _make_room(self, connection: Connection, account: str) -> None:
        columns = self._table.c
        here = columns.account == account
        if (connection.execute(select(func.count()).select_from(self._table).where(here)).scalar() or 0) > KEPT:
            order = columns.ended.is_not(None).desc(), columns.last_used, columns.id
            oldest = connection.execute(select(columns.id).where(here).order_by(*order).limit(1)).scalar()
            connection.execute(delete(self._table).where(columns.id == oldest))

    def _issued(
        self, keys: LoginKeys, token: RefreshToken, account: str, issued: datetime, expires: datetime
    ) -> IssuedTokens:
        now, begun = int(self._clock().timestamp()), int(issued.timestamp())
        until = min(begun + self._seconds, int(expires.timestamp()))
        refreshable = min(expires, issued + self._idle)
        access = signed(keys, Claims(account, token.login, begun, until, token.name(keys)))
        return IssuedTokens(
            account, token.login, access, max(0, until - now), token.text, int(refreshable.timestamp()) - now
        )


def _login(row: Row[Any]) -> Login:
    times = row.created, row.last_used, row.expires, row.ended
    return Login(row.id, row.account, row.device, row.address, *times, row.reason or "")
