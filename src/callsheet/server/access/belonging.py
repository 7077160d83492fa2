"""Which project an entity belongs to, found in the schema: no type needs to be told.

An entity belongs to the project that a computed ``ancestor:Project`` attribute of its type holds; else to
that of the entity it refers to by its first required reference that leads to one (a version by its asset, an
asset by its parent); else by the references that would delete it with their target, of which the first that
is set decides (a note by its parent, its version, or the note it replies to). A type from which no such way
leads belongs to no project: statuses, users, all of a schema without ``Project``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from weakref import WeakKeyDictionary

from attrs import frozen
from sqlalchemy import FromClause, Table, and_, exists, false, literal, or_, select

from callsheet.model.schema import EntityType, Schema
from callsheet.server.store.comparison import Where

__all__ = ["PROJECT", "ProjectRoute", "ways_of", "within"]

PROJECT = "Project"
LONGEST = 8
REPEATED = 2
"""How often a way may take the same reference: replies to replies are followed, no deeper."""


@frozen
class ProjectRoute:
    """How a type's entities lead to their project: a column holds its key, or references are tried in order."""

    column: str = ""
    references: tuple[tuple[str, str], ...] = ()


_KNOWN: WeakKeyDictionary[Schema, Mapping[str, ProjectRoute]] = WeakKeyDictionary()


def ways_of(schema: Schema) -> Mapping[str, ProjectRoute]:
    """The ways of all concrete types that have one.

    >>> own = {"type": "reference", "target": "Project", "required": True}
    >>> ways_of(Schema({"types": {"Project": {}, "Cut": {"attributes": {"project": own}}, "Status": {}}}))
    {'Project': ProjectRoute(column='id', references=()), 'Cut': ProjectRoute(column='project', references=())}
    """
    found = _KNOWN.get(schema)
    if found is None:
        found = _KNOWN[schema] = _ways(schema)
    return found


def _ways(schema: Schema) -> Mapping[str, ProjectRoute]:
    concrete = [found for found in schema.types.values() if not found.abstract] if PROJECT in schema.types else []
    ways = {found.name: ProjectRoute(column) for found in concrete if (column := _column(schema, found))}
    known = -1
    while known != len(ways):
        known = len(ways)
        for found in concrete:
            if found.name not in ways and (references := _references(schema, found, ways)):
                ways[found.name] = ProjectRoute("", references)
    # Only now are all types known that lead somewhere: a note by the note it replies to.
    return {
        name: way if way.column else ProjectRoute("", _references(schema, schema.types[name], ways))
        for name, way in ways.items()
    }


def _column(schema: Schema, entity_type: EntityType) -> str:
    """The column that holds the project's key, if there is one."""
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
    schema: Schema, entity_type: EntityType, ways: Mapping[str, ProjectRoute]
) -> tuple[tuple[str, str], ...]:
    leading = [
        attribute
        for attribute in entity_type.attributes.values()
        if attribute.kind == "reference"
        and attribute.computed is None
        and any(name in ways for name in schema.concrete(str(attribute.target)))
    ]
    required = [attribute for attribute in leading if attribute.required]
    owning = required[:1] or [attribute for attribute in leading if attribute.on_delete == "cascade"]
    return tuple((attribute.name, str(attribute.target)) for attribute in owning)


def within(
    schema: Schema,
    tables: Mapping[str, Table],
    table: FromClause,
    way: ProjectRoute,
    projects: Collection[str],
    taken: tuple[str, ...] = (),
) -> Where:
    """The condition that a table's rows, of types that go this way, belong to one of the projects."""
    if way.column:
        return table.c[way.column].in_(sorted(projects))
    parts: list[Where] = []
    unset: list[Where] = []
    for name, target in way.references:
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
        if kind in (ways := ways_of(schema)):
            groups.setdefault(ways[kind], []).append(kind)
    parts = []
    for way, names in groups.items():
        inside = within(schema, tables, other, way, projects, taken)
        parts.append(inside if len(names) == len(kinds) else and_(other.c._type.in_(names), inside))
    found = select(literal(1)).select_from(other).where(other.c.id == table.c[name], or_(false(), *parts))
    return exists(found.correlate(table))
