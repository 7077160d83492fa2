"""User tables: what a table that was added at run time consists of, and the entity type that it is.

A table's columns are attributes, its joins references. Names come from files and databases, so any text is a name: it
is kept as the label, and the attribute's name is a *word* made of it (`word_of`), which queries can say. The id of a
row follows from the table and the values of its keys; rows of a table without keys have random ids.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from attrs import frozen

from callsheet.errors import SchemaError
from callsheet.model.language.parser import RESERVED

__all__ = [
    "COLUMNS",
    "KINDS",
    "TableColumn",
    "TableJoin",
    "UserTable",
    "row_key",
    "table_from_plain",
    "table_to_plain",
    "type_document",
    "word_of",
]

KINDS = ("string", "integer", "number", "boolean", "date", "datetime")
"""The data types of columns."""
COLUMNS = 1_200
"""The most columns of a table, joins included; SQLite has a limit of 2,000, PostgreSQL of 1,600."""
NAME_BYTES = 255
WORD_BYTES = 48
_BETWEEN = re.compile(r"[\W_]+")


@frozen
class TableColumn:
    """A column: ``name`` is the attribute's, ``label`` the name as it was given.

    ``default`` is the value of rows without one. ``decimals`` are the digits after the point of numbers that have a
    fixed number of them, such as money: these are summed exactly.
    """

    name: str
    data_type: str = "string"
    label: str = ""
    default: Any = None
    decimals: int | None = None


@frozen
class TableJoin:
    """A reference to a row of another table, or to an entity: the pairs of ``columns`` are equal there and here.

    ``computed`` is true if the columns there are the keys, so that the id of the row there follows from the row here.
    """

    name: str
    target: str
    columns: tuple[tuple[str, str], ...]
    computed: bool = True


@frozen
class UserTable:
    """A table. ``writers`` are the accounts, beside its owner, that may write it; ``number`` is never used again."""

    name: str
    columns: tuple[TableColumn, ...]
    keys: tuple[str, ...] = ()
    label: str = ""
    joins: tuple[TableJoin, ...] = ()
    owner: str = ""
    writers: tuple[str, ...] = ()
    number: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes, joins included."""
        return (*(column.name for column in self.columns), *(join.name for join in self.joins))

    def column(self, given: str) -> TableColumn:
        """The column of a name or a label; `SchemaError` if there is none."""
        for column in self.columns:
            if given == column.label or given == column.name:
                return column
        raise SchemaError(f"the table `{self.label or self.name}` has no column `{given:.80}`")


def checked_name(what: str, given: Any) -> str:
    """A name as it may be given: text of 1 to 255 bytes that can be printed."""
    if not isinstance(given, str) or not given.strip():
        raise SchemaError(f"the name of a {what} is a text that is not empty, not {given!r:.80}")
    try:
        size = len(given.encode())
    except UnicodeEncodeError:
        raise SchemaError(f"the name of a {what} is Unicode text, not {given!r:.80}") from None
    if size > NAME_BYTES or any(unicodedata.category(each) in ("Cc", "Cs") for each in given):
        raise SchemaError(
            f"the name of a {what} has at most {NAME_BYTES} bytes and no control characters, not {given!r:.80}"
        )
    return given


def word_of(what: str, given: str, taken: Iterable[str] = ()) -> str:
    """The word that stands for a name in queries: its letters and digits, with ``_`` for all between them.

    A word does not begin with a digit, is no word of the query language, not ``id``, and differs from those that are
    ``taken`` not only by case; if it would, a number is added.

    >>> word_of("column", "Product Name"), word_of("column", "unit sales ($)"), word_of("column", "1997")
    ('Product_Name', 'unit_sales', 'column_1997')
    >>> word_of("column", "id"), word_of("column", "and"), word_of("column", "name", ["Name"])
    ('id_', 'and_', 'name_2')
    """
    text = _BETWEEN.sub("_", unicodedata.normalize("NFC", checked_name(what, given))).strip("_")
    if not text or not (text[0].isalpha()):
        text = f"{what}_{text}".strip("_")
    while len(text.encode()) > WORD_BYTES:
        text = text[:-1]
    text = text.strip("_")
    if text.casefold() == "id" or text.lower() in RESERVED:
        text = f"{text}_"
    used = {each.casefold() for each in taken}
    found, number = text, 1
    while found.casefold() in used:
        number += 1
        found = f"{text.rstrip('_')}_{number}"
    return found


_encode = msgspec.json.Encoder().encode


def row_key(table: str, values: Sequence[Any]) -> str:
    """The id of the row with these values of its keys: a UUID of version 8 (RFC 9562), always the same.

    >>> row_key("Sales", ["Paris", 3])
    '5e5d7d3e-f913-8e0c-b34a-51d3e811eb49'
    """
    text = hashlib.blake2b(_encode((table, *values)), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-b{text[17:20]}-{text[20:]}"


def table_to_plain(table: UserTable) -> dict[str, Any]:
    """A table as plain data."""
    return {
        "name": table.name,
        "label": table.label,
        "columns": [
            {
                "name": each.name,
                "type": each.data_type,
                "label": each.label,
                "default": each.default,
                "decimals": each.decimals,
            }
            for each in table.columns
        ],
        "keys": list(table.keys),
        "joins": [
            {
                "name": each.name,
                "target": each.target,
                "columns": [list(p) for p in each.columns],
                "computed": each.computed,
            }
            for each in table.joins
        ],
        "owner": table.owner,
        "writers": list(table.writers),
        "number": table.number,
    }


def table_from_plain(plain: Mapping[str, Any]) -> UserTable:
    """The table `table_to_plain` was given."""
    return UserTable(
        plain["name"],
        tuple(
            TableColumn(each["name"], each["type"], each["label"], each.get("default"), each.get("decimals"))
            for each in plain["columns"]
        ),
        tuple(plain["keys"]),
        plain.get("label", ""),
        tuple(
            TableJoin(each["name"], each["target"], tuple((a, b) for a, b in each["columns"]), each["computed"])
            for each in plain.get("joins", ())
        ),
        plain.get("owner", ""),
        tuple(plain.get("writers", ())),
        plain.get("number", 0),
    )


def type_document(table: UserTable) -> dict[str, Any]:
    """The entity type of a table, as a schema document describes it.

    >>> type_document(UserTable("Sales", (TableColumn("amount", "number", "Amount"),), owner="anna"))["attributes"]
    {'amount': {'type': 'number', 'label': 'Amount', 'computed': 'load'}}
    """
    attributes: dict[str, Any] = {}
    for column in table.columns:
        label = column.label or column.name
        fixed = {} if column.decimals is None else {"decimals": column.decimals}
        attributes[column.name] = {"type": column.data_type, "label": label, **fixed, "computed": "load"}
    for join in table.joins:
        attributes[join.name] = {"type": "reference", "target": join.target, "foreign_key": None, "computed": "load"}
    label = table.label or table.name
    facts = {"keys": list(table.keys), "owner": table.owner, "writers": list(table.writers), "number": table.number}
    document: dict[str, Any] = {"attributes": attributes, "singular": label, "plural": label, "table": facts}
    if texts := [name for name in (*table.keys, *attributes) if attributes[name]["type"] == "string"]:
        document["label"] = texts[0]
    return document
