"""Accounts and their API keys.

A key is ``cs_<public id>_<secret>_<checksum>``: the public id finds the account, the secret has 256 random bits, the
checksum distinguishes a mistyped key from a wrong one and lets scanners find leaked keys. Only an HMAC of the key is
stored, made with a secret of the server. A slow hash would add no protection, because 256 random bits cannot be
guessed, and would let unauthenticated clients load the server.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Row, insert, or_, select, update

from callsheet.errors import CallsheetError, Invalid, NotFound, Unauthorised
from callsheet.server.access.permissions import BUILT_IN
from callsheet.server.store.store import Store

__all__ = ["Account", "Accounts", "is_common", "new_key"]

SECRET = "account_secret"
NOTED = timedelta(minutes=1)
SHORTEST = 8
_KEY = re.compile(r"cs_([0-9a-f]{12})_([0-9a-f]{64})_([0-9a-f]{8})")
_REFUSED = "the API key is unknown, expired or disabled"


@frozen
class Account:
    """An account, without its key."""

    name: str
    role: str
    disabled: bool
    created: datetime
    expires: datetime | None = None
    last_used: datetime | None = None


def _now() -> datetime:
    return datetime.now(UTC)


class Accounts:
    """The accounts of one server.

    >>> store = Store.open("memory:", {"types": {"Dot": {}}})
    >>> accounts = Accounts(store)
    >>> key = accounts.add("anna")
    >>> accounts.authenticate(None, key)
    'anna'
    >>> store.close()
    """

    def __init__(self, store: Store, clock: Callable[[], datetime] = _now) -> None:
        self._store, self._clock = store, clock
        self._table = store.table("_account")
        self._secret: bytes | None = None
        self._noted: dict[str, datetime] = {}
        self.generation = 0
        """Counts changes of accounts, keys, roles and grants; cached rights of an earlier generation are invalid."""

    def changed(self) -> None:
        """Invalidate cached rights: an account, key, role or grant has changed."""
        self.generation += 1

    def add(self, name: str, role: str = "user", key: str | None = None, expires: datetime | None = None) -> str:
        """Add an account and return its key, which cannot be read again.

        ``key`` is a key of your choice (at least eight characters); ``expires`` is when it stops working.
        """
        made = _given(key)
        self._store.write(lambda connection: self.enrol(connection, name, role, made, expires))
        self.changed()
        return made

    def enrol(
        self, connection: Connection, name: str, role: str, key: str | None, expires: datetime | None = None
    ) -> None:
        """Add an account in this transaction; without a key, it logs in with a password only."""
        _check_name(name)
        if self._find(connection, name) is not None:
            raise Invalid(f"there is an account `{name}` already; new_key gives it another key")
        self._check_role(connection, role)
        row = {"name": name, "role": role, "disabled": False, "created": self._clock(), "expires": expires}
        keys = {} if key is None else self._key_columns(connection, key)
        connection.execute(insert(self._table), {**row, **keys})

    def exists(self, connection: Connection, name: str) -> bool:
        """Whether there is an account of this name."""
        return self._find(connection, name) is not None

    def list(self) -> list[Account]:
        """All accounts by name, disabled ones too."""
        with self._store.reading() as connection:
            rows = connection.execute(select(self._table).order_by(self._table.c.name))
            return [_account(row) for row in rows]

    def get(self, name: str) -> Account | None:
        """The account of this name."""
        with self._store.reading() as connection:
            row = self._find(connection, name)
        return None if row is None else _account(row)

    def new_key(self, name: str, key: str | None = None, expires: datetime | None = None) -> str:
        """Give an account another key, and return it; the old one stops working at once."""
        made = _given(key)
        self._change(name, lambda connection: {**self._key_columns(connection, made), "expires": expires})
        return made

    def renew(self, name: str) -> str:
        """Give an account another key with the expiry of the old one, and return it."""
        made = _given(None)
        self._change(name, lambda connection: self._key_columns(connection, made))
        return made

    def disable(self, name: str) -> None:
        """Refuse the account from now on."""

        def values(connection: Connection) -> dict[str, Any]:
            self._check_not_last(connection, name)
            return {"disabled": True}

        self._change(name, values)

    def enable(self, name: str) -> None:
        """Accept a disabled account again, with its old key."""
        self._change(name, lambda _: {"disabled": False})

    def set_role(self, name: str, role: str) -> None:
        """Give an account another role of its own; its grants stay."""

        def values(connection: Connection) -> dict[str, Any]:
            self._check_role(connection, role)
            if role != "admin":
                self._check_not_last(connection, name)
            return {"role": role}

        self._change(name, values)

    def check_exists(self, connection: Connection, name: str) -> None:
        """Raise `NotFound` if there is no account of this name."""
        if self._find(connection, name) is None:
            raise NotFound(f"there is no account `{name:.80}`")

    def with_role(self, connection: Connection, role: str) -> str | None:
        """An account with this role as its own; None if there is none."""
        found = connection.execute(select(self._table.c.name).where(self._table.c.role == role).limit(1)).scalar()
        return None if found is None else str(found)

    def _check_not_last(self, connection: Connection, name: str) -> None:
        """Raise `Invalid` for the last enabled administrator, because no account could create another one."""
        accounts = self._table.c
        lasting = or_(accounts.expires.is_(None), accounts.expires > self._clock())
        admins = select(accounts.name).where(accounts.role == "admin", ~accounts.disabled, lasting).limit(2)
        if list(connection.execute(admins).scalars()) == [name]:
            raise Invalid(f"{name} is the last administrator; make another account one first")

    def _check_role(self, connection: Connection, role: str) -> None:
        own = self._store.table("_role")
        if role not in BUILT_IN and connection.execute(select(own.c.name).where(own.c.name == role)).scalar() is None:
            raise Invalid(f"there is no role {role!r:.80}; built in are {', '.join(BUILT_IN)}")

    def is_guessable(self, key: str) -> bool:
        """Whether the key could be guessed: true unless it has the format of a generated key with 256 random bits."""
        found = _KEY.fullmatch(key)
        return found is None or found[3] != _checksum(f"cs_{found[1]}_{found[2]}")

    def authenticate(self, name: str | None, key: str) -> str:
        """The name of the key's account; raises `Unauthorised` if there is none, or if it is not ``name``."""
        key_id = self._key_id(key)
        with self._store.reading() as connection:
            row = connection.execute(select(self._table).where(self._table.c.key_id == key_id)).first()
            secret = self._secret = self._secret or self._stored_secret(connection)
        now = self._clock()
        # An unknown key is compared too, so that the time of the answer reveals nothing.
        right = secret is not None and hmac.compare_digest(_hash(secret, key), row.key_hash if row else "0" * 64)
        if row is None or not right or row.disabled or (row.expires is not None and row.expires <= now):
            raise Unauthorised(_REFUSED)
        if name is not None and not hmac.compare_digest(name.encode("utf-8", "replace"), row.name.encode()):
            raise Unauthorised("the API key belongs to another user than the one given")
        self._note_use(row, now)
        return str(row.name)

    def _find(self, connection: Connection, name: str) -> Row[Any] | None:
        return connection.execute(select(self._table).where(self._table.c.name == name)).first()

    def _change(self, name: str, values: Callable[[Connection], dict[str, Any]]) -> None:
        self._store.write(lambda connection: self._save(connection, name, values(connection)))
        self.changed()

    def _save(self, connection: Connection, name: str, values: dict[str, Any]) -> None:
        if connection.execute(update(self._table).where(self._table.c.name == name), values).rowcount == 0:
            raise NotFound(f"there is no account `{name:.80}`")

    def _key_id(self, key: str) -> str:
        """The id that finds the account: a key's public id, or a digest of a chosen key."""
        if key.startswith("cs_"):
            if self.is_guessable(key):
                raise Unauthorised("the API key is mistyped or truncated: its checksum does not match")
            return key.split("_")[1]
        return _hash(b"callsheet key id", key)[:32]

    def _key_columns(self, connection: Connection, key: str) -> dict[str, Any]:
        # A secret created in this transaction may be rolled back: only `authenticate` caches it.
        secret = self._stored_secret(connection)
        if secret is None:
            secret = secrets.token_bytes(32)
            connection.execute(insert(self._store.table("_meta")), {"name": SECRET, "value": secret.hex()})
        return {"key_id": self._key_id(key), "key_hash": _hash(secret, key)}

    def _stored_secret(self, connection: Connection) -> bytes | None:
        meta = self._store.table("_meta")
        found = connection.execute(select(meta.c.value).where(meta.c.name == SECRET)).scalar()
        return None if found is None else bytes.fromhex(found)

    def _note_use(self, row: Row[Any], now: datetime) -> None:
        """Store when the account was used, at most once a minute; database errors are ignored."""
        before = self._noted.get(row.name) or row.last_used
        if before is not None and now - before < NOTED:
            return
        self._noted[row.name] = now
        try:
            # Cached rights do not depend on it, so the `generation` does not change.
            self._store.write(lambda connection: self._save(connection, row.name, {"last_used": now}))
        except CallsheetError:
            return


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= 255 or not name.isprintable() or name != name.strip():
        raise Invalid(f"a user name is a printable string of 1 to 255 characters, not {name!r:.80}")


