"""DRILLTHROUGH: the entities behind a cell, as rows of columns that ``RETURN`` names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve, field, frozen

from callsheet.analytics.frames import Frame
from callsheet.analytics.mdx.cells import FactCondition
from callsheet.analytics.mdx.entity_questions import CubeQuestions
from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.syntax import CallExpression, DrillthroughStatement, Expression, NameExpression
from callsheet.analytics.mdx.text import expression_text
from callsheet.core import paging
from callsheet.core.core import Core
from callsheet.core.rows import flat_records
from callsheet.export.layout import columns_of
from callsheet.flow import Flow
from callsheet.model.cube import CubeDefinition
from callsheet.model.measure import AggregateFunction
from callsheet.model.query import And, Path, Select

__all__ = ["DrilledRows", "drilled_rows"]

PAGE = 1000
MOST_ROWS = 10_000
"""So many rows are read where ``MAXROWS`` says nothing."""


@frozen
class DrilledRows:
    """The rows behind a cell. ``entities`` is a query of the entities themselves, to be read, changed or exported."""

    frame: Frame
    entities: Any = field(repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.frame.columns

    def __len__(self) -> int:
        return len(self.frame)

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows, each as a dict by column."""
        return self.frame.to_rows()

    def to_frame(self) -> Frame:
        """The rows as a frame, for other libraries."""
        return self.frame

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``."""
        return self.frame.to_pandas()


def drilled_rows(
    core: Core,
    questions: CubeQuestions,
    statement: DrillthroughStatement,
    conditions: Iterable[FactCondition],
    text: str,
) -> Flow[DrilledRows]:
    """The rows of the facts that fulfil the conditions of a cell."""
    definition = questions.definition
    columns = _columns(definition, statement.columns, text)
    where = [questions.condition(each) for each in conditions]
    where += [] if definition.where is None else [definition.where]
    facts = Select(definition.table, (), And(tuple(where)) if where else None)
    paths = tuple(dict.fromkeys(columns.values()))
    most = MOST_ROWS if statement.max_rows is None else statement.max_rows
    select = evolve(facts, projections=paths, limit=most, offset=max(0, (statement.first_row or 1) - 1))
    pages = yield from paging.every_page(core, select, PAGE, lambda page: flat_records(core, select, page))
    rows = [row for page in pages for row in page]
    known = dict(zip(paths, columns_of(core.schema, select)))
    shown = [evolve(known[path], name=name) for name, path in columns.items()]
    values = [[row[".".join(path.names)] for row in rows] for path in columns.values()]
    return DrilledRows(Frame(shown, values), core.select(facts))  # type: ignore[attr-defined]


def _columns(definition: CubeDefinition, named: Iterable[Expression], text: str) -> dict[str, Path]:
    """The columns by name: those that are named, or all levels, and all measures of one attribute."""
    found: dict[str, Path] = {}
    every = _known(definition)
    if not named:
        for (_, short), path in every.items():
            found.setdefault(short, path)
        return found
    for each in named:
        name = each.arguments[0] if isinstance(each, CallExpression) and each.arguments else each
        if not isinstance(name, NameExpression):
            raise MdxError("RETURN names levels and measures", getattr(each, "position", -1), "", text)
        found[expression_text(name)] = _path(every, name, text)
    return found


def _path(every: dict[tuple[str, str], Path], name: NameExpression, text: str) -> Path:
    words = [segment.name.lower() for segment in name.segments]
    for (above, short), path in every.items():
        if words[-1] == short.lower() and (len(words) == 1 or words[0] in (above.lower(), above.split(".")[0].lower())):
            return path
    hint = nearest_name(words[-1], [short for _, short in every])
    raise MdxError(f"RETURN cannot give `{expression_text(name)}`", name.position, hint, text)


def _known(definition: CubeDefinition) -> dict[tuple[str, str], Path]:
    """What can be returned, by the names of the hierarchy and of the level or measure."""
    found: dict[tuple[str, str], Path] = {}
    for hierarchy in definition.hierarchies:
        for level in hierarchy.levels:
            found[hierarchy.name, level.name] = level.caption or level.path
            found |= {(hierarchy.name, name): path for name, path in level.properties.items()}
    for measure in definition.measures:
        if isinstance(measure.measure, AggregateFunction) and measure.measure.path is not None:
            found["Measures", measure.name] = measure.measure.path
    return found
