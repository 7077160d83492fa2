"""The JSON of a query: what `read_query` reads back as an equal query."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

from callsheet.errors import QueryError
from callsheet.model.language.json_names import COMPARISONS, TIME, is_word
from callsheet.model.language.literal import literal_text, quote
from callsheet.model.language.text import path_text
from callsheet.model.query import OPERATORS, And, Any_, Comparison, Condition, Not, Or, Order, Path, Sample, Select
from callsheet.model.relative_time import RelativeTime
from callsheet.model.scalar import Unfit, plain_scalar, shown

__all__ = ["condition_json", "select_json"]

_WORDS = {operator: word for word, operator in COMPARISONS.items()}


def select_json(select: Select) -> dict[str, Any]:
    """The JSON of a select.

    >>> from callsheet.model.language.parser import parse
    >>> select_json(parse("Task where bid > 3 and created_at > now(-1 day) limit 5"))["__query__"]
    {'bid': {'__gt__': 3}, 'created_at': {'__gt__': {'__time__': {'__days__': -1}}}}
    """
    found: dict[str, Any] = {"__model__": select.entity_type}
    found["__query__"] = {} if select.where is None else condition_json(select.where)
    options: dict[str, Any] = {}
    if select.order:
        options["order"] = _orders(select.order)
    if select.limit is not None:
        options["limit"] = select.limit
    if select.offset:
        options["offset"] = select.offset
    if select.top is not None:
        options["top"] = {"number": select.top.number}
        options["top"] |= {"by": _orders(select.top.by)} if select.top.by else {}
        options["top"] |= {} if select.top.per is None else {"per": path_text(select.top.per)}
    if select.sample is not None:
        options["sample"] = _sample(select.sample)
    if options:
        found["__options__"] = options
    if select.projections:
        found["__return__"] = [path_text(path) for path in select.projections]
    return found


def _orders(orders: tuple[Order, ...]) -> list[str]:
    return [f"{path_text(each.path)}{' descending' * each.descending}" for each in orders]


def _sample(sample: Sample) -> dict[str, Any]:
    found: dict[str, Any] = {"number": sample.number} if sample.fraction is None else {"fraction": sample.fraction}
    found |= {"method": sample.method} if sample.method != "random" else {}
    found |= {"seed": sample.seed} if sample.seed else {}
    return found if sample.per is None else {**found, "per": path_text(sample.per)}


def condition_json(condition: Condition) -> dict[str, Any]:
    """The JSON of a condition: the object that stands under ``__query__``."""
    if isinstance(condition, Comparison):
        return {_key(condition.path): _comparison(condition)}
    if isinstance(condition, Any_):
        inside = {} if condition.condition is None else condition_json(condition.condition)
        return {_key(condition.path): {f"__{condition.word}__": inside}}
    if isinstance(condition, Not):
        return {"__not__": condition_json(condition.condition)}
    word = "and" if isinstance(condition, And) else "or"
    if not condition.conditions:
        raise QueryError(f"an `{word}` of no conditions cannot be written")
    parts = [condition_json(part) for part in condition.conditions]
    if len(parts) == 1:
        return parts[0]
    if isinstance(condition, Or) or any(isinstance(part, And) for part in condition.conditions):
        return {f"__{word}__": parts}
    together = {key: value for part in parts for key, value in part.items()}
    return together if len(together) == len(parts) else {"__and__": parts}


def _key(path: Path) -> str:
    text = path_text(path)
    return quote(text) if is_word(text) else text


def _comparison(comparison: Comparison) -> Any:
    operator, value = comparison.operator, comparison.value
    if operator not in OPERATORS:
        raise QueryError(f"there is no operator `{operator}`", hint=f"one of {', '.join(OPERATORS)}")
    if isinstance(value, Select):
        return {_WORDS[operator]: select_json(value)}
    if isinstance(value, tuple):
        listed = [_literal(each) for each in value]
        return listed if operator == "in" else {_WORDS[operator]: listed}
    written = _literal(value)
    if operator == "=" and not (isinstance(written, dict) and "__time__" in written):
        return written
    return {_WORDS[operator]: written}


def _literal(value: Any) -> Any:
    try:
        plain = plain_scalar(value)
    except Unfit as unfit:
        raise QueryError(f"a query cannot hold this {type(value).__name__}: {shown(value)}", hint=unfit.cure) from None
    value = value if plain is None else plain
    if isinstance(value, RelativeTime):
        parts: dict[str, Any] = dict(value.units)
        parts |= {name: text for name in ("start", "zone") if (text := getattr(value, name))}
        if not set(parts) - {"zone"}:
            parts["seconds"] = 0
        return {"__time__": {word: parts[name] for word, name in TIME.items() if name in parts}}
    # Raises for what no query can hold.
    text = literal_text(value)
    if isinstance(value, datetime):
        return {"__datetime__": text}
    if isinstance(value, date):
        return {"__date__": text}
    return None if isinstance(value, float) and math.isnan(value) else value
