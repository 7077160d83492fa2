"""Short texts of measures and levels: ``sum(bid)``, ``quantile(bid, 0.9)``, ``month(due_date)``; read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import evolve

from callsheet.errors import QueryError
from callsheet.model.choice import Choice, Scoped
from callsheet.model.language.literal import literal_text, quote
from callsheet.model.language.measure_reader import FUNCTION_NAMES, MeasureReader
from callsheet.model.language.text import condition_text, path_text, type_text
from callsheet.model.measure import (
    AggregateFunction,
    AggregateOrder,
    Arithmetic,
    Constant,
    Having,
    HavingAll,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
)
from callsheet.model.named import NamedMeasure
from callsheet.model.parameter import Parameter
from callsheet.model.window import Window

__all__ = ["FUNCTION_NAMES", "having_text", "level_text", "measure_text", "parse_level", "parse_measure", "parse_order"]

_NAME: Final = re.compile(r"\w+")
_BRACKETED: Final = re.compile(r"[\w().+*/%&:#-]+(?: [\w().+*/%&:#-]+)*")
_DIRECTIONS: Final = {"asc": False, "ascending": False, "desc": True, "descending": True}


def parse_measure(text: str, named: Mapping[str, Measure] | None = None) -> Measure:
    """The measure that a text stands for; ``named`` are measures that it may call by their names.

    >>> parse_measure("sum(bid)") == AggregateFunction("sum", "bid")
    True
    >>> parse_measure("quantile(bid, 0.9)").argument
    0.9
    >>> parse_measure("moving(sum(bid), month(due_date), 3)").number
    3
    >>> measure_text(parse_measure("(sum(bid) where status.name is Done) / sum(bid)"))
    '(sum(bid) where status.name = "Done") / sum(bid)'
    """
    return MeasureReader(text, named).whole(MeasureReader.measure, "sum(bid)")


def parse_level(text: str) -> Level:
    """The level that a text stands for: a path, or a path in a band.

    >>> parse_level("month(due_date)").band
    'month'
    """
    return evolve(MeasureReader(text).whole(MeasureReader.level, "month(due_date)"), name=text)


def parse_order(text: str, levels: tuple[Level, ...] = ()) -> AggregateOrder:
    """The order that a text stands for: a level by its name or text, or a measure; then perhaps a direction.

    >>> parse_order("sum(bid) descending").descending
    True
    """
    *words, last = text.split() or [""]
    descending = _DIRECTIONS.get(last.lower()) if words else None
    body = text.strip() if descending is None else text.strip()[: -len(last)].strip()
    for level in levels:
        if body in (level.name, level_text(level)):
            return AggregateOrder(level, bool(descending))
    word = _NAME.match(body)
    if word is not None and word[0].lower() in FUNCTION_NAMES:
        return AggregateOrder(parse_measure(body), bool(descending))
    return AggregateOrder(parse_level(body), bool(descending))


def measure_text(measure: Measure) -> str:
    """The text of a measure, which names it in results.

    >>> measure_text(AggregateFunction("sum", "bid") / AggregateFunction("count"))
    'sum(bid) / count'
    """
    if isinstance(measure, NamedMeasure):
        return f"[{measure.name if _BRACKETED.fullmatch(measure.name) else quote(measure.name)}]"
    if isinstance(measure, Constant):
        written = f"{measure.value:g}" if float(f"{measure.value:g}") == measure.value else f"{measure.value!r}"
        return written if measure.value >= 0 else f"({written})"
    if isinstance(measure, Arithmetic):
        return f"{_part_text(measure.left)} {measure.operator} {_part_text(measure.right)}"
    if isinstance(measure, Window):
        number = [str(measure.number)] if measure.number != 1 else []
        parts = [measure_text(measure.of), *(level_text(each, True) for each in measure.levels), *number]
        return f"{measure.name}({', '.join(parts)})"
    if isinstance(measure, Choice):
        shown = [measure.then] if measure.otherwise is None else [measure.then, measure.otherwise]
        return f"if({', '.join([having_text(measure.condition), *map(measure_text, shown)])})"
    if isinstance(measure, Scoped):
        sides = [measure_text(measure.then), measure_text(measure.otherwise)]
        return f"scoped({', '.join([*sides, *(level_text(each, True) for each in measure.levels)])})"
    if isinstance(measure, Parameter):
        name = measure.name if _NAME.fullmatch(measure.name) else quote(measure.name)
        return f"parameter({', '.join([name, *(level_text(each, True) for each in measure.levels)])})"
    if not isinstance(measure, AggregateFunction):
        raise QueryError(f"{measure!r:.80} is no measure")
    if measure.weights:
        weight, plain = measure.weights[-1], evolve(measure, weights=measure.weights[:-1])
        return f"{_part_text(plain)} {'/' if weight.divides else '*'} {measure_text(weight.parameter)}"
    return _function_text(measure)


def _function_text(function: AggregateFunction) -> str:
    inside = [path_text(each) for each in (function.path, function.by) if each is not None]
    if function.argument is not None:
        inside.append(repr(function.argument) if function.argument % 1 else f"{function.argument:g}")
    if function.repeated:
        inside.append("repeated")
    text = f"{function.name}({', '.join(inside)})" if inside else function.name
    text = f"{text} of {type_text(function.table)}" if function.table else text
    return text if function.condition is None else f"{text} where {condition_text(function.condition)}"


def having_text(having: Having) -> str:
    """The text of a condition on measures.

    >>> having_text((AggregateFunction("count") > 3) & ~AggregateFunction("sum", "bid").equals(0))
    'count > 3 and not sum(bid) = 0'
    """
    if isinstance(having, MeasureComparison):
        return f"{_part_text(having.measure)} {having.operator} {literal_text(having.value)}"
    if isinstance(having, HavingNot):
        inner = having_text(having.condition)
        return f"not {inner if isinstance(having.condition, MeasureComparison | HavingNot) else f'({inner})'}"
    word = "and" if isinstance(having, HavingAll) else "or"
    if not having.conditions:
        raise QueryError(f"an `{word}` of no conditions cannot be written")
    closed = MeasureComparison | HavingNot
    parts = [(having_text(part), isinstance(part, closed)) for part in having.conditions]
    return f" {word} ".join(text if plain else f"({text})" for text, plain in parts)


def _part_text(measure: Measure) -> str:
    text = measure_text(measure)
    if isinstance(measure, AggregateFunction):
        closed = measure.condition is None and not measure.table and not measure.weights
    else:
        closed = isinstance(measure, Constant | NamedMeasure | Window | Choice | Scoped | Parameter)
    return text if closed else f"({text})"


def level_text(level: Level, zoned: bool = False) -> str:
    """The text of a level; with ``zoned``, with the zone of a band that is not UTC.

    >>> level_text(Level("due_date", "month"))
    'month(due_date)'
    """
    if level.band is None:
        return path_text(level.path)
    zone = "" if level.zone == "UTC" or not zoned else f", {quote(level.zone)}"
    return f"{level.band}({path_text(level.path)}{zone})"
