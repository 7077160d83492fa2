"""The statuses and types that a project schema allows.

There are two forms. One has workflows: one for tasks, with overrides for single task types, one for versions, and lists
by object type for all others. Callsheet's preset has one row for each status of an entity type, optionally for one task
type.
"""

from __future__ import annotations

from typing import Annotated, Any

from callsheet.core import populating
from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.query import Comparison, Path
from callsheet.production.queries import entities, is_

__all__ = ["Workflow", "statuses_of", "types_of"]


class Workflow:
    """The methods of project schemas."""

    __slots__ = ()
    session: Any

    def get_statuses(self, schema: str, type_id: Any = None) -> Annotated[Any, Gives("list[Status]")]:
        """The statuses that entities of a type may have, in order.

        ``type_id`` is a `Type` or its key: statuses of that type come before general ones.
        """
        return self.session.run(statuses_of(self.session, self, schema, type_id))

    def get_types(self, schema: str) -> Annotated[Any, Gives("list[Type]")]:
        """The types (Modeling, Animation …) that entities of an entity type may have, in order."""
        return self.session.run(types_of(self.session, self, schema))


def statuses_of(core: Core, project_schema: Any, name: str, type_id: Any = None) -> Flow[list[Any]]:
    """The statuses for an entity type."""
    _check(core, name, "status")
    kind = getattr(type_id, "id", type_id)
    if "task_workflow_schema" not in project_schema._type.attributes:
        return (yield from _rows(core, project_schema, name, "SchemaStatus", "status", kind))
    if name == "AssetVersion":
        return (yield from _members(core, project_schema, "asset_version_workflow_schema", "statuses"))
    if name != "Task":
        return (yield from _by_object_type(core, project_schema, name, "SchemaStatus", "task_status"))
    if kind is not None:
        override = yield from entities(
            core, "ProjectSchemaOverride", is_("project_schema.id", project_schema.id), is_("type.id", kind)
        )
        if override:
            return (yield from _members(core, override[0], "workflow_schema", "statuses"))
    return (yield from _members(core, project_schema, "task_workflow_schema", "statuses"))


def types_of(core: Core, project_schema: Any, name: str) -> Flow[list[Any]]:
    """The types for an entity type."""
    _check(core, name, "type")
    if "task_workflow_schema" not in project_schema._type.attributes:
        return (yield from _rows(core, project_schema, name, "SchemaType", "type", None))
    if name == "Task":
        return (yield from _members(core, project_schema, "task_type_schema", "types"))
    return (yield from _by_object_type(core, project_schema, name, "SchemaType", "task_type"))


def _check(core: Core, name: str, attribute: str) -> None:
    entity_type = core.schema.type(name)
    if attribute not in entity_type.attributes:
        raise UsageError(f"{name} has no {attribute}, so a project schema has none for it")


def _members(core: Core, owner: Any, reference: str, collection: str) -> Flow[list[Any]]:
    """The members of a collection of a referenced entity, in their own order."""
    path = f"{reference}.{collection}.name, {reference}.{collection}.sort"
    yield from populating.populate(core, owner, path)
    found = owner.peek(reference)
    if not found:
        return []
    return sorted(found.peek(collection)._members(), key=lambda each: (each.peek("sort") or 0, each.peek("name") or ""))


def _by_object_type(core: Core, project_schema: Any, name: str, rows: str, reference: str) -> Flow[list[Any]]:
    object_type = core.schema.types[name].attributes.get("object_type")
    if object_type is None or object_type.default is None:
        raise UsageError(f"{name} has no object type, so a project schema has none for it")
    schemas = yield from entities(
        core, "Schema", is_("project_schema.id", project_schema.id), is_("type.id", object_type.default)
    )
    if not schemas:
        return []
    found = yield from entities(
        core, rows, is_("schema.id", schemas[0].id), bring=f"sort, {reference}.name, {reference}.sort", order="sort"
    )
    return [row.peek(reference) for row in found if row.peek(reference)]


def _rows(core: Core, project_schema: Any, name: str, rows: str, reference: str, kind: Any) -> Flow[list[Any]]:
    """The targets of the rows for an entity type; only those for one task type, if there are any."""
    conditions = [is_("project_schema.id", project_schema.id), is_("entity_type", name)]
    if rows == "SchemaStatus":
        special = Comparison(Path.of("type.id"), "=", kind)
        found = [] if kind is None else (yield from _named(core, rows, reference, [*conditions, special]))
        if found:
            return found
        conditions.append(is_("type", None))
    return (yield from _named(core, rows, reference, conditions))


def _named(core: Core, rows: str, reference: str, conditions: list[Comparison]) -> Flow[list[Any]]:
    found = yield from entities(core, rows, *conditions, bring=f"sort, {reference}.name", order="sort")
    return [row.peek(reference) for row in found if row.peek(reference)]
