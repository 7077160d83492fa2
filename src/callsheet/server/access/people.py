"""The user entity of an account: the one with its name, also after that user was renamed.

An account is identified by its name, which never changes; `User.username` may. When it changes from the name of an
account, the user's key is stored for the account. So later work of the account still belongs to this user, and another
user who takes the old name does not become its author.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from callsheet.model.schema import Schema
from callsheet.server.store.store import Store

__all__ = ["NAME", "USER", "account_of", "has_users", "keep_user", "kept_user", "user_of"]

USER, NAME = "User", "username"
"""The entity type of people, and the attribute with the name of a user's account."""


def user_of(store: Store, connection: Connection, account: str) -> Row[Any] | None:
    """The row of the user entity that an account stands for; None if there is none, or the schema has no users."""
    if not has_users(store.schema):
        return None
    table = store.tables[store.schema.types[USER].root]
    kinds = table.c._type.in_(store.schema.concrete(USER))
    kept = kept_user(store, connection, account)
    if kept is not None:
        found = connection.execute(select(table).where(kinds, table.c.id == kept)).first()
        if found is not None:
            return found
    return connection.execute(select(table).where(kinds, table.c[NAME] == account).order_by(table.c.id)).first()


def account_of(store: Store, connection: Connection, key: str) -> str | None:
    """The account that stands for a user entity which was renamed; None if there is none."""
    table = store.table("_account_user")
    found = connection.execute(select(table.c.account).where(table.c.key == key)).scalar()
    return None if found is None else str(found)


def has_users(schema: Schema) -> bool:
    """Whether accounts have user entities in this schema.

    >>> has_users(Schema({"types": {"User": {"attributes": {"username": {"type": "string"}}}}}))
    True
    >>> has_users(Schema({"types": {"Dot": {}}}))
    False
    """
    found = schema.types.get(USER)
    name = None if found is None else found.attributes.get(NAME)
    return name is not None and name.kind == "scalar" and name.data_type == "string"


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
