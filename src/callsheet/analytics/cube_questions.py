"""Questions about a cube: names become measures, levels and conditions; all axes are asked by one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from callsheet.analytics.cube_axes import AT, SCENARIO, Axes, axes_of
from callsheet.analytics.cube_frames import LEVELS, CubeFrame
from callsheet.analytics.cube_levels import LiveHierarchy, LiveLevel
from callsheet.analytics.cube_measures import LiveMeasure
from callsheet.analytics.cube_reading import by_name, check_measure, read_level, read_measure
from callsheet.analytics.cubes import kind_of
from callsheet.analytics.dimensions import VariableMeasure, count_of
from callsheet.analytics.frame_cells import FrameCells
from callsheet.analytics.resolving import is_selection, is_table
from callsheet.core.asking import ask
from callsheet.errors import UnknownName, UsageError
from callsheet.export.layout import ExportColumn
from callsheet.flow import Flow
from callsheet.model.cube import CubeLevel, CubeMeasure
from callsheet.model.language.checking import check_path
from callsheet.model.language.measures import measure_text
from callsheet.model.language.parser import parse_condition
from callsheet.model.measure import Aggregate, AggregateOrder, Level, Measure
from callsheet.model.named import resolved
from callsheet.model.query import And, Condition, Path, Select
from callsheet.model.question import Answer, Question
from callsheet.model.schema import did_you_mean

__all__ = [
    "AskedLevel",
    "AskedMeasure",
    "asked_question",
    "cells_of_question",
    "frame_of",
    "level_columns",
    "query",
    "question_cells",
]


@frozen
class AskedLevel:
    """A level of a question, with its column."""

    column: ExportColumn
    level: Level
    hierarchy: str
    name: str


@frozen
class AskedMeasure:
    """A measure of a question, with its column and its format."""

    column: ExportColumn
    measure: Measure
    format: str


def query(
    cube: Any,
    measures: Sequence[Any],
    levels: Any,
    given_filter: Any,
    totals: Any,
    scenario: Any,
    at: Any,
    order: Any,
    limit: int | None,
    explain: bool,
    include_empty_rows: bool = False,
    mdx: bool = False,
) -> Flow[CubeFrame]:
    """The answer to a question about a cube; all that is wrong with it is said at once."""
    asked, numbers, aggregate = asked_question(
        cube, measures, levels, given_filter, totals, order, limit, bool(include_empty_rows)
    )
    text = _mdx_text(cube, asked, numbers, given_filter, totals, limit, include_empty_rows) if mdx else None
    axes = axes_of(scenario, at)
    questions = [Question(aggregate, at=position, scenario=name, explain=explain) for name, position in axes.points]
    answers = yield from ask(cube._core, questions)
    cells = cells_of_question(cube, asked, numbers, aggregate)
    frame = frame_of(cube, asked, numbers, axes, answers, cells)
    frame.mdx = text
    return frame


def question_cells(cube: Any, measures: Sequence[Any], levels: Any, given_filter: Any, totals: Any) -> FrameCells:
    """The cells of a question that is not sent: of one of them, the entities or the causes can be asked for."""
    return cells_of_question(cube, *asked_question(cube, measures, levels, given_filter, totals))


def level_columns(cube: Any, levels: Any) -> list[ExportColumn]:
    """The columns that levels have in an answer, with those of the levels above them."""
    wrong: list[UsageError] = []
    asked = _levels(cube, levels, wrong)
    if wrong:
        raise wrong[0]
    return [each.column for each in asked]


def cells_of_question(
    cube: Any, asked: Sequence[AskedLevel], numbers: Sequence[AskedMeasure], aggregate: Aggregate
) -> FrameCells:
    names = (*(each.column.name for each in asked), *(each.column.name for each in numbers))
    return FrameCells(cube._core, aggregate, names)


def asked_question(
    cube: Any,
    measures: Sequence[Any],
    levels: Any,
    given_filter: Any,
    totals: Any,
    order: Any = None,
    limit: int | None = None,
    empty: bool = False,
) -> tuple[list[AskedLevel], list[AskedMeasure], Aggregate]:
    """What a question asks for; all that is wrong with it is said at once."""
    if cube._raw.parts:
        parts = " and ".join(each if isinstance(each, str) else each.name for each in cube._raw.parts)
        raise UsageError(f"{cube.name} is made of the cubes {parts}: ask these, or ask it in MDX")
    wrong: list[UsageError] = []
    asked = _levels(cube, levels, wrong)
    numbers = _measures(cube, measures, wrong)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise UsageError(f"{cube.name} cannot answer this:" + "".join(f"\n  - {_message(each)}" for each in wrong))
    names = [*(each.column.name for each in asked), *(each.column.name for each in numbers)]
    _check_columns(names)
    things: list[Level | Measure] = [*(each.level for each in asked), *(each.measure for each in numbers)]
    aggregate = Aggregate(
        Select(cube._raw.table, where=_condition(cube, given_filter)),
        tuple(each.measure for each in numbers),
        tuple(each.level for each in asked),
        order=_orders(order, names, things),
        limit=limit,
        totals=_totals(cube, totals, asked),
        shared=cube._raw.shared,
        empty=empty,
    )
    return asked, numbers, aggregate


def _mdx_text(
    cube: Any,
    asked: Sequence[AskedLevel],
    numbers: Sequence[AskedMeasure],
    given_filter: Any,
    totals: Any,
    limit: int | None,
    empty: bool,
) -> str:
    """The question as a query in MDX; raises `UsageError` for what has no form there."""
    wanted = {"a filter": given_filter is not None, "totals": bool(totals), "a limit": limit is not None}
    for what, is_wanted in wanted.items():
        if is_wanted:
            raise UsageError(f"a question with {what} has no text in MDX here; ask without `mdx`")
    strange = [each.column.name for each in numbers if each.column.name not in cube.measures]
    strange += [each.name for each in asked if not each.hierarchy]
    if strange:
        raise UsageError(f"`{strange[0]}` is not of {cube.name}, so it has no name in MDX; add it to the cube first")
    from callsheet.analytics.mdx.writing import mdx_of

    names = [each.column.name for each in numbers]
    return mdx_of(cube.definition, names, [(each.hierarchy, each.name) for each in asked], empty=empty)


def _check_columns(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1 or name in (SCENARIO, AT, LEVELS):
            what = "several columns are" if names.count(name) > 1 else "no column can be"
            raise UsageError(f"{what} called `{name}`; name the measure: {{'another name': measure}}")


# -- levels --------------------------------------------------------------------------------------------------------


def _levels(cube: Any, given: Any, wrong: list[UsageError]) -> list[AskedLevel]:
    """The levels with those above them; each once, in the order in which they are wanted."""
    found: dict[tuple[str, str], CubeLevel] = {}
    for each in _each(given):
        try:
            for hierarchy, level in _with_upper(cube, each):
                found.setdefault((hierarchy, level.name), level)
        except UsageError as error:
            wrong.append(error)
    names = [name for _, name in found]
    asked = []
    for (hierarchy, name), level in found.items():
        column = name if names.count(name) == 1 else f"{hierarchy}.{name}"
        attribute = check_path(level.path, cube._raw.table, cube._core.schema)[-1][1]
        kind = "date" if level.band else "string" if attribute.kind != "scalar" else attribute.data_type
        asked.append(
            AskedLevel(
                ExportColumn(column, level.path, kind, attribute.choices),
                Level(level.path, level.band, column),
                hierarchy,
                name,
            )
        )
    return asked


def _each(given: Any) -> Iterable[Any]:
    single = isinstance(given, str | LiveLevel | LiveHierarchy | CubeLevel | Level) or hasattr(given, "_attribute")
    if single or not isinstance(given, Iterable):
        return [given]
    return given


def _with_upper(cube: Any, given: Any) -> list[tuple[str, CubeLevel]]:
    if isinstance(given, LiveHierarchy):
        return [(given.name, each) for each in given.defined.levels]
    if isinstance(given, str) and given not in cube.levels and given in cube.hierarchies:
        raise UsageError(f"`{given}` is a hierarchy; its levels are {_listed(cube.hierarchies[given])}")
    if isinstance(given, tuple) or (isinstance(given, str) and ("(" not in given or given in cube.levels)):
        given = cube.levels[given]
    if not isinstance(given, LiveLevel):
        # A level that the cube does not have: it stands alone.
        level = read_level(cube.table, given)
        return [("", level)]
    hierarchy = given.hierarchy.defined
    own = given.defined
    if own.stands_alone:
        return [(hierarchy.name, own)]
    above = hierarchy.levels[: [each.name for each in hierarchy.levels].index(own.name)]
    # What stands alone says which member is meant: what is above it says nothing more.
    alone = max((place for place, each in enumerate(above) if each.stands_alone), default=0)
    return [(hierarchy.name, each) for each in (*above[alone:], own)]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# -- measures ------------------------------------------------------------------------------------------------------


def _measures(cube: Any, given: Sequence[Any], wrong: list[UsageError]) -> list[AskedMeasure]:
    if len(given) == 1 and isinstance(given[0], Mapping):
        pairs = [(name, each) for name, each in given[0].items()]
    elif len(given) == 1 and isinstance(given[0], list | tuple):
        pairs = [("", each) for each in given[0]]
    else:
        pairs = [("", each) for each in given or list(cube._raw.measures)]
    known = {each.name: each.measure for each in cube._raw.measures}
    found: dict[str, AskedMeasure] = {}
    for name, each in pairs:
        try:
            defined = _defined(cube, name, each)
            plain = resolved(defined.measure, known, (defined.name,) if defined.name in known else ())
            check_measure(cube._core.schema, cube._raw, plain, defined.name)
        except UsageError as error:
            wrong.append(error)
            continue
        if defined.name in found:
            wrong.append(UsageError(f"two measures are called `{defined.name}`; name them: {{'name': measure}}"))
            continue
        kind = kind_of(cube._core.schema, cube._raw.table, plain)
        found[defined.name] = AskedMeasure(ExportColumn(defined.name, Path(()), kind), plain, defined.format)
    return list(found.values())


def _defined(cube: Any, name: str, given: Any) -> CubeMeasure:
    """What is asked, as a measure of the cube."""
    if isinstance(given, LiveMeasure) and given.cube is cube:
        given = given.defined
    elif isinstance(given, str) and given in cube.measures:
        given = cube.measures[given].defined
    if isinstance(given, CubeMeasure):
        return evolve(given, name=name or given.name)
    if isinstance(given, str) and given.isidentifier() and given not in ("count",):
        raise UnknownName(f"there is no measure `{given}`{did_you_mean(given, cube.measures)}")
    try:
        measure = by_name(read_measure(cube.table, given), cube)
    except UsageError as error:
        if isinstance(given, str) and (near := did_you_mean(given, cube.measures)):
            raise UnknownName(f"there is no measure `{given:.80}`{near}") from error
        raise
    return CubeMeasure(name or _name_of(given, measure), measure, "")


def _name_of(given: Any, measure: Measure) -> str:
    if isinstance(given, VariableMeasure):
        return given.name
    if is_table(given):
        return count_of(given).name
    return given if isinstance(given, str) else measure_text(measure)


def _message(error: UsageError) -> str:
    return str(error.args[0] if error.args else error)


# -- which facts, and which rows ------------------------------------------------------------------------------------


def _condition(cube: Any, given: Any) -> Condition | None:
    own = cube._raw.where
    if given is None:
        return own  # type: ignore[no-any-return]
    if isinstance(given, str):
        given = parse_condition(given, cube._core.operators)
    elif is_selection(given):
        select = given.of(cube.table).select_statement
        if select.limit is not None or select.offset or select.top or select.sample:
            raise UsageError("a filter is a condition; this selection is limited or a sample of others")
        given = And(()) if select.where is None else select.where
    elif not isinstance(given, Condition):
        raise UsageError(f"a filter is a condition, a selection, or a text such as 'bid > 3', not {given!r:.80}")
    return given if own is None else And((own, given))


def _orders(given: Any, names: Sequence[str], things: Sequence[Level | Measure]) -> tuple[AggregateOrder, ...]:
    found = []
    for each in () if given is None else _each(given):
        if isinstance(each, AggregateOrder):
            found.append(each)
            continue
        text = each.name if isinstance(each, LiveLevel | LiveMeasure) else each
        if not isinstance(text, str):
            raise UsageError(f"`order` takes names of columns, with `-` first for the largest first, not {each!r:.60}")
        name = text if text in names else text.removeprefix("-")
        if name not in names:
            raise UnknownName(f"there is no column `{name:.80}` to order by{did_you_mean(name, names)}")
        found.append(AggregateOrder(things[names.index(name)], name != text))
    return tuple(found)


def _totals(cube: Any, given: Any, asked: Sequence[AskedLevel]) -> bool | tuple[tuple[int, ...], ...]:
    if isinstance(given, bool):
        return given
    names = [each.column.name for each in asked]
    kept = []
    for each in [given] if isinstance(given, str | LiveLevel) else given:
        places = []
        for level in _each(each):
            name = level.name if isinstance(level, LiveLevel) else level
            if name not in names:
                raise UnknownName(f"`{name}` of the totals is no column{did_you_mean(str(name), names)}")
            places.append(names.index(name))
        kept.append(tuple(sorted(set(places))))
    return tuple(kept)


# -- the answer ----------------------------------------------------------------------------------------------------


def frame_of(
    cube: Any,
    asked: Sequence[AskedLevel],
    numbers: Sequence[AskedMeasure],
    axes: Axes,
    answers: Sequence[Answer],
    cells: FrameCells,
) -> CubeFrame:
    columns = [ExportColumn(SCENARIO, Path(()), "string")] * axes.scenarios
    columns += [ExportColumn(AT, Path(()), "integer")] * axes.positions
    columns += [each.column for each in asked]
    rows: list[tuple[Any, ...]] = []
    for (name, position), answer in zip(axes.points, answers):
        first: tuple[Any, ...] = (name,) * axes.scenarios
        first += (answer.position if position is None else position,) * axes.positions
        rows += [(*first, *row) for row in answer.rows]
    now = [answer for (_, position), answer in zip(axes.points, answers) if position is None] or answers
    cut = [each.truncated for each in answers if each.truncated is not None]
    plans = [each.plan for each in answers if each.plan is not None]
    return CubeFrame(
        cube.name,
        [*columns, *(each.column for each in numbers)],
        len(columns),
        rows,
        bool(cells.question.totals),
        position=now[-1].position,
        truncated=min(cut, default=None),
        plan=plans[0] if len(plans) == 1 else {"questions": plans} if plans else None,
        formats={each.column.name: each.format for each in numbers if each.format},
        cells=cells,
    )
