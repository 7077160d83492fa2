"""Which user (an entity) an account stands for: the one with its name, and the same one still when that is renamed.

Accounts are known by their names, which never change; `User.username` may. When it changes from the name of an account,
the user's key is kept for the account. So what the account does later is still this user's, under the new name, and
nobody else becomes the author of it by taking the name that has become free.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from callsheet.server.store.store import Store

__all__ = ["NAME", "keep_user", "kept_user"]

NAME = "username"
"""The attribute that says for which account a user stands."""


def kept_user(store: Store, connection: Connection, account: str) -> str | None:
    """The key of the user that an account stands for, where that was renamed."""
    table = store.table("_account_user")
    found = connection.execute(select(table.c.key).where(table.c.account == account)).scalar()
    return None if found is None else str(found)


def keep_user(store: Store, connection: Connection, account: str, key: str) -> None:
    """Note that an account stands for this user, if there is such an account that stands for no other."""
    accounts = store.table("_account")
    there = connection.execute(select(accounts.c.name).where(accounts.c.name == account)).first() is not None
    if there and kept_user(store, connection, account) is None:
        connection.execute(insert(store.table("_account_user")), {"account": account, "key": key})
