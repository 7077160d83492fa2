"""The project that an entity belongs to is derived from the schema, without any configuration.

An entity belongs to the project in the computed ``ancestor:Project`` attribute of its type. Without one, it belongs to
the project of the target of its first required reference that leads to a project (a version's asset, an asset's
parent). Without one, its cascading references decide, the first that is set (a note's parent, its version, or the note
that it replies to). Other types belong to no project: statuses, users, all types of a schema without ``Project``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from weakref import WeakKeyDictionary

from attrs import frozen
from sqlalchemy import FromClause, Table, and_, exists, false, literal, or_, select

from callsheet.model.schema import EntityType, Schema
from callsheet.server.store.comparison import Where

__all__ = ["PROJECT", "ProjectRoute", "project_routes", "within"]

PROJECT = "Project"
LONGEST = 8
REPEATED = 2
"""How often a route may follow the same reference: replies to replies are followed, no deeper."""


@frozen
class ProjectRoute:
    """How to find the project of a type's entities: ``column`` has its key, or ``references`` are tried in order."""

    column: str = ""
    references: tuple[tuple[str, str], ...] = ()


_KNOWN: WeakKeyDictionary[Schema, Mapping[str, ProjectRoute]] = WeakKeyDictionary()


def project_routes(schema: Schema) -> Mapping[str, ProjectRoute]:
    """The routes of all concrete types that have one.

    >>> own = {"type": "reference", "target": "Project", "required": True}
    >>> project_routes(Schema({"types": {"Project": {}, "Cut": {"attributes": {"project": own}}, "Status": {}}}))
    {'Project': ProjectRoute(column='id', references=()), 'Cut': ProjectRoute(column='project', references=())}
    """
    found = _KNOWN.get(schema)
    if found is None:
        found = _KNOWN[schema] = _routes(schema)
    return found


def _routes(schema: Schema) -> Mapping[str, ProjectRoute]:
    concrete = [found for found in schema.types.values() if not found.abstract] if PROJECT in schema.types else []
    routes = {found.name: ProjectRoute(column) for found in concrete if (column := _column(schema, found))}
    known = -1
    while known != len(routes):
        known = len(routes)
        for found in concrete:
            if found.name not in routes and (references := _references(schema, found, routes)):
                routes[found.name] = ProjectRoute("", references)
    # Again, now that all types with a route are known: a note's route includes the note it replies to.
    return {
        name: route if route.column else ProjectRoute("", _references(schema, schema.types[name], routes))
        for name, route in routes.items()
    }


def _column(schema: Schema, entity_type: EntityType) -> str:
    """The column with the project's key; empty if there is none."""
    for attribute in entity_type.attributes.values():
        if attribute.computed == f"ancestor:{PROJECT}":
            return attribute.name
    if schema.is_a(entity_type.name, PROJECT):
        return "id"
    for attribute in entity_type.attributes.values():
        if attribute.kind == "reference" and attribute.required and schema.is_a(str(attribute.target), PROJECT):
            return attribute.name
    return ""


def _references(
    schema: Schema, entity_type: EntityType, routes: Mapping[str, ProjectRoute]
) -> tuple[tuple[str, str], ...]:
    leading = [
        attribute
        for attribute in entity_type.attributes.values()
        if attribute.kind == "reference"
        and attribute.computed is None
        and any(name in routes for name in schema.concrete(str(attribute.target)))
    ]
    required = [attribute for attribute in leading if attribute.required]
    owning = required[:1] or [attribute for attribute in leading if attribute.on_delete == "cascade"]
    return tuple((attribute.name, str(attribute.target)) for attribute in owning)


def within(
    schema: Schema,
    tables: Mapping[str, Table],
    table: FromClause,
    route: ProjectRoute,
    projects: Collection[str],
    taken: tuple[str, ...] = (),
) -> Where:
    """The condition that a table's rows, of types with this route, belong to one of the projects."""
    if route.column:
        return table.c[route.column].in_(sorted(projects))
    parts: list[Where] = []
    unset: list[Where] = []
    for name, target in route.references:
        step = f"{schema.types[target].root}.{name}"
        if taken.count(step) < REPEATED and len(taken) < LONGEST:
            inside = _target_within(schema, tables, table, (name, target), projects, (*taken, step))
            parts.append(and_(*unset, inside))
        unset.append(table.c[name].is_(None))
    return or_(false(), *parts)


def _target_within(
    schema: Schema,
    tables: Mapping[str, Table],
    table: FromClause,
    reference: tuple[str, str],
    projects: Collection[str],
    taken: tuple[str, ...],
) -> Where:
    name, target = reference
    other = tables[schema.types[target].root].alias()
    kinds = schema.concrete(target)
    groups: dict[ProjectRoute, list[str]] = {}
    for kind in kinds:
        if kind in (routes := project_routes(schema)):
            groups.setdefault(routes[kind], []).append(kind)
    parts = []
    for route, names in groups.items():
        inside = within(schema, tables, other, route, projects, taken)
        parts.append(inside if len(names) == len(kinds) else and_(other.c._type.in_(names), inside))
    found = select(literal(1)).select_from(other).where(other.c.id == table.c[name], or_(false(), *parts))
    return exists(found.correlate(table))
