"""What the server knows of an external table: data that are kept, so that no database need answer when it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import asdict, frozen

__all__ = ["ExternalColumn", "ExternalReference", "DescribedTable", "document_of", "table_read"]

_READ: dict[str, Any] = {"immutable": True}
_NAMED: dict[str, Any] = {"computed": "external"}
"""Of columns that name rows."""
LABELS = ("name", "title", "label", "code")


@frozen
class ExternalColumn:
    """A column: the attribute it is, what that holds, and the ``form`` that the column's values have there."""

    attribute: str
    column: str
    data_type: str
    form: str


@frozen
class ExternalReference:
    """A reference: the columns that hold the key of the target, in the order of the target's key."""

    attribute: str
    columns: tuple[str, ...]
    target: str


@frozen
class DescribedTable:
    """A table of an external database as an entity type. ``key`` are the columns that tell its rows apart.

    Only rows that fulfil ``where``, a text of the query language, are entities; empty: all.

    >>> number = ExternalColumn("hours", "Hours worked", "number", "number")
    >>> table = DescribedTable("books", "Entry", None, "entries", ("no",), (number,))
    >>> table_read(table.plain) == table
    True
    """

    database: str
    entity_type: str
    schema: str | None
    table: str
    key: tuple[str, ...]
    columns: tuple[ExternalColumn, ...]
    references: tuple[ExternalReference, ...] = ()
    zone: str = "UTC"
    where: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The same as JSON data."""
        return asdict(self)

    def form(self, column: str) -> str:
        """The form of a column's values."""
        return next(each.form for each in self.columns if each.column == column)


def table_read(plain: Mapping[str, Any]) -> DescribedTable:
    """The table of its JSON data."""
    columns = tuple(ExternalColumn(**each) for each in plain["columns"])
    references = tuple(
        ExternalReference(each["attribute"], tuple(each["columns"]), each["target"]) for each in plain["references"]
    )
    return DescribedTable(**{**plain, "key": tuple(plain["key"]), "columns": columns, "references": references})


def document_of(tables: Iterable[DescribedTable]) -> dict[str, Any]:
    """The schema document of external tables. Nothing of them is written; columns of keys are no amounts.

    >>> number = ExternalColumn("hours", "Hours worked", "number", "number")
    >>> table = DescribedTable("books", "Entry", None, "entries", ("no",), (number,))
    >>> document_of([table])["types"]["Entry"]["attributes"]
    {'hours': {'type': 'number', 'immutable': True}}
    """
    return {"name": "external", "types": {table.entity_type: _described(table) for table in tables}}


def _described(table: DescribedTable) -> dict[str, Any]:
    naming = {*table.key, *(name for each in table.references for name in each.columns)}
    attributes: dict[str, Any] = {
        each.attribute: {"type": each.data_type, **(_NAMED if each.column in naming else _READ)}
        for each in table.columns
        if each.attribute != "id"
    }
    for reference in table.references:
        described = {"type": "reference", "target": reference.target, **_READ}
        # The columns themselves have the names that a foreign key would have.
        attributes[reference.attribute] = {**described, "foreign_key": None}
    texts = [name for name, each in attributes.items() if each["type"] == "string"]
    label = next((name for name in LABELS if name in texts), texts[0] if texts else "id")
    where = table.table if table.schema is None else f"{table.schema}.{table.table}"
    return {
        "label": label,
        "description": f"The rows of {where} in the external database {table.database}",
        "external": table.database,
        "attributes": attributes,
    }
