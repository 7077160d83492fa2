"""The tables of a sync file, as they are written; their JSON Schema is made of these classes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen

from callsheet.sync.linking import GONE
from callsheet.sync.mapping import Column
from callsheet.sync.policies import POLICIES

__all__ = [
    "ChildTable",
    "Document",
    "ExternalTable",
    "RowsTable",
    "StepTable",
    "about",
]


ENDINGS = ("keep", "delete", "omit")
"""The words for what becomes of entities without a row."""


def about(text: str, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a key of a table is, for editors, and the words that it may be, if there are only some."""
    return {"is": text, "words": words}


@frozen
class RowsTable:
    """``rows`` of a step: a file and how it is read, or a database and its query."""

    file: str = field(default="", metadata=about("A file, beside the sync file."))
    format: str = field(default="", metadata=about("How the file is read; its ending says it."))
    encoding: str = field(default="", metadata=about("The encoding of text; it is found."))
    separator: str = field(default="", metadata=about("The character between cells of text; it is found."))
    sheet: str = field(default="", metadata=about("The sheet of Excel; the first."))
    columns: tuple[str, ...] = field(default=(), metadata=about("The columns of a file that has no header."))
    database: str = field(
        default="", metadata=about("The address of a database; ${NAME} is a variable of the environment.")
    )
    query: str = field(default="", metadata=about("The SQL query of the database."))
    parameters: dict[str, Any] = field(factory=dict, metadata=about("The values of :name in the query."))


@frozen
class ExternalTable:
    """``key`` of a step, or ``external`` of a column: ids of another system."""

    external: str = field(metadata=about("What the registry calls the other system."))
    column: str = field(default="id", metadata=about("The column with its ids."))
    type: str = field(default="", metadata=about("Its name of the type; the entity type's own."))


@frozen
class ChildTable:
    """A table ``[sync.children.COLUMN]``: the rows within a row."""

    type: str = field(metadata=about("The entity type of the children."))
    key: str | tuple[str, ...] | ExternalTable = field(
        metadata=about("Paths that identify the children of one parent.")
    )
    parent: str = field(default="parent", metadata=about("The reference that leads to the entity around them."))
    columns: dict[str, str | Column] = field(factory=dict, metadata=about("Column to attribute path."))
    constants: dict[str, Any] = field(factory=dict, metadata=about("Attribute path to a value that all have."))
    templates: dict[str, str] = field(factory=dict, metadata=about("Attribute path to text with columns in braces."))
    delete: str | dict[str, Any] = field(
        default="keep",
        metadata=about("What becomes of those below the entity that are not listed.", words=ENDINGS),
    )
    scope: str = field(default="", metadata=about("A condition: what of these may be taken away."))
    max_deleted: float | None = field(
        default=None, metadata=about("The largest share of these that may go; that of the rows around.")
    )


@frozen
class StepTable:
    """A table ``[[sync]]`` as it is written."""

    type: str = field(metadata=about("The entity type."))
    rows: str | RowsTable = field(metadata=about("A file, or a table that says how rows are read."))
    key: str | tuple[str, ...] | ExternalTable = field(metadata=about("The attribute paths that identify an entity."))
    columns: dict[str, str | Column] = field(factory=dict, metadata=about("Column to attribute path."))
    constants: dict[str, Any] = field(factory=dict, metadata=about("Attribute path to a value that all rows have."))
    templates: dict[str, str] = field(factory=dict, metadata=about("Attribute path to text with columns in braces."))
    delete: str | dict[str, Any] = field(
        default="keep",
        metadata=about("What becomes of entities in scope without a row.", words=ENDINGS),
    )
    scope: str = field(default="", metadata=about("A condition: what may be taken away."))
    max_deleted: float = field(default=0.1, metadata=about("The largest share of the scope that may go."))
    on_error: str = field(default="stop", metadata=about("Whether refused rows stop the run.", words=("stop", "skip")))
    adopt: str | tuple[str, ...] = field(default=(), metadata=about("The natural key of entities that get a link."))
    conflicts: str | dict[str, Any] | None = field(
        default=None,
        metadata=about("What happens to values that both sides changed, for all or by path.", words=POLICIES),
    )
    gone: str = field(
        default="leave", metadata=about("What happens to rows whose entity was deleted here.", words=GONE)
    )
    updated_at: str = field(default="", metadata=about("The column that says when a row was changed."))
    since: int | datetime | None = field(
        default=None, metadata=about("Only what was changed here since this position or time.")
    )
    children: dict[str, ChildTable] = field(factory=dict, metadata=about("Columns with rows within the row."))


@frozen
class Document:
    """A sync file as it is written."""

    sync: tuple[StepTable, ...] = field(metadata=about("One table for each entity type, in any order."))
    name: str = field(default="", metadata=about("What the log calls the runs; the file's name."))
