"""A run of rows read column by column: what is alike in all rows is checked once, by functions of the interpreter.

Theory. Most columns hold values of one kind that need no reading, or a few texts again and again. That a thousand texts
are plain is one question about their concatenation, and a text that stands in a hundred rows is read once. A column
with anything else in it has no short way, and is read cell by cell, which gives the same values and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from callsheet.model.normalisation import KEY_LENGTH
from callsheet.model.scalar import INTEGER_LIMIT

__all__ = ["EXACT", "are_exact"]


def _is_plain_text(raw: str) -> bool:
    """Whether a text is its own normal form: beyond ASCII a letter may be written in two ways.

    Texts that are empty or begin with a space take the slow path.
    """
    return raw[:1] > " " and len(raw) <= KEY_LENGTH and raw.isascii() and raw.isprintable()


def _are_plain_texts(raws: Sequence[str]) -> bool:
    joined = "".join(raws)
    return joined.isascii() and joined.isprintable() and min(raws) >= "!" and len(max(raws, key=len)) <= KEY_LENGTH


def _is_bounded(raw: int) -> bool:
    """Whether every database holds the integer."""
    return -INTEGER_LIMIT <= raw < INTEGER_LIMIT


def _are_bounded(raws: Sequence[int]) -> bool:
    return _is_bounded(min(raws)) and _is_bounded(max(raws))


EXACT: dict[str, Mapping[type, Callable[[Any], bool]]] = {
    "string": {str: _is_plain_text},
    "boolean": {bool: lambda _: True},
    "integer": {int: _is_bounded},
    "number": {float: isfinite},
}
"""The values that an attribute takes as they are, by its data type and theirs, if they fit."""
_ALL: dict[type, Callable[[Any], bool]] = {
    str: _are_plain_texts,
    bool: lambda _: True,
    int: _are_bounded,
    float: lambda raws: all(map(isfinite, raws)),
}


def are_exact(raws: Sequence[Any], kind: type, fitting: Mapping[type, Callable[[Any], bool]]) -> bool:
    """Whether all values, which are of this type, are taken as they are.

    >>> are_exact(["sh010", "sh020"], str, EXACT["string"]), are_exact(["sh010", " "], str, EXACT["string"])
    (True, False)
    """
    return kind in fitting and _ALL[kind](raws)
