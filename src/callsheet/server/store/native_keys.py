"""Keys as another database has them, beside the texts that stand for them here.

A view of an external table has, next to the text of a key or of a reference, the columns that the text is made of. Two
equal texts are made of equal columns. So the columns are compared, too, where rows are joined: it changes no result,
and the other database can use its indexes.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, and_

__all__ = ["native_key", "native_reference", "same_key"]

Where = ColumnElement[bool]


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
