"""Queries that use what the session has: entities that are named by their keys, and are here, are not requested."""

from __future__ import annotations

from typing import Any

from callsheet.core import populating, reading
from callsheet.core.core import Core
from callsheet.flow import Flow
from callsheet.model.language.text import path_text
from callsheet.model.query import Comparison, Path, Select
from callsheet.model.schema import EntityType

__all__ = ["keyed", "named_keys"]


def named_keys(select: Select, entity_type: EntityType) -> tuple[Any, ...] | None:
    """The keys of a query that names its entities by them and by nothing else; None for any other query.

    >>> from callsheet.model.schema import Schema
    >>> task = Schema({"types": {"Task": {"attributes": {"name": {"type": "string"}}}}}).types["Task"]
    >>> named_keys(Select("Task", where=Comparison(Path.of("id"), "in", ("a", "b"))), task)
    ('a', 'b')
    >>> named_keys(Select("Task", where=Comparison(Path.of("name"), "=", "a")), task) is None
    True
    """
    where = select.where
    if select.order or select.top or select.sample or not isinstance(where, Comparison):
        return None
    if len(entity_type.key) != 1 or where.path.names != entity_type.key:
        return None
    listed = where.value if where.operator == "in" else (where.value,) if where.operator == "=" else None
    if not isinstance(listed, tuple) or any(type(each) not in (str, int) for each in listed):
        return None
    return tuple(dict.fromkeys(listed))


def keyed(core: Core, select: Select, keys: tuple[Any, ...]) -> Flow[list[Any]]:
    """The entities of these keys, by key, with what the query projects; what is here is as it is here."""
    each_of = yield from reading.get_each(core, select.entity_type, keys)
    found = sorted((each for each in each_of if each is not None), key=lambda each: each._key)
    if found:
        yield from populating.populate(core, found, _projected(core, select))
    return found[select.offset :][: select.limit]


def _projected(core: Core, select: Select) -> list[str]:
    """The projections as texts; without any, what a query brings without them."""
    if select.projections:
        return [path_text(path) for path in select.projections]
    attributes = core.schema.types[select.entity_type].attributes.values()
    return [path_text(Path.of(each.name)) for each in attributes if each.kind != "collection"]
