"""What a server says to callers about themselves: their account, its roles, their user entity, and the server."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from callsheet import __version__
from callsheet.server.access.people import user_of
from callsheet.server.access.permissions import Grant, Permissions
from callsheet.server.context import ServerContext

__all__ = ["own_account"]

PERSON = ("id", "username", "first_name", "last_name", "email")
"""What is said of a user entity, as far as the schema has it."""


def own_account(context: ServerContext, account: str, permissions: Permissions) -> dict[str, Any]:
    """Who calls. A caller may know its own user entity, also if it may not read users."""
    store = context.store
    log = store.table("_log")
    with store.reading() as connection:
        row = user_of(store, connection, account)
        built = connection.execute(select(log.c.time).order_by(log.c.position).limit(1)).scalar()
        user = None if row is None else {name: row._mapping.get(name) for name in PERSON if name in row._mapping}
    server = {"name": "callsheet", "version": __version__, "description": store.schema.name, "built": built}
    return {
        "account": account,
        "administrator": permissions.admin,
        "roles": [_text(grant) for grant in permissions.grants],
        "workspace": context.workspace,
        "server": server,
        "user": user,
    }


def _text(grant: Grant) -> str:
    return grant.role.name if grant.project is None else f"{grant.role.name} in {grant.project}"
