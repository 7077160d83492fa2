"""Permissions compiled for a store: for each verb and entity type, everywhere, in some projects, or nowhere.

For an account, entities that it may not read do not exist. So every SELECT has the condition that its rows may be
read, and a reference to an unreadable row is joined as NULL. If an account may read all entities of a type, its
statements are identical to those of an administrator.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from copy import copy
from typing import TypeAlias

from sqlalchemy import Connection, FromClause, Table, and_, exists, false, not_, or_, select

from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.schema import Schema
from callsheet.server.access.belonging import ProjectRoute, project_routes, within
from callsheet.server.access.confidential import ALL, Elsewhere
from callsheet.server.access.naming import Naming, namings
from callsheet.server.access.permissions import VERBS, Permissions
from callsheet.server.store.comparison import Where
from callsheet.server.store.store import CHUNK, Store

__all__ = ["Access", "Reach"]

Reach: TypeAlias = frozenset[str] | Elsewhere | None
"""Where a verb is allowed: in these projects (an empty set: nowhere), everywhere (None), or in all but some."""

NOWHERE: frozenset[str] = frozenset()
_VERB: dict[type, str] = {Create: "create", Update: "update", Delete: "delete"}


class Access:
    """The rights of one account on the entities of a store; ``reads_all`` is true if it may read all of them."""

    def __init__(
        self, permissions: Permissions, store: Store, hidden: frozenset[str] = ALL, user_key: str | None = None
    ) -> None:
        self.permissions, self.schema, self._tables = permissions, store.schema, store.tables
        self.hidden = hidden
        self.user_key = user_key
        """The key of the user that the account stands for, where that has another name by now (``people.py``)."""
        self._reach = {verb: dict(_reaches(permissions, self.schema, verb, hidden)) for verb in VERBS}
        self._everywhere: dict[tuple[str, str], bool] = {}
        self.namings = namings(self.schema)
        """Of the types whose entities name another one by texts: the attributes with its type and its key."""
        self.acts = any(reach != NOWHERE for reaches in self._reach.values() for reach in reaches.values())
        """Whether the account has any right: a guest without a grant has none."""
        self.writes = any(reach != NOWHERE for verb in VERBS[1:] for reach in self._reach[verb].values())
        self.decides_all = all(reach is None for reach in self._reach["decide"].values())
        self.reads_all = all(reach is None for reach in self._reach["read"].values())

    def over(self, store: Store) -> Access:
        """The same rights, on the entities of another store."""
        if store.schema is not self.schema:
            return Access(self.permissions, store, self.hidden, self.user_key)
        # What was worked out for the schema holds for all of its stores.
        found = copy(self)
        found._tables = store.tables
        return found

    @property
    def audience(self) -> Hashable:
        """A key that is equal for accounts that may read the same; all that may read everything have the same key."""
        return "" if self.reads_all else (self.permissions, self.hidden)

    def reach(self, verb: str, entity_type: str) -> Reach:
        """Where the verb is allowed on entities of a concrete type."""
        return self._reach[verb][entity_type]

    def everywhere(self, verb: str, entity_type: str) -> bool:
        """Whether the verb is allowed on all entities of this type and the types below it."""
        found = self._everywhere.get((verb, entity_type))
        if found is None:
            kinds = self.schema.concrete(entity_type)
            # Who may read everything may read whatever is named.
            named = not self.reads_all and any(name in self.namings for name in kinds)
            found = not named and all(self._reach[verb][name] is None for name in kinds)
            self._everywhere[verb, entity_type] = found
        return found

    def allows(self, operations: Iterable[Operation]) -> bool:
        """Whether operations are allowed on all entities of their types, so that no entity need be checked."""
        if not self.reads_all:
            return False
        kinds = {(type(operation), operation.identity.entity_type) for operation in operations}
        return all(self.everywhere(_VERB[kind], name) for kind, name in kinds)

    def anywhere(self, verb: str, entity_type: str) -> bool:
        """Whether the verb is allowed on some entities of this type."""
        return any(self._reach[verb][name] != NOWHERE for name in self.schema.concrete(entity_type))

    def allowed(self, verb: str, entity_type: str, table: FromClause) -> list[Where]:
        """The condition that the verb is allowed on rows of a table, which must be of this type."""
        if self.everywhere(verb, entity_type):
            return []
        kinds = self.schema.concrete(entity_type)
        routes = project_routes(self.schema)
        groups: dict[tuple[Reach, ProjectRoute | None, Naming | None], list[str]] = {}
        for name in kinds:
            reach = self._reach[verb][name]
            if reach != NOWHERE:
                place = (reach, None if reach is None else routes[name], self.namings.get(name))
                groups.setdefault(place, []).append(name)
        parts: list[Where] = []
        for (reach, route, naming), names in groups.items():
            conditions: list[Where] = [] if len(names) == len(kinds) else [table.c._type.in_(names)]
            if reach is not None and route is not None:
                conditions.append(_placed(self.schema, self._tables, table, route, reach))
            if naming is not None and not self.reads_all:
                conditions.append(self._names_readable(table, naming))
            parts.append(and_(*conditions))
        return [or_(false(), *parts)]

    def _names_readable(self, table: FromClause, naming: Naming) -> Where:
        """The condition that the entity which a row names may be read; rows that name none may.

        Where not all entities of its type may be read, it has to be there: a deleted one's project is not known.
        """
        kind, key = table.c[naming.kind], table.c[naming.key]
        own = [name for name in self.schema.types if name not in self.namings]
        free = [name for name in own if self.everywhere("read", name)]
        roots: dict[str, list[str]] = {}
        for name in own:
            if name not in free and self.anywhere("read", name):
                roots.setdefault(self.schema.types[name].root, []).append(name)
        parts: list[Where] = [kind.is_(None), kind == "", kind.in_(free)]
        for root, names in roots.items():
            other = self._tables[root].alias()
            own_rows = select(other.c.id).where(*self.allowed("read", root, other))
            if all(self._is_near(name) for name in self.schema.concrete(root)):
                found: Where = exists(own_rows.where(other.c.id == key).correlate(table))
            else:
                # As a part of the whole statement: SQLite's parser takes so many levels and no more.
                found = key.in_(select(own_rows.cte().c.id))
            parts.append(and_(kind.in_(names), found))
        return or_(*parts)

    def _is_near(self, name: str) -> bool:
        """Whether one column says which project the entities of a type belong to."""
        route = project_routes(self.schema).get(name)
        return self._reach["read"][name] is None or route is None or bool(route.column)

    def among(self, verb: str, connection: Connection, root: str, keys: Collection[str]) -> set[str]:
        """The keys among these, of a root type, on which the verb is allowed in the present state of the database."""
        if self.everywhere(verb, root):
            return set(keys)
        table = self._tables[root]
        wanted, found = list(keys), set[str]()
        for start in range(0, len(wanted), CHUNK):
            here = table.c.id.in_(wanted[start : start + CHUNK])
            found.update(connection.execute(select(table.c.id).where(here, *self.allowed(verb, root, table))).scalars())
        return found


def _placed(
    schema: Schema,
    tables: Mapping[str, Table],
    table: FromClause,
    route: ProjectRoute,
    reach: frozenset[str] | Elsewhere,
) -> Where:
    """The condition that rows belong to projects of a reach."""
    if not isinstance(reach, Elsewhere):
        return within(schema, tables, table, route, reach)
    inside = within(schema, tables, table, route, reach.hidden)
    return or_(table.c[route.column].is_(None), not_(inside)) if route.column else not_(inside)


def _reaches(
    permissions: Permissions, schema: Schema, verb: str, hidden: frozenset[str]
) -> Iterator[tuple[str, Reach]]:
    routes = project_routes(schema)
    for name, entity_type in schema.types.items():
        if entity_type.abstract:
            continue
        projects = {grant.project for grant in permissions.granted(verb, schema, name)}
        if None in projects or (projects and name not in routes and verb == "read"):
            yield name, Elsewhere(hidden) if hidden and name in routes else None
        else:
            yield name, frozenset(filter(None, projects)) if name in routes else NOWHERE
