"""Keys as another database has them, beside the texts that stand for them here.

A view of an external table has, next to the text of a key or of a reference, the columns that the text is made of. Two
equal texts are made of equal columns. So the columns are compared, too, where rows are joined: it changes no result,
and the other database can use its indexes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, and_

from callsheet.model.scalar import INTEGER_LIMIT

__all__ = ["TEXT_KEY", "WHOLE_KEY", "native_key", "native_reference", "same_key", "with_native_key"]

Where = ColumnElement[bool]

WHOLE_KEY, TEXT_KEY = "__whole__", "__text__"
"""The one column of a key, where that is of integers or of texts."""

_WHOLE = re.compile(r"-?[0-9]{1,40}")


def native_key(place: int) -> str:
    """The name of a column of the key."""
    return f"__key__{place}"


def native_reference(attribute: str, place: int) -> str:
    """The name of a column of a reference."""
    return f"{attribute}__{place}"


def same_key(left: ColumnElement[Any], right: ColumnElement[Any]) -> Where:
    """The condition that two columns have the same key.

    >>> from sqlalchemy import Column, MetaData, Table, Text
    >>> shot, task = (Table(name, MetaData(), Column("id", Text), Column("shot", Text)) for name in ("shot", "task"))
    >>> print(same_key(shot.c.id, task.c.shot))
    shot.id = task.shot
    """
    pairs = list(zip(_natives(left), _natives(right)))
    return and_(*(one == other for one, other in pairs), left == right) if pairs else left == right


def with_native_key(column: ColumnElement[Any], keys: Sequence[str], condition: Where) -> Where:
    """A condition that is true for some of these keys at most, and the same of the column that the key is made of.

    >>> from sqlalchemy import Column, MetaData, Table, Text
    >>> shot = Table("shot", MetaData(), Column("id", Text))
    >>> print(with_native_key(shot.c.id, ["a"], shot.c.id == "a"))
    shot.id = :id_1
    """
    table = getattr(column, "table", None)
    if table is None or getattr(column, "name", "") != "id":
        return condition
    whole, text = table.c.get(WHOLE_KEY), table.c.get(TEXT_KEY)
    if whole is not None:
        numbers = [int(key) for key in keys if _WHOLE.fullmatch(key)]
        if any(abs(number) >= INTEGER_LIMIT for number in numbers):
            return condition
        return and_(whole.in_(numbers), condition)
    return condition if text is None else and_(text.in_(list(keys)), condition)


def _natives(column: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    table, name = getattr(column, "table", None), getattr(column, "name", "")
    if table is None:
        return []
    found: list[ColumnElement[Any]] = []
    for place in count():
        native = table.c.get(native_key(place) if name == "id" else native_reference(name, place))
        if native is None:
            return found
        found.append(native)
    return found
