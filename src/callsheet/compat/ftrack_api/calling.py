"""``session.call([…])``: operations of the vendor's wire in one request, and their results with live entities in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.compat.ftrack_api.absent import NotOffered
from callsheet.core.core import Core
from callsheet.core.reading import merge_page
from callsheet.dialects.ftrack.client.dialect import FtrackDialect
from callsheet.dialects.ftrack.client.records import page_in
from callsheet.dialects.ftrack.common.codec import ENTITY_TYPE, VALUE_TYPE, moment_in
from callsheet.entity.entity import Entity
from callsheet.entity.peers import Peers
from callsheet.flow import Flow

__all__ = ["call_batch", "decoded"]


def call_batch(core: Core, operations: Sequence[Mapping[str, Any]]) -> Flow[list[Any]]:
    """The results of operations, one for each."""
    dialect = core._dialect
    if not isinstance(dialect, FtrackDialect):
        raise NotOffered(f"this session speaks {dialect.name}, which takes no operations of ftrack's wire")
    core.statistics.count("call")
    results = yield from dialect.batch([_sent(operation) for operation in operations])
    return [decoded(core, result) for result in results]


def _sent(value: Any) -> Any:
    """Plain data, with identities for entities."""
    if isinstance(value, Entity):
        return value.identity
    if isinstance(value, Mapping):
        return {str(name): _sent(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sent(item) for item in value]
    return value


def decoded(core: Any, value: Any) -> Any:
    """A result with the session's entities, and with times, for what stands for them."""
    if isinstance(value, list):
        if value and all(isinstance(each, Mapping) and ENTITY_TYPE in each for each in value):
            return _entities(core, value)
        return [decoded(core, each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if ENTITY_TYPE in value:
        return _entities(core, [value])[0]
    if value.keys() == {VALUE_TYPE, "value"}:
        return moment_in(value["value"], value[VALUE_TYPE])
    return {name: decoded(core, each) for name, each in value.items()}


def _entities(core: Any, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The live entities that rows tell of."""
    first = str(rows[0][ENTITY_TYPE])
    page = page_in(core._dialect.vocabulary, first, rows)
    return merge_page(core, page, Peers(core.schema.type(first).root))
