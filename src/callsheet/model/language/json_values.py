"""The values in a query as JSON: what JSON has, and the times and days that it has no form for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from callsheet.model.language.json_names import LITERALS, TIME
from callsheet.model.language.json_places import Place, at, is_entity, is_list, names, wrong
from callsheet.model.moments import read_date, read_datetime
from callsheet.model.relative_time import RelativeTime
from callsheet.model.scalar import INTEGER_LIMIT, shown

__all__ = ["one", "value_of"]


def value_of(value: Any, place: Place) -> Any:
    """One value, or a tuple of several."""
    if is_list(value):
        return tuple(one(each, (*place, index)) for index, each in enumerate(value))
    return one(value, place)


def one(value: Any, place: Place) -> Any:
    if isinstance(value, Mapping) and not is_entity(value):
        return _tagged(value, place)
    if is_list(value):
        raise wrong(place, "takes one value, not a list", "`__in__` compares with several")
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong(place, f"{value!r} is no number of JSON")
    if isinstance(value, int) and not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
        raise wrong(place, "a number has at most 64 bits")
    return value


def _tagged(value: Mapping[str, Any], place: Place) -> Any:
    """A value that JSON has no form for."""
    word = next((word for word in value if word in LITERALS), None)
    if word is None:
        raise wrong(place, f"an object is no value: {shown(value)}", f"a value is one of {', '.join(LITERALS)}")
    if len(value) > 1:
        other = next(each for each in value if each != word)
        raise wrong((*place, other), f"nothing stands beside `{word}`", f'{{"__ge__": {{"{word}": …}}}} compares')
    inside, here = value[word], (*place, word)
    if word == "__time__":
        return _time(inside, here)
    if not isinstance(inside, str):
        raise wrong(here, f"takes a text, not {shown(inside)}")
    reader: Callable[[str], date | datetime] = read_date if word == "__date__" else read_datetime
    try:
        return reader(inside)
    except ValueError as error:
        raise wrong(here, f"{shown(inside)} {error}") from None


def _time(data: Any, place: Place) -> RelativeTime:
    names(data, TIME, place)
    if not data:
        raise wrong(place, "a time says how far from now it is", 'like {"__days__": -7}, or {"__start__": "day"}')
    values = {}
    for word, value in data.items():
        with at((*place, word)):
            # Each alone, so that an error has its place.
            RelativeTime(**{TIME[word]: value})
            values[TIME[word]] = value
    if not set(values) - {"zone"}:
        raise wrong(place, "a zone alone is no time", 'like {"__days__": -7}, or {"__start__": "day"}')
    return RelativeTime(**values)
