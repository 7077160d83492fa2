"""Cubes, small form: numbers about the entities of a table for each combination of values, computed by the server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from callsheet.analytics.carrying import path_along, route_between
from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.dimensions import RANGE, Band, VariableMeasure, count_of
from callsheet.analytics.frame_cells import FrameCells
from callsheet.analytics.resolving import is_selection, is_table, label_path, path_to, variable_of
from callsheet.core.aggregating import aggregate
from callsheet.errors import UsageError
from callsheet.export.layout import ExportColumn
from callsheet.flow import Flow
from callsheet.model.language.checking import check_path
from callsheet.model.measure import Aggregate, AggregateFunction, AggregateOrder, Level, Measure
from callsheet.model.query import Path, Step
from callsheet.model.schema import Schema, did_you_mean

__all__ = ["cube", "kind_of", "measure_of"]

WORDS = {
    "count": "count",
    "sum": "sum",
    "total": "sum",
    "mean": "average",
    "average": "average",
    "min": "minimum",
    "minimum": "minimum",
    "max": "maximum",
    "maximum": "maximum",
    "median": "median",
    "mode": "mode",
    "variance": "variance",
    "deviation": "deviation",
    "standard_deviation": "deviation",
    "stddev": "deviation",
    "lower_quartile": "lower_quartile",
    "upper_quartile": "upper_quartile",
    "inter_quartile_range": "inter_quartile_range",
    "distinct": "distinct",
    "populated": "count",
}
_CALL = re.compile(r"\s*(\w+)\s*(?:\(\s*(.*?)\s*\))?\s*")


@frozen
class MeasureColumn:
    """A measure of a cube with the name and the type of its column."""

    name: str
    measure: Measure
    kind: str


def cube(
    table: Any,
    dimensions: Iterable[Any],
    measures: Mapping[str, Any] | Iterable[Any] | None,
    selection: Any,
    totals: bool,
    order: Any = None,
    limit: int | None = None,
) -> Flow[CubeFrame]:
    """The cube of a table, computed."""
    if not (table._core.features.aggregate and table._core.features.measures):
        raise UsageError(
            "this server computes no cubes: select the values with `datagrid`, and compute with `to_pandas()`"
        )
    wrong: list[str] = []
    columns, levels = _levels(table, dimensions, wrong)
    numbers = _measures(table, measures, wrong)
    if wrong:
        raise UsageError("this cube cannot be made:" + "".join(f"\n  - {text}" for text in wrong))
    select = table.everything.select_statement if selection is None else _selected(table, selection)
    names = [*(column.name for column in columns), *(each.name for each in numbers)]
    _check_names(names)
    question = Aggregate(
        evolve(select, projections=()),
        tuple(each.measure for each in numbers),
        tuple(levels),
        order=_order(order, names, [*levels, *(each.measure for each in numbers)]),
        limit=limit,
        totals=bool(totals),
    )
    rows = yield from aggregate(table._core, question)
    export = [*columns, *(ExportColumn(each.name, Path(()), each.kind) for each in numbers)]
    cells = FrameCells(table._core, question, tuple(names))
    return CubeFrame(table.plural, export, len(columns), rows, bool(totals), cells=cells)


def _selected(table: Any, selection: Any) -> Any:
    if not is_selection(selection):
        raise UsageError(f"a selection is needed, not {selection!r:.80}")
    return selection.of(table).select_statement


def _levels(table: Any, given: Iterable[Any], wrong: list[str]) -> tuple[list[ExportColumn], list[Level]]:
    """The dimensions as columns and levels; what is wrong with others is added to a list."""
    if isinstance(given, str | Band) or hasattr(given, "_attribute"):
        given = [given]
    columns, levels = [], []
    for each in given:
        try:
            column, level = _level(table, each)
        except UsageError as error:
            wrong.append(str(error))
        else:
            columns.append(column)
            levels.append(level)
    return columns, levels


def _level(table: Any, given: Any) -> tuple[ExportColumn, Level]:
    variable, band = (given.variable, given.band) if isinstance(given, Band) else (given, None)
    if isinstance(given, str):
        text, _, word = given.rpartition(" by ")
        variable, band = (text, word.strip()) if text else (given, None)
    variable = variable_of(table, variable)
    if band is not None:
        band = variable._band(band).band
    if variable.type in ("Array", "Mapping", "Json"):
        raise UsageError(f"{variable._shown} is of type {variable.type}, which is no dimension")
    path, _ = path_to(table, variable)
    path = label_path(variable, path)
    attribute = check_path(path, table.name, table._dictionary.schema)[-1][1]
    name = variable.label if band is None else f"{variable.label} ({band})"
    return ExportColumn(name, path, "date" if band else attribute.data_type, attribute.choices), Level(path, band)


def _measures(table: Any, given: Any, wrong: list[str]) -> list[MeasureColumn]:
    """The measures; what is wrong with others is added to a list."""
    if given is None:
        given = [count_of(table)]
    elif isinstance(given, str | VariableMeasure | Measure) or is_table(given):
        given = [given]
    pairs = [(each, name) for name, each in given.items()] if isinstance(given, Mapping) else [(e, None) for e in given]
    if not pairs:
        raise UsageError("a cube needs at least one measure; None counts the entities")
    found = []
    for each, name in pairs:
        try:
            found.append(_column_of(table, each, name))
        except UsageError as error:
            wrong.append(str(error))
    return found


def _column_of(table: Any, given: Any, name: str | None) -> MeasureColumn:
    if isinstance(given, Measure):
        kind = kind_of(table._dictionary.schema, table.name, given)
        return MeasureColumn(name or _text_of(given), given, kind)
    if isinstance(given, str):
        given = _read(table, given)
    if is_table(given):
        given = count_of(given)
    if not isinstance(given, VariableMeasure):
        raise UsageError(f"a measure is like `cost.sum()`, a table, or a text like 'sum(Cost)', not {given!r:.80}")
    function = measure_of(table, given)
    return MeasureColumn(name or given.name, function, kind_of(table._dictionary.schema, table.name, function))


def _read(table: Any, text: str) -> VariableMeasure:
    match = _CALL.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r:.80} is no measure; write it like 'sum(Cost)', or 'count'")
    word, inside = match.group(1).lower(), match.group(2)
    if word not in WORDS:
        raise UsageError(f"there is no measure `{word}`{did_you_mean(word, WORDS)}: {', '.join(WORDS)}")
    if not inside:
        if word != "count":
            raise UsageError(f"`{word}` is of a variable: '{word}(Cost)'")
        return count_of(table)
    if word == "count" and inside in table._dictionary.tables and inside not in table.variables:
        return count_of(table._dictionary.tables[inside])
    found: VariableMeasure = variable_of(table, inside)._measure(WORDS[word])
    return found


def _of_values(given: VariableMeasure, path: Path) -> Measure:
    if given.function == RANGE:
        return AggregateFunction("upper_quartile", path) - AggregateFunction("lower_quartile", path)
    return AggregateFunction(given.function, path, None, given.argument)


def measure_of(table: Any, given: VariableMeasure) -> Measure:
    dictionary = table._dictionary
    function: Measure
    if given.variable is not None:
        path, _ = path_to(table, given.variable)
        function = _of_values(given, path)
    elif given.table.is_same(table):
        function = AggregateFunction("count")
    else:
        route = route_between(dictionary.relations, dictionary.schema, table.name, given.table.name, None)
        key = dictionary.schema.types[given.table.name].key[0]
        function = AggregateFunction("distinct", Path((*path_along(route), Step(key))))
    if given.condition is None:
        return function
    condition = given.condition.of(table).condition
    return function if condition is None else function.where(condition)


def kind_of(schema: Schema, table: str, measure: Measure) -> str:
    """The type of a measure's values."""
    if not isinstance(measure, AggregateFunction):
        return "number"
    if measure.name in ("count", "distinct"):
        return "integer"
    if measure.name in ("minimum", "maximum", "mode", "sum") and measure.path is not None:
        kind = check_path(measure.path, measure.table or table, schema)[-1][1].data_type
        return "string" if kind == "enum" else kind
    return "number"


def _text_of(measure: Measure) -> str:
    from callsheet.model.language.measures import measure_text

    return measure_text(measure)


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"several columns are called `{twice[0]}`; give measures names: {{'name': measure}}")


def _order(given: Any, names: Sequence[str], things: Sequence[Level | Measure]) -> tuple[AggregateOrder, ...]:
    if given is None:
        return ()
    found = []
    for text in [given] if isinstance(given, str) else given:
        if not isinstance(text, str):
            raise UsageError(f"`order` takes names of columns, with `-` first for the largest first, not {text!r:.60}")
        name = text.removeprefix("-") if text not in names else text
        if name not in names:
            raise UsageError(f"there is no column `{name}` to order by{did_you_mean(name, names)}: {', '.join(names)}")
        found.append(AggregateOrder(things[names.index(name)], name != text))
    return tuple(found)
