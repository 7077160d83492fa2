"""Rows that are written to an entity type: they become operations that the next commit sends."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.loads.sending import LoadReport
from callsheet.analytics.loads.streams import RowStream
from callsheet.core.reading import fetch_all, get_each
from callsheet.entity.peers import Peers
from callsheet.errors import NoResult
from callsheet.flow import Flow
from callsheet.model.query import Condition, Select

__all__ = ["record_drop", "record_rows"]


def record_rows(table: Any, stream: RowStream) -> Flow[LoadReport]:
    """Create an entity for each row; one with the key of an entity changes it. If a row is wrong, none is recorded."""
    core, report = table._core, LoadReport(table.name)
    key = table._type.key[0]
    rows = [row for batch in stream.batches for row in batch.to_pylist()]
    names = {(attribute.label or name): name for name, attribute in table._type.attributes.items()}
    named = [
        {name if name in table._type.names else names.get(name, name): v for name, v in row.items()} for row in rows
    ]
    wanted = [row.get(key) for row in named]
    known = yield from get_each(core, table.name, [each for each in wanted if each is not None])
    if missing := [each for each, entity in zip([w for w in wanted if w is not None], known) if entity is None]:
        raise NoResult(f"there is no {table.name} {missing[0]}; leave out `{key}` for new ones")
    found = iter(known)
    with core.savepoint():
        for row, own in zip(named, wanted):
            values = {name: value for name, value in row.items() if name != key}
            if own is None:
                core.create(table.name, {name: value for name, value in values.items() if value is not None})
                continue
            entity = next(found)
            for name, value in values.items():
                entity[name] = value
    report.rows = len(rows)
    return report


def record_drop(table: Any, where: Condition | None) -> Flow[int]:
    """Delete the entities that fulfil a condition, with the next commit."""
    core = table._core
    entities = yield from fetch_all(core, Select(table.name, where=where), core.page_size, Peers(table._type.root))
    for entity in entities:
        core.delete(entity)
    return len(entities)
