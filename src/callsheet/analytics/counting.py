"""How many entities a selection has, and how many of each table above they belong to: one request."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from attrs import evolve

from callsheet.core.aggregating import aggregate
from callsheet.core.paging import every_page
from callsheet.core.rows import PageTables
from callsheet.flow import Flow
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.query import Path, Select, Step
from callsheet.model.record import Page

__all__ = ["TableCounts", "count_selected", "count_with_ancestors"]


class TableCounts(dict[str, int]):
    """Counts by the name of a table; a table finds its own."""

    def __missing__(self, key: Any) -> int:
        name = getattr(key, "name", None)
        if isinstance(name, str) and name in self:
            return self[name]
        raise KeyError(f"there is no count of `{key}`; there are those of {', '.join(self)}")


def count_selected(core: Any, select: Select) -> Flow[int]:
    """How many entities a query selects, its limits included."""
    whole = evolve(select, projections=())
    if core.features.measures:
        rows = yield from aggregate(core, Aggregate(whole))
        return int(rows[0][0]) if rows else 0
    rows = yield from aggregate(core, Aggregate(evolve(whole, order=(), limit=None, offset=0)))
    rest = max(0, (int(rows[0][0]) if rows else 0) - select.offset)
    return rest if select.limit is None else min(rest, select.limit)


def count_with_ancestors(selection: Any) -> Flow[TableCounts]:
    """The counts of the selection's table, and of those above."""
    select, core = selection.select_statement, selection._core
    keys = _keys_above(selection)
    if not core.features.aggregate or not core.features.measures:
        return (yield from _by_reading(selection, keys))
    functions = (AggregateFunction("count"), *(AggregateFunction("distinct", path) for path in keys.values()))
    rows = yield from aggregate(core, Aggregate(evolve(select, projections=()), functions))
    numbers = rows[0] if rows else (0,) * len(functions)
    return TableCounts(zip((select.entity_type, *keys), (int(number or 0) for number in numbers)))


def _keys_above(selection: Any) -> dict[str, Path]:
    """The paths to the keys of the tables above."""
    relations = selection._dictionary.relations
    found: dict[str, Path] = {}
    steps: tuple[Step, ...] = ()
    names = [selection.table.name, *relations.ancestors(selection.table.name)]
    for below, above in pairwise(names):
        steps = (*steps, Step(relations.parents[below].attribute))
        found[above] = Path((*steps, Step(selection._dictionary.schema.types[above].key[0])))
    return found


def _by_reading(selection: Any, keys: dict[str, Path]) -> Flow[TableCounts]:
    """The counts of a server that does not count different values: keys are read and counted here."""
    core, select = selection._core, selection.select_statement
    own = selection._dictionary.key_of(select.entity_type)
    paths = (own, *keys.values())
    found: list[set[Any]] = [set() for _ in paths]

    def read(page: Page) -> None:
        tables = PageTables(core.schema, page)
        for place, path in enumerate(paths):
            for records in page.records[: page.roots]:
                found[place].update(value for value in tables.column(records, path) if value is not None)

    yield from every_page(core, evolve(select, projections=paths), core.page_size, read)
    return TableCounts(zip((select.entity_type, *keys), map(len, found)))
