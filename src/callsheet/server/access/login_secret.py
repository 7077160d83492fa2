"""The secret of a database that access tokens are signed with and refresh tokens are made with.

It is made when somebody first logs in, so a login is valid on every server of the database, and after a restart.
"""

from __future__ import annotations

import hmac
import secrets

from attrs import field, frozen
from sqlalchemy import Connection, insert, select

from callsheet.errors import Invalid
from callsheet.server.store.store import Store

__all__ = ["LoginKeys", "LoginSecret"]

NAME = "login_secret"


@frozen
class LoginKeys:
    """A key for each purpose, made of one secret; ``audience`` names the database in its tokens."""

    access: bytes = field(repr=False)
    refresh: bytes = field(repr=False)
    browser: bytes = field(repr=False)
    forwarding: bytes = field(repr=False)
    audience: str


class LoginSecret:
    """The login secret of a store.

    >>> store = Store.open("memory:", {"types": {"Dot": {}}})
    >>> secret = LoginSecret(store)
    >>> secret.known() is None, secret.made() == secret.known()
    (True, True)
    >>> store.close()
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: LoginKeys | None = None

    def known(self) -> LoginKeys | None:
        """The keys; None if nobody has logged in to this database yet."""
        if self._keys is None:
            meta = self._store.table("_meta")
            with self._store.reading() as connection:
                found = connection.execute(select(meta.c.value).where(meta.c.name == NAME)).scalar()
            self._keys = None if found is None else _keys(bytes.fromhex(found), self._store.id)
        return self._keys

    def made(self) -> LoginKeys:
        """The keys; the secret is created if there is none."""
        found = self.known()
        if found is None:
            try:
                self._store.write(self._make)
            except Invalid:
                pass  # Another server of the database was first.
            found = self.known()
        assert found is not None, "the secret was stored"
        return found

    def _make(self, connection: Connection) -> None:
        meta = self._store.table("_meta")
        if connection.execute(select(meta.c.value).where(meta.c.name == NAME)).first() is None:
            connection.execute(insert(meta), {"name": NAME, "value": secrets.token_hex(32)})


def _keys(secret: bytes, database: str) -> LoginKeys:
    purposes = b"access token", b"refresh token", b"browser", b"forwarding"
    access, refresh, browser, forwarding = (hmac.digest(secret, purpose, "sha256") for purpose in purposes)
    return LoginKeys(access, refresh, browser, forwarding, f"callsheet:{database}")
