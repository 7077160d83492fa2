"""The condition that a column has one of many keys."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Text, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY

from callsheet.server.store.native_keys import with_native_key

__all__ = ["among"]


def among(engine_name: str, column: ColumnElement[str], keys: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column has one of these keys.

    PostgreSQL takes them as one array, which its driver sends and its planner reads in a fraction of the time that a
    thousand parameters take; other databases know no arrays.

    >>> from sqlalchemy import Column, Text
    >>> print(among("sqlite", Column("id", Text), ["a", "b"]))
    id IN (__[POSTCOMPILE_id_1])
    >>> print(among("postgresql", Column("id", Text), ["a", "b"]))
    id = ANY (:param_1)
    """
    if engine_name in ("postgresql", "duckdb"):
        return with_native_key(column, keys, column == any_(literal(list(keys), ARRAY(Text()))))
    return with_native_key(column, keys, column.in_(keys))
