"""Rows of the same group: their values at the levels are the same, None included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, exists, literal, select, true

__all__ = ["among_groups", "same_group"]


def same_group(one: FromClause, other: FromClause, names: Iterable[str]) -> ColumnElement[Any]:
    """The condition that two rows agree in these columns."""
    return and_(true(), *(one.c[name].is_not_distinct_from(other.c[name]) for name in names))


def among_groups(rows: FromClause, groups: FromClause, names: Iterable[str]) -> ColumnElement[Any]:
    """The condition that a row agrees with one of some groups in these columns."""
    return exists(select(literal(1)).select_from(groups).where(same_group(rows, groups, names)))
