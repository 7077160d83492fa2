"""Which form a column of another database has: what its values are here, by its type there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CHAR, Boolean, Date, DateTime, Enum, Float, Integer, LargeBinary, Numeric, String, Time, Uuid
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import JSON, TypeEngine

__all__ = ["DATA_TYPES", "KEYS", "form_of"]

DATA_TYPES = {
    "text": "string",
    "words": "string",
    "whole": "integer",
    "number": "number",
    "truth": "boolean",
    "day": "date",
    "moment": "datetime",
    "zoneless": "datetime",
    "json": "json",
}
KEYS = ("text", "words", "whole", "day")
"""Forms of columns of which a key can be made: equal values have equal texts."""


def form_of(engine: str, found: TypeEngine[Any]) -> str | None:
    """The form of a column with this type; None if its values have none here (bytes, arrays, shapes)."""
    if engine == "duckdb":
        return _duckdb_form(str(found))
    for kind, form in _FORMS:
        if isinstance(found, kind):
            return form if isinstance(form, str) else form(found)
    return None


def _of_number(found: Any) -> str:
    """Exact numbers without decimals that fit are integers."""
    return "whole" if found.precision is not None and found.precision <= 18 and found.scale == 0 else "number"


def _of_moment(found: Any) -> str:
    return "moment" if found.timezone or isinstance(found, mysql.TIMESTAMP) else "zoneless"


def _of_small(found: Any) -> str:
    return "truth" if found.display_width == 1 and not found.unsigned else "whole"


_FORMS: list[tuple[Any, Any]] = [
    (postgresql.ARRAY, lambda _: None),
    (postgresql.JSONB, "json"),
    (postgresql.JSON, "json"),
    (JSON, "text"),
    ((postgresql.UUID, Uuid, Enum, postgresql.INET, postgresql.CIDR, postgresql.CITEXT), "words"),
    ((postgresql.TIME, Time), "words"),
    (mysql.BIT, lambda _: None),
    (mysql.TINYINT, _of_small),
    (mysql.YEAR, "whole"),
    (mysql.SET, "words"),
    (LargeBinary, lambda _: None),
    # PostgreSQL fills them with blanks, which play no part.
    (CHAR, "words"),
    (String, "text"),
    (Boolean, "truth"),
    (Integer, "whole"),
    (Float, "number"),
    (Numeric, _of_number),
    (Date, "day"),
    (DateTime, _of_moment),
]


def _duckdb_form(name: str) -> str | None:
    bare, _, arguments = name.partition("(")
    if bare == "DECIMAL":
        width, _, scale = arguments.rstrip(")").partition(",")
        return "whole" if int(width) <= 18 and int(scale or 0) == 0 else "number"
    if name.endswith("]"):
        return None
    return _DUCKDB.get(bare)


_DUCKDB = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UHUGEINT"), "whole"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), "whole"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "number"),
    **dict.fromkeys(("UUID", "ENUM", "TIME", "JSON"), "words"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "zoneless"),
    "VARCHAR": "text",
    "BOOLEAN": "truth",
    "DATE": "day",
    "TIMESTAMP WITH TIME ZONE": "moment",
}
