"""What the entities of a type are in, level by level: Project > Sequence > Shot > Task, or what the schema has.

In a tree, where an entity may be in several kinds of others, the line of a production is followed; elsewhere the
references that `TableGraph` takes for parents.
"""

from __future__ import annotations

from attrs import frozen

from callsheet.analytics.relations import TableGraph
from callsheet.model.query import Path, Step
from callsheet.model.schema import Schema

__all__ = ["LINE", "LineStop", "label_path", "label_step", "line_of"]

LINE = ("Task", "Shot", "Sequence", "Project")
"""The line of a production, from the bottom up."""
Steps = tuple[Step, ...]


@frozen
class LineStop:
    """A type on the way up, and the steps that lead to its entity."""

    entity_type: str
    steps: Steps


def label_step(schema: Schema, name: str) -> Step | None:
    """The step to what an entity of a type is called; None if it is called by its key alone."""
    entity_type = schema.types[name]
    label = entity_type.attributes.get(entity_type.label)
    plain = label is not None and label.kind == "scalar" and label.data_type in ("string", "enum")
    return Step(entity_type.label) if plain and entity_type.label not in entity_type.key else None


def line_of(schema: Schema, relations: TableGraph, name: str) -> list[LineStop]:
    """The types above one, from the nearest to the topmost.

    >>> show = {"Project": {"attributes": {"name": {}}}}
    >>> project = {"type": "reference", "target": "Project", "on_delete": "cascade"}
    >>> schema = Schema({"types": show | {"Scene": {"attributes": {"name": {}, "project": project}}}})
    >>> [stop.entity_type for stop in line_of(schema, TableGraph(schema), "Scene")]
    ['Project']
    """
    found: list[LineStop] = []
    current = name
    steps: Steps = ()
    while not _in_tree(schema, current):
        link = relations.parents[current]
        if link is None or link.target in (name, *(each.entity_type for each in found)):
            return found
        steps = (*steps, Step(link.attribute, link.target if link.cast else None))
        if _in_tree(schema, link.target):
            return found + _from_tree(schema, link.target, steps)
        found.append(LineStop(link.target, steps))
        current = link.target
    return found + _above(schema, current, steps)


def _in_tree(schema: Schema, name: str) -> bool:
    """Whether entities of this type are in others of their own family, or in none of it (a project)."""
    parent = schema.types[name].attributes.get("parent")
    return (
        parent is not None
        and parent.kind == "reference"
        and schema.types[str(parent.target)].root == _root(schema, name)
    )


def _root(schema: Schema, name: str) -> str:
    return schema.types[name].root


def _from_tree(schema: Schema, name: str, steps: Steps) -> list[LineStop]:
    """The stops from a type of the tree on; of an abstract one, from its first subtype on the line."""
    if name in LINE or not schema.polymorphic(name):
        return [LineStop(name, steps), *_above(schema, name, steps)]
    # Nothing is in a task; what is logged or noted is about one.
    line = LINE[1:] if steps[-1].name == "parent" else LINE
    first = next((each for each in line if each in schema.types and schema.is_a(each, name)), None)
    if first is None:
        return [LineStop(name, steps)]
    cast = (*steps[:-1], Step(steps[-1].name, first))
    stops = [LineStop(first, cast), *_above(schema, first, cast)]
    project = _project(schema, name, steps)
    return [*(each for each in stops if each.entity_type != "Project"), *project] if project else stops


def _above(schema: Schema, name: str, steps: Steps) -> list[LineStop]:
    place = LINE.index(name) + 1 if name in LINE else len(LINE) - 1
    found, way = [], steps
    for each in LINE[place:-1]:
        if each in schema.types and _root(schema, each) == _root(schema, name):
            way = (*way, Step("parent", each))
            found.append(LineStop(each, way))
    return found + (_project(schema, name, steps) if name != "Project" else [])


def _project(schema: Schema, name: str, steps: Steps) -> list[LineStop]:
    attribute = schema.types[name].attributes.get("project")
    if attribute is None or attribute.kind != "reference" or attribute.target != "Project":
        return []
    return [LineStop("Project", (*steps, Step("project")))]


def label_path(schema: Schema, stop: LineStop) -> Path | None:
    """The path to what the entity at a stop is called; None if it is called by its key alone."""
    label = label_step(schema, stop.entity_type)
    return None if label is None else Path((*stop.steps, label))
