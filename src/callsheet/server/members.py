"""Accounts together with their people: an account gets a user entity, and a user entity an account.

An account refers to its person by name (``access/people.py``), and does not need one. With one it is the author of its
notes. A person that was created over the wire, as a `User`, has no account until an administrator gives it a key or an
invitation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Invalid, NotFound
from callsheet.model.operation import ChangeSet, Create, Operation, Update
from callsheet.model.record import Identity
from callsheet.model.record import new_key as new_entity_key
from callsheet.model.schema import EntityType, Schema
from callsheet.server.access import accounts as keys
from callsheet.server.access.identities import Identities, KnownIdentity
from callsheet.server.access.invitations import Invitation
from callsheet.server.access.people import NAME, USER, account_of, has_users, user_of
from callsheet.server.context import ServerContext
from callsheet.server.writing import apply as writing

__all__ = ["add", "add_person", "identities", "invite", "link", "new_key", "unlink"]

ROLE = "user"
"""The role of an account that is made for an existing user entity."""


def add(
    context: ServerContext, user: str, name: str, role: str, expires: datetime | None, person: Mapping[str, str]
) -> dict[str, Any]:
    """Add an account, and its user entity with these attributes, on behalf of a user; returns the account's key.

    A user entity of this name becomes the account's. None is created where the schema has no users, or requires more
    of them than is known.
    """
    given = {attribute: value for attribute, value in person.items() if value}
    _check_person(context.store.schema, given)
    key = keys.new_key()
    return {"name": name, "role": role, "key": key, "user": _added(context, user, name, role, expires, given, key)}


def add_person(context: ServerContext, name: str, role: str, person: Mapping[str, str]) -> None:
    """Add an account without a key, and its user entity with those attributes that users have here."""
    known = context.store.schema.types[USER].attributes if has_users(context.store.schema) else {}
    given = {each: value for each, value in person.items() if value and each in known}
    _added(context, name, name, role, None, given, None)


def _added(
    context: ServerContext,
    user: str,
    name: str,
    role: str,
    expires: datetime | None,
    given: Mapping[str, str],
    key: str | None,
) -> str | None:
    """Add an account on behalf of a user; returns the key of its user entity."""

    def work(connection: Connection) -> tuple[str | None, CommitResult | None]:
        context.accounts.enrol(connection, name, role, key, expires)
        entity, operation = _person(context, connection, name, given)
        if operation is None:
            return entity, None
        changes = ChangeSet(f"users.add {new_entity_key()}", (operation,))
        return entity, writing.apply(context.store, connection, changes, user, context.now())

    entity, result = context.store.write(work)
    context.accounts.changed()
    if result is not None:
        context.committed(result.position, configured=False)
    return entity


def new_key(context: ServerContext, name: str, expires: datetime | None) -> str:
    """Another key of an account; a user entity without an account gets one."""
    accounts = context.accounts
    with context.store.reading() as connection:
        lacking = _lacks_account(context, connection, name)
    return accounts.add(name, ROLE, expires=expires) if lacking else accounts.new_key(name, expires=expires)


def invite(context: ServerContext, name: str, days: float | None) -> Invitation:
    """An invitation of an account; a user entity without an account gets one, without a key."""
    if days is not None and not 0 < days <= 366:
        raise Invalid(f"an invitation is valid for up to 366 days, not {days:g}")

    def work(connection: Connection) -> Invitation:
        if _lacks_account(context, connection, name):
            context.accounts.enrol(connection, name, ROLE, None)
        return context.logins.invite(connection, name, days)

    made = context.store.write(work)
    context.accounts.changed()
    return made


def identities(context: ServerContext, name: str) -> list[KnownIdentity]:
    """The identities that an account has at providers of the house."""
    with context.store.reading() as connection:
        context.accounts.check_exists(connection, name)
    return Identities(context.store).of(name)


def link(context: ServerContext, name: str, provider: str, subject: str) -> None:
    """Make an account that of an identity, which gives it roles when it next signs on."""
    for what, value in (("provider", provider), ("subject", subject)):
        if not 0 < len(value) <= 600 or not value.isprintable():
            raise Invalid(f"`{what}` is a text of up to 600 printable characters")

    def work(connection: Connection) -> None:
        context.accounts.check_exists(connection, name)
        known = Identities(context.store)
        known.link(connection, KnownIdentity(provider, subject, name, (), context.now()))

    context.store.write(work)
    context.accounts.changed()


def unlink(context: ServerContext, provider: str, subject: str) -> None:
    """Take an identity from its account, with the roles that it gave, and end the account's logins."""
    known = Identities(context.store).find(provider, subject)
    if known is None:
        raise NotFound(f"nobody is linked to {subject:.200} at {provider:.40}; see `callsheet users linked NAME`")
    context.store.write(lambda connection: Identities(context.store).unlink(connection, provider, subject))
    context.logins.sign_out(known.account, "the account was unlinked")


def _lacks_account(context: ServerContext, connection: Connection, name: str) -> bool:
    """Whether a user entity has this name, and no account. Raises `NotFound` if its account has another name."""
    store = context.store
    if context.accounts.exists(connection, name):
        return False
    row = user_of(store, connection, name)
    other = None if row is None else account_of(store, connection, row.id)
    if other is not None:
        raise NotFound(f"the user `{name:.80}` was renamed; its account is `{other}`")
    return row is not None


def _check_person(schema: Schema, given: Mapping[str, str]) -> None:
    """Raise `Invalid` for what the schema's users do not have."""
    known = schema.types[USER].attributes if has_users(schema) else {}
    for attribute in given:
        if attribute not in known or known[attribute].kind != "scalar" or known[attribute].data_type != "string":
            raise Invalid(f"users of this server have no `{attribute}`; leave it out")


def _person(
    context: ServerContext, connection: Connection, name: str, given: Mapping[str, str]
) -> tuple[str | None, Operation | None]:
    """The key of an account's user entity, and the operation that creates or completes it, if there is one."""
    schema = context.store.schema
    row = user_of(context.store, connection, name)
    if row is not None:
        return str(row.id), Update(Identity(row._type, row.id), dict(given)) if given else None
    if not has_users(schema) or schema.types[USER].abstract:
        return None, None
    values = {NAME: name, **given}
    if not given and not _suffices(schema.types[USER], values):
        return None, None
    key = new_entity_key()
    return key, Create(Identity(USER, key), values)


def _suffices(user: EntityType, values: Mapping[str, str]) -> bool:
    """Whether a user with these attributes can be created."""
    return all(
        not each.required or each.computed or each.default is not None or each.name in values
        for each in user.attributes.values()
        if each.name != "id"
    )