def _account(row: Row[Any]) -> Account:
    return Account(row.name, row.role, row.disabled, row.created, row.expires, row.last_used)


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _hash(secret: bytes, key: str) -> str:
    return hmac.new(secret, key.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


_COMMON = frozenset(
    {"password", "passwort", "passwd", "admin", "administrator", "root", "secret", "callsheet", "changeme", "letmein"}
    | {"welcome", "qwerty", "qwertyuiop", "test", "testtest", "default", "apikey", "mykey", "iloveyou"}
)
"""Words that attackers try first, with any digits and punctuation around them."""


def _given(key: str | None) -> str:
    """The chosen key after a check of its strength, or a new one."""
    if key is None:
        text = f"cs_{secrets.token_hex(6)}_{secrets.token_hex(32)}"
        return f"{text}_{_checksum(text)}"
    if len(key) < SHORTEST or not key.isprintable():
        raise Invalid(f"an API key has at least {SHORTEST} characters, all of them printable")
    if is_common(key):
        raise Invalid("this API key is easy to guess; leave it out, and a random key is generated")
    return key


def new_key() -> str:
    """A key with 256 random bits."""
    return _given(None)


def is_common(secret: str) -> bool:
    """Whether a chosen key or password is among those that attackers try first."""
    word = "".join(filter(str.isalpha, secret)).casefold()
    common = any(word and not word.replace(each, "") for each in _COMMON)
    return common or len(set(secret)) < 5 or secret in "01234567890123456789"
