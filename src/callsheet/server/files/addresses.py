"""Signed addresses: each permits one operation on one component's file, on behalf of the account that requested it.

A signature covers the operation, the account, the component, the part and the expiry. It is made with a secret in the
database, so an address stays valid when the server restarts, and on every server of the database. The secret changes
daily; an old one is deleted when the last address made with it has expired.

An address only authenticates the account: the account's rights are checked at each request, as with a key.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qsl

import msgspec
from attrs import frozen
from sqlalchemy import Connection, delete, insert, select

from callsheet.dialects.routes import Credentials
from callsheet.errors import Forbidden
from callsheet.server.access.principal import Principal
from callsheet.server.store.store import Store

__all__ = ["JOIN", "PUT", "READ", "SignedAddresses"]

READ, PUT, JOIN = "read", "put", "join"
"""Operations: read a file, write a file or a part of one, join parts."""

VALID = timedelta(hours=6)
ROTATION = timedelta(days=1)
SLACK = timedelta(hours=1)
"""How long a server may use a secret that another server has replaced."""
SECRETS = "address_secrets"
_DAMAGED = "the address is damaged, or was not made by this server"


@frozen
class _Secret:
    """One secret, and its name in addresses."""

    name: str
    value: str
    made: datetime


class SignedAddresses:
    """Signs and verifies addresses; a provider of `Authentication`."""

    generation = 0

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._known: tuple[_Secret, ...] = ()

    def keep(self) -> None:
        """Make a new secret if it is due, on a server that has used one."""
        if self._known and self._is_due():
            self.renew()

    def _is_due(self) -> bool:
        """Whether a new secret is due, by this server's copy."""
        return not self._known or self._clock() - self._known[-1].made >= ROTATION

    def renew(self) -> None:
        """Make the first secret, or a new one if the last is a day old; delete expired ones."""
        self._known = self._stored()
        if self._is_due():
            self._known = self._store.write(self._renewed)

    def sign(self, operation: str, account: str, key: str, part: int = 0) -> dict[str, str]:
        """The parameters of an address."""
        if not self._known:
            self.renew()
        elif self._is_due():
            # Another server may have made one. This one cannot: a transaction may be open.
            self._known = self._stored()
        until, secret = int((self._clock() + VALID).timestamp()), self._known[-1]
        signature = f"{secret.name}{_signature(secret, operation, account, key, part, until)}"
        return {"id": key, "user": account, "part": str(part), "until": str(until), "signature": signature}

    def account(self, operation: str, params: Mapping[str, str]) -> str:
        """The account of an address for this operation; raises `Forbidden` if it has expired or is not valid."""
        until, part, signature = (params.get(name, "") for name in ("until", "part", "signature"))
        if not (_is_number(until, 11) and _is_number(part, 6)):
            raise Forbidden(_DAMAGED)
        account, key = params.get("user", ""), params.get("id", "")
        secret = self._named(signature[:_NAME])
        expected = _signature(secret, operation, account, key, int(part), int(until))
        if not hmac.compare_digest(expected.encode(), signature[_NAME:].encode("utf-8", "replace")):
            raise Forbidden(_DAMAGED)
        if int(until) < self._clock().timestamp():
            raise Forbidden("the address has expired; request another one")
        return account

    def is_guessable(self, credentials: Credentials) -> bool:
        """False for addresses: a signature has 256 bits."""
        return not credentials.kind.startswith("address ")

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The account of an address, which is credentials of the kind ``address read`` or ``address put``."""
        kind, _, operation = credentials.kind.partition(" ")
        if kind != "address":
            return None
        return Principal(self.account(operation, dict(parse_qsl(credentials.secret))), provider=kind)

    def _named(self, name: str) -> _Secret:
        found = next((each for each in self._known if each.name == name), None)
        if found is None:
            # Another server may have made it.
            self._known = self._stored()
            found = next((each for each in self._known if each.name == name), None)
        if found is None:
            raise Forbidden(_DAMAGED)
        return found

    def _stored(self) -> tuple[_Secret, ...]:
        with self._store.reading() as connection:
            return self._read(connection)

    def _read(self, connection: Connection) -> tuple[_Secret, ...]:
        meta = self._store.table("_meta")
        found = connection.execute(select(meta.c.value).where(meta.c.name == SECRETS)).scalar()
        rows = [] if found is None else msgspec.json.decode(found)
        return tuple(_Secret(name, value, datetime.fromisoformat(made)) for name, value, made in rows)

    def _renewed(self, connection: Connection) -> tuple[_Secret, ...]:
        known, now = self._read(connection), self._clock()
        if known and now - known[-1].made < ROTATION:
            return known  # Another server came first.
        kept = [old for old, new in pairwise(known) if now < new.made + VALID + SLACK]
        made = (*kept, *known[-1:], _Secret(secrets.token_hex(_NAME // 2), secrets.token_hex(32), now))
        meta = self._store.table("_meta")
        connection.execute(delete(meta).where(meta.c.name == SECRETS))
        rows = [(each.name, each.value, each.made.isoformat()) for each in made]
        connection.execute(insert(meta), {"name": SECRETS, "value": msgspec.json.encode(rows).decode()})
        return made


_NAME = 8
"""Length of a secret's name, with which a signature begins."""


def _signature(secret: _Secret, operation: str, account: str, key: str, part: int, until: int) -> str:
    # The key comes last because only it may contain line breaks.
    text = f"{operation}\n{account}\n{part}\n{until}\n{key}"
    return hmac.new(bytes.fromhex(secret.value), text.encode("utf-8", "replace"), "sha256").hexdigest()


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits
