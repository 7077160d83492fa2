"""A condition on the entities of one type, carried over to those of another, along a route."""

from __future__ import annotations

from callsheet.analytics.relations import TableGraph, TableLink, TablePath
from callsheet.errors import UsageError
from callsheet.model.query import Any_, Comparison, Condition, Not, Path, Select, Step
from callsheet.model.schema import Schema

__all__ = ["along", "path_along", "quantified", "route_between"]


def route_between(
    relations: TableGraph, schema: Schema, source: str, target: str, through: str | TablePath | None
) -> TablePath:
    """The route from the type that is to be selected to the type that the condition is about."""
    if through is None and (schema.is_a(source, target) or schema.is_a(target, source)):
        return TablePath(source, ())
    return relations.route(source, target, through)


def along(schema: Schema, route: TablePath, condition: Condition | None, condition_type: str) -> Condition | None:
    """The entities at the start of a route from which any entity that fulfils the condition can be reached.

    Without links, both types are of one family: an entity is the same one, seen as the other type.
    """
    if not route.links:
        return _same_entities(schema, route.source, condition, condition_type)
    for link in reversed(route.links):
        condition = _over(schema, link, condition)
    return condition


def quantified(schema: Schema, word: str, route: TablePath, condition: Condition | None, of: str) -> Condition:
    """The entities at the start of a route of whose entities at its end any, all or none fulfil the condition."""
    negated = word == "all"
    if negated and condition is None:
        raise UsageError("`all` needs a condition: all of what?")
    inner = Not(condition) if negated and condition is not None else condition
    found = along(schema, route, inner, of)
    if found is None:
        raise UsageError(f"`{word}` asks about the entities of another table than {of}")
    return found if word == "any" else Not(found)


def _same_entities(schema: Schema, name: str, condition: Condition | None, condition_type: str) -> Condition | None:
    if condition is None and schema.is_a(name, condition_type):
        return None
    if schema.is_a(name, condition_type):
        return condition
    key = Path.of(schema.types[name].key[0])
    return Comparison(key, "in", Select(condition_type, (key,), condition))


def _over(schema: Schema, link: TableLink, condition: Condition | None) -> Condition:
    if not link.backwards:
        path = Path((Step(link.attribute, link.target if link.cast else None),))
        return Any_(path, condition, "any" if link.many else "has")
    key = schema.types[link.source].key[0]
    selected = Path((Step(link.attribute), Step(key)))
    return Comparison(Path.of(key), "in", Select(link.target, (selected,), condition))


def path_along(route: TablePath) -> tuple[Step, ...]:
    """The steps of a route, for a path to a value at its end."""
    for link in route.links:
        if link.backwards:
            raise UsageError(
                f"no path leads over `{route}`: `{link.source}` has no collection of the {link.target} that refer to "
                f"it; give `{link.attribute}` of {link.target} an `inverse` in the schema"
            )
    return tuple(Step(link.attribute, link.target if link.cast else None) for link in route.links)
