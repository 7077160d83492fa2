"""A `Select` in the text of ftrack's query language; `QueryError` for what the language cannot express."""

from __future__ import annotations

from callsheet.dialects.ftrack.client.conditions import condition_text
from callsheet.dialects.ftrack.client.paths import PathWriter, longer
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.errors import QueryError
from callsheet.model.language.text import path_text
from callsheet.model.query import Path, Select
from callsheet.model.schema import EntityType

__all__ = ["expression"]


def expression(select: Select, vocabulary: Vocabulary, offset: int, size: int | None) -> str:
    """The text of a query for ``size`` results from ``offset`` on, in an order that is total.

    >>> from callsheet.model.language.parser import parse
    >>> from callsheet.model.schema import Schema
    >>> schema = Schema({"types": {"Dot": {"attributes": {"size": {"type": "number"}}}}})
    >>> expression(parse("select size from Dot where size > 3"), Vocabulary(schema), 0, 50)
    'select id, size from Dot where size > 3 order by id ascending offset 0 limit 50'
    """
    paths = PathWriter(vocabulary)
    entity_type = vocabulary.schema.type(select.entity_type)
    parts = [f"select {', '.join(_projections(select, entity_type, paths))} from {entity_type.name}"]
    if select.where is not None:
        parts.append(f"where {condition_text(select.where, entity_type, vocabulary)}")
    parts.append(f"order by {_order(select, entity_type, paths)}")
    parts.append(f"offset {offset}")
    if size is not None:
        parts.append(f"limit {size}")
    return " ".join(parts)


def _projections(select: Select, entity_type: EntityType, paths: PathWriter) -> list[str]:
    chosen = select.projections or paths.vocabulary.plain(entity_type)
    texts = dict.fromkeys(entity_type.key)
    for path in chosen:
        texts.update(dict.fromkeys(_projection(path, entity_type, paths)))
    return list(texts)


def _projection(path: Path, entity_type: EntityType, paths: PathWriter) -> list[str]:
    way = paths.way(path, entity_type)
    if way.item:
        way = paths.way(Path(way.steps[:-1]), entity_type)
    if way.attribute.kind == "mapping":
        start = paths.path(way)
        return [f"{start}.key", f"{start}.value"]
    if not way.relation:
        return [paths.path(way)]
    if paths.vocabulary.restricted(way):
        raise QueryError(
            f"`{path_text(path)}` can only be asked about, not fetched",
            path.position,
            f"use it in a condition: `{path_text(path)} any (…)`",
        )
    target = paths.vocabulary.schema.types[str(way.attribute.target)]
    if way.attribute.kind == "reference" and not paths.vocabulary.schema.polymorphic(target.name):
        return [paths.path(longer(way, part)) for part in target.key]
    start = paths.path(way)
    return [f"{start}.{part}" for part in target.key]


def _order(select: Select, entity_type: EntityType, paths: PathWriter) -> str:
    terms: dict[str, str] = {}
    for order in select.order:
        way = paths.way(order.path, entity_type)
        if way.item or way.collections:
            raise QueryError(f"this server cannot order by `{path_text(order.path)}`", order.path.position)
        terms.setdefault(paths.path(way), "descending" if order.descending else "ascending")
    for part in entity_type.key:
        terms.setdefault(part, "ascending")
    return ", ".join(f"{path} {direction}" for path, direction in terms.items())
