"""The text of a query, a condition, a path: what `parse` reads back as an equal value.

Strings are always quoted, operators are written as signs where there is one, and parentheses stand only
where the tree needs them.
"""

from __future__ import annotations

import re

from callsheet.errors import QueryError
from callsheet.model.language.literal import literal_text, quote
from callsheet.model.language.parser import RESERVED
from callsheet.model.query import (
    OPERATORS,
    And,
    Any_,
    Comparison,
    Condition,
    Not,
    Or,
    Order,
    Path,
    Sample,
    Select,
    Step,
    Top,
)

__all__ = ["condition_text", "in_parentheses", "path_text", "select_text", "type_text"]

_PLAIN = re.compile(r"\w+")


def select_text(select: Select) -> str:
    """The text of a select.

    >>> from callsheet.model.language.parser import parse
    >>> select_text(parse("select name from Task where status is Done and not bid > 3 limit 5"))
    'select name from Task where status = "Done" and not bid > 3 limit 5'
    """
    parts = [type_text(select.entity_type)]
    if select.projections:
        parts.insert(0, f"select {', '.join(path_text(path) for path in select.projections)} from")
    if select.where is not None:
        parts.append(f"where {condition_text(select.where)}")
    if select.top is not None:
        parts.append(_top_text(select.top))
    if select.sample is not None:
        parts.append(_sample_text(select.sample))
    if select.order:
        parts.append(f"order by {_orders_text(select.order)}")
    if select.limit is not None:
        parts.append(f"limit {select.limit}")
    if select.offset:
        parts.append(f"offset {select.offset}")
    return " ".join(parts)


def _orders_text(orders: tuple[Order, ...]) -> str:
    return ", ".join(f"{path_text(order.path)}{' descending' * order.descending}" for order in orders)


def _top_text(top: Top) -> str:
    if top.per is None and not top.by:
        raise QueryError("a top needs an order or a path to count by", hint="a plain `limit` is without both")
    per = "" if top.per is None else f" per {path_text(top.per)}"
    return f"limit {top.number}{per}{f' by {_orders_text(top.by)}' if top.by else ''}"


def _sample_text(sample: Sample) -> str:
    size = sample.number if sample.fraction is None else float(sample.fraction)
    per = "" if sample.per is None else f" per {path_text(sample.per)}"
    seed = f" by {sample.seed}" if sample.seed else ""
    return f"sample {literal_text(size)}{' first' * (sample.method == 'first')}{per}{seed}"


def condition_text(condition: Condition) -> str:
    """The text of a condition.

    >>> condition_text(Or((Comparison(Path.of("name"), "=", "a"), Not(Any_(Path.of("children"))))))
    'name = "a" or not children any ()'
    """
    if isinstance(condition, Comparison):
        return _comparison_text(condition)
    if isinstance(condition, Any_):
        inner = "" if condition.condition is None else condition_text(condition.condition)
        return f"{path_text(condition.path)} {condition.word} ({inner})"
    if isinstance(condition, Not):
        return f"not {_part_text(condition.condition, condition)}"
    word = "and" if isinstance(condition, And) else "or"
    if not condition.conditions:
        raise QueryError(f"an `{word}` of no conditions cannot be written")
    if len(condition.conditions) == 1:
        return condition_text(condition.conditions[0])
    return f" {word} ".join(_part_text(part, condition) for part in condition.conditions)


def in_parentheses(part: Condition, whole: And | Or | Not) -> bool:
    """Whether a part of a condition must be written in parentheses."""
    if isinstance(part, And):
        return not isinstance(whole, Or)
    return isinstance(part, Or)


def path_text(path: Path) -> str:
    """The text of a path.

    >>> path_text(Path((Step("parent", "Shot"), Step("metadata"), Step("frame rate"))))
    'parent[Shot].metadata."frame rate"'
    """
    if not path.steps:
        raise QueryError("a path needs a name")
    first, *later = path.steps
    return ".".join([_step_text(first, first=True), *(_step_text(step) for step in later)])


def _part_text(part: Condition, whole: And | Or | Not) -> str:
    text = condition_text(part)
    return f"({text})" if in_parentheses(part, whole) else text


def _comparison_text(comparison: Comparison) -> str:
    if comparison.operator not in OPERATORS:
        raise QueryError(f"there is no operator `{comparison.operator}`", hint=f"one of {', '.join(OPERATORS)}")
    value = comparison.value
    if isinstance(value, Select):
        written = f"({_inner_text(value)})"
    elif isinstance(value, tuple):
        written = f"({', '.join(literal_text(item) for item in value)})"
    else:
        written = literal_text(value)
    return f"{path_text(comparison.path)} {comparison.operator} {written}"


def _inner_text(select: Select) -> str:
    """The text of a select in parentheses, where a lone type would be read as a value."""
    text = select_text(select)
    return f"select from {text}" if text == type_text(select.entity_type) else text


def type_text(name: str) -> str:
    """The text of an entity type's name."""
    return name if name.isidentifier() and name.lower() not in RESERVED else quote(name)


def _step_text(step: Step, first: bool = False) -> str:
    plain = _PLAIN.fullmatch(step.name) is not None
    if plain and first:
        plain = not step.name[0].isdecimal() and step.name.lower() not in RESERVED
    name = step.name if plain else quote(step.name)
    return name if step.cast is None else f"{name}[{type_text(step.cast)}]"
