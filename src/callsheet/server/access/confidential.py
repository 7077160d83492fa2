"""Confidential projects are visible only to their members.

A project is confidential if an attribute that the schema marks ``confidential`` is true. The mark defines the members
by steps from projects to users: ``Allocation.project.resource`` are the resources allocated to a project,
``Membership.group.user`` the users of an allocated group. Accounts with a role granted in the project are members too;
administrators see all projects.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from attrs import frozen
from sqlalchemy import Connection, select

from callsheet.model.schema import Attribute, Schema
from callsheet.server.access.belonging import PROJECT
from callsheet.server.access.people import NAME
from callsheet.server.access.permissions import Permissions
from callsheet.server.store.store import Store

__all__ = ["ALL", "Elsewhere", "deciding_types", "hidden_from"]

ALL: frozenset[str] = frozenset()
_DECIDING: WeakKeyDictionary[Schema, frozenset[str]] = WeakKeyDictionary()


@frozen
class Elsewhere:
    """Everywhere except in these projects; entities without a project are included."""

    hidden: frozenset[str]

    def __contains__(self, project: object) -> bool:
        return project not in self.hidden

    def within(self, other: frozenset[str] | Elsewhere) -> bool:
        """Whether ``other`` contains all of this."""
        return isinstance(other, Elsewhere) and other.hidden <= self.hidden

    def holds(self, projects: frozenset[str]) -> bool:
        """Whether this contains all of these projects."""
        return self.hidden.isdisjoint(projects)


def deciding_types(schema: Schema) -> frozenset[str]:
    """The concrete types whose entities decide which projects an account may see; none in most schemas."""
    found = _DECIDING.get(schema)
    if found is None:
        marks = list(_marks(schema))
        named = {PROJECT} if marks else set()
        for attribute in marks:
            for step in attribute.confidential or ():
                kind, source, target = step.split(".")
                ends = (str(schema.type(kind).attributes[name].target) for name in (source, target))
                named |= {kind, *(end for end in ends if not schema.is_a(PROJECT, end))}
        found = _DECIDING[schema] = frozenset(name for each in named for name in schema.concrete(each))
    return found


def hidden_from(store: Store, permissions: Permissions, user_key: str | None = None) -> frozenset[str]:
    """The keys of the confidential projects that the account is not a member of.

    ``user_key`` is the key of the account's user, if the user was renamed.
    """
    schema = store.schema
    marks = () if permissions.admin else tuple(_marks(schema))
    if not marks:
        return ALL
    table = store.tables[schema.types[PROJECT].root]
    here = table.c._type.in_(schema.concrete(PROJECT))
    granted = {grant.project for grant in permissions.grants}
    hidden: set[str] = set()
    with store.reading() as connection:
        for attribute in marks:
            private = set(connection.execute(select(table.c.id).where(here, table.c[attribute.name])).scalars())
            if private - granted:
                hidden |= private - granted - _memberships(store, connection, attribute, permissions.user, user_key)
    return frozenset(hidden)


def _marks(schema: Schema) -> Iterator[Attribute]:
    if PROJECT in schema.types:
        yield from (each for each in schema.types[PROJECT].attributes.values() if each.confidential is not None)


def _memberships(
    store: Store, connection: Connection, attribute: Attribute, user: str, user_key: str | None
) -> set[str]:
    """The projects from which the steps lead to a user; the steps are followed backwards."""
    schema, found = store.schema, set[str]()
    users = store.tables[schema.types["User"].root] if "User" in schema.types else None
    if users is None or NAME not in users.c:
        return found
    here = users.c[NAME] == user if user_key is None else users.c.id == user_key
    reached = set(connection.execute(select(users.c.id).where(here)).scalars())
    for step in reversed(attribute.confidential or ()):
        kind, source, target = step.split(".")
        table = store.tables[schema.types[kind].root]
        rows = select(table.c[source]).where(table.c._type.in_(schema.concrete(kind)), table.c[target].in_(reached))
        keys = set(connection.execute(rows).scalars())
        if schema.is_a(PROJECT, str(schema.types[kind].attributes[source].target)):
            found |= keys
        else:
            reached |= keys
    return found
