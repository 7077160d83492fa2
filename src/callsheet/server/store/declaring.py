"""How the server's own tables are declared: columns by kind, in the order in which they are given."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData, Table

from callsheet.server.store.columns import TEXT

__all__ = ["LIKE", "filled", "key", "optional", "system_table"]

LIKE = "like"
"""In the ``info`` of a table or a column: the name of the one whose keys it has."""


def system_table(metadata: MetaData, name: str, *parts: Any) -> Table:
    """One of the server's own tables: its columns, each or in groups, and its indexes.

    >>> table = system_table(MetaData(), "_seen", key("name"), filled(TEXT, "kind", "place"), optional(TEXT, "reason"))
    >>> [(column.name, column.primary_key, column.nullable) for column in table.columns][1:]
    [('kind', False, False), ('place', False, False), ('reason', False, True)]
    """
    each = [one for part in parts for one in (part if isinstance(part, tuple) else (part,))]
    return Table(name, metadata, *each, sqlite_strict=True)


def key(*names: str) -> tuple[Column[Any], ...]:
    """Texts that make the key."""
    return tuple(Column(name, TEXT, primary_key=True) for name in names)


def filled(kind: Any, *names: str) -> tuple[Column[Any], ...]:
    """Columns of a kind that always have a value."""
    return tuple(Column(name, kind, nullable=False) for name in names)


def optional(kind: Any, *names: str) -> tuple[Column[Any], ...]:
    """Columns of a kind that may be empty."""
    return tuple(Column(name, kind) for name in names)
