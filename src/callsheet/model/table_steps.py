"""What is done to user tables, as data: the steps of one transaction, which a session sends and a server applies.

Rows are not in it: they are staged before, as Arrow data in numbered parts, and a step names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from callsheet.model.plain import Malformed

__all__ = [
    "ARROW",
    "ColumnSpec",
    "CreateTable",
    "DropRows",
    "JoinTable",
    "LoadRows",
    "RemoveTable",
    "ShareTable",
    "Step",
    "steps_from_plain",
    "steps_to_plain",
]

ARROW = "application/vnd.apache.arrow.stream"
"""The content type of staged rows: an Arrow IPC stream."""


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    table: str


class ColumnSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of a new table, as it was given."""

    name: str
    type: str
    default: Any = None
    decimals: int | None = None


class CreateTable(_Step, frozen=True, tag="create"):
    """Add a table; its keys name columns."""

    columns: list[ColumnSpec]
    keys: list[str] = []


class RemoveTable(_Step, frozen=True, tag="remove"):
    """Take a table away, with all its rows."""


class LoadRows(_Step, frozen=True, tag="load"):
    """Add the rows of ``parts`` staged parts of a load; those of a keyed table replace rows with the same keys."""

    load: str
    parts: int


class DropRows(_Step, frozen=True, tag="drop"):
    """Delete the rows that fulfil a condition of the query language; None: all rows."""

    where: str | None = None


class JoinTable(_Step, frozen=True, tag="join"):
    """Add a reference to the row (or the entity) of ``target`` whose columns are equal: own columns, and those there.

    Without columns, the keys of the target are looked for among the columns here, by name.
    """

    target: str
    name: str = ""
    columns: dict[str, str] | None = None


class ShareTable(_Step, frozen=True, tag="share"):
    """Let an account write the table, or no more."""

    account: str
    writes: bool = True


Step: TypeAlias = CreateTable | RemoveTable | LoadRows | DropRows | JoinTable | ShareTable


def steps_to_plain(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Steps as plain data; values of defaults stay Python values.

    >>> steps_to_plain([DropRows("Sales", "amount > 5")])
    [{'do': 'drop', 'table': 'Sales', 'where': 'amount > 5'}]
    """
    plain: list[dict[str, Any]] = msgspec.to_builtins(steps, builtin_types=_KEPT)
    return plain


def steps_from_plain(plain: Any) -> list[Step]:
    """The steps `steps_to_plain` was given; raises `Malformed` for what are none."""
    try:
        return msgspec.convert(plain, type=list[Step], builtin_types=_KEPT)
    except (msgspec.ValidationError, TypeError, RecursionError) as error:
        raise Malformed(f"the steps of a change of tables: {error}") from None


def _kept() -> tuple[type, ...]:
    from datetime import date, datetime

    return (date, datetime)


_KEPT = _kept()
