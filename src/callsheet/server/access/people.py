"""The user entity of an account: the one with its name, also after that user was renamed.

An account is identified by its name, which never changes; `User.username` may. When it changes from the name of an
account, the user's key is stored for the account. So later work of the account still belongs to this user, and another
user who takes the old name does not become its author.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from callsheet.server.store.store import Store

__all__ = ["NAME", "keep_user", "kept_user"]

NAME = "username"
"""The attribute with the name of a user's account."""


def kept_user(store: Store, connection: Connection, account: str) -> str | None:
    """The key of an account's user if the user was renamed; None if not."""
    table = store.table("_account_user")
    found = connection.execute(select(table.c.key).where(table.c.account == account)).scalar()
    return None if found is None else str(found)


def keep_user(store: Store, connection: Connection, account: str, key: str) -> None:
    """Store this user as the account's, if the account exists and has no other stored user."""
    accounts = store.table("_account")
    there = connection.execute(select(accounts.c.name).where(accounts.c.name == account)).first() is not None
    if there and kept_user(store, connection, account) is None:
        connection.execute(insert(store.table("_account_user")), {"account": account, "key": key})
