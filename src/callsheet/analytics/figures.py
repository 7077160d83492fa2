"""What the server says of whole tables: how many records each has, and between which values its variables are.

All tables are counted by one request where the server counts several types at once; values are kept until `forget`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callsheet.core.aggregating import aggregate
from callsheet.core.calls import call
from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.query import Path, Select
from callsheet.model.schema import Attribute, EntityType

__all__ = ["Figures"]

BATCH = 200
"""The most types that are counted by one request."""
RANGED = ("integer", "number", "date", "datetime")
"""The data types whose smallest and largest values are figures of a table."""


class Figures:
    """Numbers of tables, fetched when first needed."""

    def __init__(self, core: Core) -> None:
        self._core = core
        #: How many entities each type has, as far as known.
        self.records: dict[str, int] = {}
        self._extremes: dict[str, dict[str, tuple[Any, Any]]] = {}

    def forget(self) -> None:
        """Drop what is known; it is fetched again when needed."""
        self.records.clear()
        self._extremes.clear()

    def total(self, name: str) -> Flow[int]:
        """How many entities a type has. All types that are not counted yet are counted with it."""
        if name not in self.records:
            types = self._core.schema.types
            # External tables are counted where they are, which takes their time, and may fail.
            together = self._core.features.counts and types[name].external is None
            yield from self._count([each for each, kind in types.items() if not kind.external] if together else [name])
        return self.records[name]

    def totals(self) -> Flow[dict[str, int]]:
        """How many entities each type has."""
        missing = [name for name in self._core.schema.types if name not in self.records]
        yield from self._count(missing)
        return {name: self.records[name] for name in self._core.schema.types}

    def _count(self, names: Sequence[str]) -> Flow[None]:
        if self._core.features.counts:
            for start in range(0, len(names), BATCH):
                found = yield from call(self._core, "counts", {"types": list(names[start : start + BATCH])})
                self.records.update(found)
            return
        for name in names:
            rows = yield from aggregate(self._core, Aggregate(Select(name)))
            self.records[name] = int(rows[0][0]) if rows else 0

    def extremes(self, entity_type: EntityType, attribute: Attribute) -> Flow[tuple[Any, Any]]:
        """The smallest and the largest value; those of the whole table come with it."""
        if attribute.kind != "scalar" or attribute.data_type not in RANGED:
            full = f"{entity_type.name}.{attribute.name}"
            raise UsageError(f"{full} has no minimum and no maximum: only numbers and dates have")
        if entity_type.name not in self._extremes:
            names = [a.name for a in entity_type.attributes.values() if a.kind == "scalar" and a.data_type in RANGED]
            paths = [Path.of(name) for name in names]
            functions = [AggregateFunction(word, path) for path in paths for word in ("minimum", "maximum")]
            rows = yield from aggregate(self._core, Aggregate(Select(entity_type.name), tuple(functions)))
            values = list(rows[0]) if rows else [None] * len(functions)
            self._extremes[entity_type.name] = {
                name: (values[2 * place], values[2 * place + 1]) for place, name in enumerate(names)
            }
        return self._extremes[entity_type.name][attribute.name]
