"""The stored cubes that are declared: entities of the type ``Cube``, as the mirror has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from attrs import frozen
from sqlalchemy import Connection, select

from callsheet.analytics.cube_plain import levels_from, stored_from
from callsheet.errors import CallsheetError
from callsheet.model.cube import CubeDefinition, CubeHierarchy, CubeMeasure
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.keeping import kept_aggregate
from callsheet.model.language.measures import level_text, measure_text, parse_level, parse_measure
from callsheet.model.language.parser import parse_condition
from callsheet.model.language.text import condition_text
from callsheet.model.measure import Aggregate
from callsheet.model.query import Select
from callsheet.model.schema import Schema
from callsheet.server.store.store import Store

__all__ = ["CUBES", "DeclaredCube", "aggregate_of", "declared_cubes", "declares"]

CUBES = frozenset({"Cube", "CubeHierarchy", "CubeMeasure"})


@frozen
class DeclaredCube:
    """A cube that says it is stored: the text of its aggregate, or why it cannot be kept."""

    key: str
    name: str
    text: str = ""
    problem: str = ""


def declares(schema: Schema) -> bool:
    """Whether entities of a schema can say that a cube is stored."""
    return schema.types.keys() >= CUBES and "stored" in schema.types["Cube"].attributes


def declared_cubes(store: Store, connection: Connection) -> Iterator[DeclaredCube]:
    """The cubes that say they are stored, by their keys."""
    cubes = store.tables["Cube"].c
    rows = select(cubes.id, cubes.name, cubes.table, cubes.filter, cubes.stored).where(cubes.stored.is_not(None))
    for key, name, table, where, stored in connection.execute(rows.order_by(cubes.id)).all():
        if not stored:
            continue
        try:
            parts = _parts(store, connection, key)
            found = CubeDefinition(
                name,
                table,
                *parts,
                where=parse_condition(where) if where else None,
                stored=stored_from(stored),
            )
            if table not in store.schema.types:
                raise CallsheetError(f"there is no entity type {table}")
            yield DeclaredCube(key, name, aggregate_text(kept_aggregate(found, store.schema)))
        except (CallsheetError, TypeError, ValueError, KeyError) as error:
            # A cube is data that people write: nonsense in one must not stop the feed.
            yield DeclaredCube(key, name, problem=str(error))


def _parts(store: Store, connection: Connection, key: str) -> tuple[list[CubeHierarchy], list[CubeMeasure]]:
    """The hierarchies and measures of a cube, as far as what is stored depends on them."""
    hierarchies, measures = (store.tables[name].c for name in ("CubeHierarchy", "CubeMeasure"))
    levels = select(hierarchies.name, hierarchies.levels).where(hierarchies.cube == key)
    texts = select(measures.name, measures.definition).where(measures.cube == key)
    return (
        [
            CubeHierarchy(name, levels_from(each))
            for name, each in connection.execute(levels.order_by(hierarchies.sort, hierarchies.name)).all()
        ],
        [
            CubeMeasure(name, parse_measure(text))
            for name, text in connection.execute(texts.order_by(measures.sort, measures.name)).all()
        ],
    )


def aggregate_text(aggregate: Aggregate) -> str:
    """A stored cube's aggregate as a text, from which `aggregate_of` makes an equal one."""
    where = aggregate.select.where
    found: dict[str, Any] = {
        "table": aggregate.select.entity_type,
        "where": None if where is None else condition_text(where),
        "levels": [level_text(level) for level in aggregate.group],
        "functions": [measure_text(function) for function in aggregate.functions],
    }
    return msgspec.json.encode(found).decode()


def aggregate_of(text: str, schema: Schema) -> Aggregate:
    """The aggregate of a text, checked by a schema."""
    found = msgspec.json.decode(text)
    where = found["where"]
    select = Select(found["table"], where=None if where is None else parse_condition(where))
    functions, levels = map(parse_measure, found["functions"]), map(parse_level, found["levels"])
    return check_aggregate(Aggregate(select, tuple(functions), tuple(levels)), schema)
