"""JSON data made plain: dicts with strings as keys, lists, and the scalars that JSON has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from callsheet.model.scalar import Unfit, bounded, finite, plain_scalar, plain_text, shown

__all__ = ["json_data"]

DEPTH = 32


def json_data(value: Any, depth: int = DEPTH) -> Any:
    """The value as dicts, lists and plain scalars, new all the way down; `Unfit`, with the place, for anything else.

    >>> json_data({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    value = plain_scalar(value)
    kind = type(value)
    if kind is str:
        return plain_text(value)
    if kind is float:
        return finite(value)
    if kind is int:
        return bounded(value, "a number of 64 bits")
    if value is None or kind is bool:
        return value
    if depth == 0:
        raise Unfit(f"JSON data nested less than {DEPTH} deep")
    if isinstance(value, Mapping):
        return dict(_members(value, depth - 1))
    if isinstance(value, list | tuple):
        return [_inside(index, item, depth - 1) for index, item in enumerate(value)]
    raise Unfit("JSON data (None, bool, number, string, list, dict)", _cure(value))


def _members(value: Mapping[Any, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        name = plain_scalar(key)
        if type(name) is not str:
            raise Unfit("JSON data whose keys are strings", value=key, path=(shown(key),))
        yield str(plain_text(name)), _inside(name, item, depth)


def _inside(place: str | int, item: Any, depth: int) -> Any:
    try:
        return json_data(item, depth)
    except Unfit as unfit:
        found = unfit.value if unfit.path else item
        raise Unfit(unfit.wanted, unfit.cure, found, (place, *unfit.path)) from None


def _cure(value: Any) -> str:
    if isinstance(value, date):
        return "`value.isoformat()` is its text"
    if isinstance(value, set | frozenset):
        return "`sorted(value)` gives a list"
    return "`value.tolist()` gives a list" if hasattr(type(value), "tolist") else ""
