"""Compiled access rights by account, kept until an account, a role or a grant changes."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple

from callsheet.errors import Unauthorised
from callsheet.server.access.access import Access
from callsheet.server.access.accounts import Accounts
from callsheet.server.access.confidential import hidden_from
from callsheet.server.access.people import kept_user
from callsheet.server.access.permissions import Permissions
from callsheet.server.access.roles import Roles
from callsheet.server.store.store import Store

__all__ = ["AccessCache"]

FRESH_SECONDS = 1.0
"""How long after a change by another server process the cache may be stale."""
ACCOUNTS = 1_024


class _CachedAccess(NamedTuple):
    access: Access
    generation: int
    until: float


class AccessCache:
    """The rights of each account on the entities of one store."""

    def __init__(self, store: Store, accounts: Accounts, roles: Roles) -> None:
        self._store, self._accounts, self._roles = store, accounts, roles
        self._cached: dict[str, _CachedAccess] = {}

    def of(self, account: str) -> Access:
        """The access of an account; raises `Unauthorised` if it is disabled.

        A name without an account has all rights: only a process that opened the database itself can use one.
        Changes of accounts, roles and grants count at once; those of other processes within a second.
        """
        generation, now = self._accounts.generation, monotonic()
        cached = self._cached.get(account)
        if cached is not None and self._is_current(cached, generation, now):
            return cached.access
        found = self._accounts.get(account)
        if found is not None and found.disabled:
            raise Unauthorised(f"the account `{account}` is disabled")
        permissions = Permissions(account) if found is None else self._roles.permissions(found)
        with self._store.reading() as connection:
            user_key = kept_user(self._store, connection, account)
        access = Access(permissions, self._store, hidden_from(self._store, permissions, user_key), user_key)
        if len(self._cached) >= ACCOUNTS:
            self.clear()
        self._cached[account] = _CachedAccess(access, generation, now + FRESH_SECONDS)
        return access

    def clear(self) -> None:
        """Drop all entries; the next call of `of` reads the account again."""
        self._cached.clear()

    def _is_current(self, cached: _CachedAccess, generation: int, now: float) -> bool:
        # A SQLite file has no other process to change it.
        fresh = self._store.engine_name == "sqlite" or now < cached.until
        return fresh and (cached.generation, cached.access.schema) == (generation, self._store.schema)
