"""Passwords of accounts: which are accepted, and their argon2id hashes.

A hash is made slow and large on purpose, so passwords cannot be tried quickly by someone who has the hashes. So that
nobody can load the server by logging in, only a few hashes are computed at a time; the others wait. An account without
a password costs the same as one with a wrong password: its password is compared with a hash that nothing has.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select, update

from callsheet.errors import Invalid
from callsheet.server.access.accounts import is_common
from callsheet.server.limits import Limits
from callsheet.server.store.store import Store

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["LONGEST", "SHORTEST", "Passwords"]

SHORTEST = 10
"""Characters of a password."""
LONGEST = 1_024
"""Bytes of a password in UTF-8."""
SALT, DIGEST = 16, 32


class Passwords:
    """The passwords of one server's accounts.

    >>> store = Store.open("memory:", {"types": {"Dot": {}}})
    >>> passwords = Passwords(store, Limits(password_bytes=2**16), lambda: datetime(2026, 5, 1))
    >>> passwords.set("anna", "a long walk home")
    >>> passwords.is_right("anna", "a long walk home"), passwords.is_right("anna", "guess")
    (True, False)
    >>> store.close()
    """

    def __init__(self, store: Store, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._store, self._limits, self._clock = store, limits, clock
        self._table = store.table("_password")
        self._turns = threading.BoundedSemaphore(limits.password_hashes)
        self._hasher: PasswordHasher | None = None

    def take_turns_with(self, other: Passwords) -> None:
        """From now on, as many hashes are computed at the same time here and there together."""
        self._turns = other._turns

    def has(self, account: str) -> bool:
        """Whether an account has a password."""
        return self._stored(account) is not None

    def is_right(self, account: str, password: str) -> bool:
        """Whether this is the account's password; one hash is computed, whether or not the account has a password.

        If it is right, and its hash was made with smaller parameters than today's, it is hashed anew.
        """
        stored, plain = self._stored(account), _prepared(password)
        right = self._verified(stored or self._of_nobody(), plain or "") and stored is not None and plain is not None
        if right and stored is not None and self._is_weaker(stored):
            self._renew(account, stored, password)
        return right

    def set(self, account: str, password: str) -> None:
        """Give an account this password."""
        hashed = self.hashed(account, password)
        self._store.write(lambda connection: self.save(connection, account, hashed))

    def hashed(self, account: str, password: str) -> str:
        """The hash of a new password; raises `Invalid`, without the password, if it is not accepted."""
        plain = _checked(account, password)
        with self._turns:
            return self._hashing().hash(plain)

    def save(self, connection: Connection, account: str, hashed: str) -> None:
        """Store the hash of an account's password instead of the one before."""
        self.remove(connection, account)
        connection.execute(insert(self._table), {"account": account, "hash": hashed, "changed": self._clock()})

    def remove(self, connection: Connection, account: str) -> None:
        """Take the password of an account away: only its keys let it in then."""
        connection.execute(delete(self._table).where(self._table.c.account == account))

    def _stored(self, account: str) -> str | None:
        with self._store.reading() as connection:
            found = connection.execute(select(self._table.c.hash).where(self._table.c.account == account)).scalar()
        return None if found is None else str(found)

    def _verified(self, hashed: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        with self._turns:
            try:
                return self._hashing().verify(hashed, password)
            except (VerificationError, InvalidHashError):
                return False

    def _renew(self, account: str, stored: str, password: str) -> None:
        hashed, columns = self.hashed(account, password), self._table.c
        unchanged = update(self._table).where(columns.account == account, columns.hash == stored)
        self._store.write(lambda connection: connection.execute(unchanged, {"hash": hashed}))

    def _is_weaker(self, hashed: str) -> bool:
        from argon2 import extract_parameters

        found, own = extract_parameters(hashed), self._hashing()
        return found.memory_cost < own.memory_cost or found.time_cost < own.time_cost

    def _hashing(self) -> PasswordHasher:
        if self._hasher is None:
            from argon2 import PasswordHasher

            limits = self._limits
            memory = max(8 * limits.password_lanes, limits.password_bytes // 2**10)
            self._hasher = PasswordHasher(limits.password_passes, memory, limits.password_lanes, DIGEST, SALT)
        return self._hasher

    def _of_nobody(self) -> str:
        """A hash with today's parameters that no password has."""
        own = self._hashing()
        salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (SALT, DIGEST))
        return f"$argon2id$v=19$m={own.memory_cost},t={own.time_cost},p={own.parallelism}${salt}${digest}"


def _prepared(password: str) -> str | None:
    """A password as it is compared (RFC 8265, OpaqueString): composed, with spaces alike; None if it cannot be one."""
    if len(password) > LONGEST:
        return None
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in password)
    plain = unicodedata.normalize("NFC", spaced)
    odd = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in plain)
    return None if not plain or odd or len(plain.encode()) > LONGEST else plain


def _checked(account: str, password: str) -> str:
    plain = _prepared(password)
    if plain is None:
        raise Invalid(f"a password has at most {LONGEST:,} bytes, and no line breaks or other control characters")
    if len(plain) < SHORTEST:
        raise Invalid(f"a password has at least {SHORTEST} characters; take a few words, which are easy to remember")
    if is_common(plain) or plain.casefold() == account.casefold():
        raise Invalid("this password is among the first that are tried; take a few words that do not belong together")
    return plain
