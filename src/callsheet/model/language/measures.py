"""Short texts of measures and levels: ``sum(bid)``, ``quantile(bid, 0.9)``, ``month(due_date)``; read and written."""

from __future__ import annotations

import math
import re
from typing import Final

from callsheet.errors import QueryError
from callsheet.model.language.parser import check_length, parse_path
from callsheet.model.language.text import condition_text, path_text
from callsheet.model.measure import (
    BANDS,
    FUNCTIONS,
    AggregateFunction,
    AggregateOrder,
    Arithmetic,
    Constant,
    Level,
    Measure,
)
from callsheet.model.schema import did_you_mean
from callsheet.model.window import WINDOWS, Window

__all__ = ["FUNCTION_NAMES", "level_text", "measure_text", "parse_level", "parse_measure", "parse_order"]

_CALL: Final = re.compile(r"\s*(\w+)\s*(?:\((.*)\)\s*)?", re.DOTALL)
_ALIASES: Final = {
    "total": "sum",
    "mean": "average",
    "avg": "average",
    "min": "minimum",
    "max": "maximum",
    "stddev": "deviation",
}
FUNCTION_NAMES: Final = frozenset({*FUNCTIONS, *_ALIASES, *WINDOWS})
"""What functions are called in texts."""
_DIRECTIONS: Final = {"asc": False, "ascending": False, "desc": True, "descending": True}


def parse_measure(text: str) -> Measure:
    """The function, or the measure beside other groups, that a text stands for.

    >>> parse_measure("sum(bid)") == AggregateFunction("sum", "bid")
    True
    >>> parse_measure("quantile(bid, 0.9)").argument
    0.9
    >>> parse_measure("moving(sum(bid), month(due_date), 3)").number
    3
    """
    check_length(text)
    found = _CALL.fullmatch(text)
    if found is None:
        raise QueryError(f"`{text:.80}` is not a measure", hint="like `count` or `sum(bid)`", text=text)
    name, inside = found[1].lower(), (found[2] or "").strip()
    name = _ALIASES.get(name, name)
    if name in WINDOWS:
        return _window(name, inside, text)
    if name not in FUNCTIONS:
        near = did_you_mean(name, (*FUNCTIONS, *WINDOWS))
        raise QueryError(f"there is no function `{name:.80}`{near}", hint=", ".join((*FUNCTIONS, *WINDOWS)))
    if name != "quantile" or not inside:
        return AggregateFunction(name, parse_path(inside) if inside else None)
    path, _, place = inside.rpartition(",")
    try:
        argument = float(place)
    except ValueError:
        argument = math.nan
    if not path or not 0 <= argument <= 1:
        raise QueryError(f"`{text:.80}` is not a quantile", hint="like `quantile(bid, 0.9)`", text=text)
    return AggregateFunction(name, parse_path(path), argument=argument)


def _window(name: str, inside: str, text: str) -> Window:
    """A measure beside other groups: its measure, then levels, then perhaps a number."""
    of, *others = _arguments(inside)
    if not of:
        raise QueryError(f"`{name}` needs a measure", hint=f"like `{name}(sum(bid), month(due_date))`", text=text)
    number = int(others.pop()) if others and others[-1].isdecimal() and len(others[-1]) < 10 else 1
    return Window(name, parse_measure(of), tuple(parse_level(each) for each in others), number)


def _arguments(inside: str) -> list[str]:
    """The parts between commas that are in no parentheses.

    >>> _arguments("quantile(bid, 0.9), month(due_date), 3")
    ['quantile(bid, 0.9)', 'month(due_date)', '3']
    """
    parts, depth = [""], 0
    for character in inside:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def parse_level(text: str) -> Level:
    """The level that a text stands for: a path, or a path in a band.

    >>> parse_level("month(due_date)").band
    'month'
    """
    check_length(text)
    found = _CALL.fullmatch(text)
    if found is None or found[2] is None:
        return Level(parse_path(text), name=text)
    if found[1].lower() not in BANDS:
        raise QueryError(f"there is no band `{found[1]:.80}`{did_you_mean(found[1], BANDS)}", hint=", ".join(BANDS))
    return Level(parse_path(found[2]), found[1].lower(), name=text)


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
    found = _CALL.fullmatch(body)
    word = found[1].lower() if found else ""
    if word in FUNCTION_NAMES:
        return AggregateOrder(parse_measure(body), bool(descending))
    return AggregateOrder(parse_level(body), bool(descending))


def measure_text(measure: Measure) -> str:
    """The text of a measure, which names it in results.

    >>> measure_text(AggregateFunction("sum", "bid") / AggregateFunction("count"))
    'sum(bid) / count'
    """
    if isinstance(measure, Constant):
        return f"{measure.value:g}" if measure.value >= 0 else f"({measure.value:g})"
    if isinstance(measure, Arithmetic):
        return f"{_part_text(measure.left)} {measure.operator} {_part_text(measure.right)}"
    if isinstance(measure, Window):
        number = [str(measure.number)] if measure.number != 1 else []
        parts = [measure_text(measure.of), *(level_text(each) for each in measure.levels), *number]
        return f"{measure.name}({', '.join(parts)})"
    if not isinstance(measure, AggregateFunction):
        raise QueryError(f"{measure!r:.80} is no measure")
    inside = [] if measure.path is None else [path_text(measure.path)]
    if measure.argument is not None:
        inside.append(f"{measure.argument:g}")
    if measure.repeated:
        inside.append("repeated")
    text = f"{measure.name}({', '.join(inside)})" if inside else measure.name
    return text if measure.condition is None else f"{text} where {condition_text(measure.condition)}"


def _part_text(measure: Measure) -> str:
    text = measure_text(measure)
    function = isinstance(measure, AggregateFunction) and measure.condition is None
    closed = function or isinstance(measure, Constant | Window)
    return text if closed else f"({text})"


def level_text(level: Level) -> str:
    """The text of a level.

    >>> level_text(Level("due_date", "month"))
    'month(due_date)'
    """
    return path_text(level.path) if level.band is None else f"{level.band}({path_text(level.path)})"
