"""Column types: Python values are written and read back unchanged on every database.

===========  ==================================  ====================
data type    SQLite (STRICT)                     PostgreSQL
===========  ==================================  ====================
string, key  TEXT, compared bytewise             TEXT COLLATE "C"
integer      INTEGER                             BIGINT
number       REAL                                DOUBLE PRECISION
boolean      INTEGER, 0 or 1                     BOOLEAN
date         TEXT, ISO                           DATE
datetime     TEXT, ISO, UTC, six decimals        TIMESTAMPTZ
json         TEXT                                JSONB
===========  ==================================  ====================

The text of dates and datetimes has a fixed width, so it sorts in order of time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from sqlalchemy import REAL, BigInteger, Boolean, Date, DateTime, Dialect, Double, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from callsheet.errors import Invalid
from callsheet.model.schema import Attribute

__all__ = ["INTEGER", "NUMBER", "TEXT", "Day", "Json", "Moment", "Truth", "column_type", "day", "json_text", "moment"]

_EXPONENT = 1e16
"""From this number on, floats are written with an exponent."""

Processor = Callable[[Any], Any] | None

TEXT: TypeEngine[Any] = Text().with_variant(Text(collation="C"), "postgresql")
INTEGER: TypeEngine[Any] = BigInteger().with_variant(Integer(), "sqlite")
NUMBER: TypeEngine[Any] = Double().with_variant(REAL(), "sqlite")


def moment(value: datetime) -> str:
    """The text of a datetime in UTC, with a fixed width, so that texts sort in order of time.

    >>> from datetime import timezone
    >>> moment(datetime(2026, 5, 1, 12, tzinfo=timezone.utc))
    '2026-05-01T12:00:00.000000+00:00'
    """
    try:
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    except (OverflowError, ValueError):
        raise Invalid(f"{value!r} cannot be converted to UTC; use a year from 2 to 9998") from None


def day(value: date) -> str:
    """The text of a date.

    >>> day(date(987, 5, 1))
    '0987-05-01'
    """
    return value.isoformat()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return day(value)
    raise Invalid(f"{value!r:.80} is not JSON data")


def _before(value: Any) -> Any:
    """Convert dates and datetimes to text; the encoder itself would write datetimes in their own time zone."""
    if isinstance(value, datetime | date):
        return _plain(value)
    if isinstance(value, dict):
        return {key: _before(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_before(item) for item in value]
    return value


def _before_jsonb(value: Any) -> Any:
    """As `_before`, and large floats are written with all digits, because JSONB would read ``1e16`` as an integer."""
    if isinstance(value, float):
        return msgspec.Raw(f"{value:.1f}".encode()) if abs(value) >= _EXPONENT else value
    if isinstance(value, dict):
        return {key: _before_jsonb(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_before_jsonb(item) for item in value]
    return _before(value)


def json_text(value: Any) -> str:
    """JSON data as text; dates and datetimes in it become ISO text.

    >>> json_text({"due": date(2026, 5, 1), "bid": 2.5})
    '{"due":"2026-05-01","bid":2.5}'
    """
    return msgspec.json.encode(_before(value)).decode()


_decode = msgspec.json.Decoder().decode


def _from_json(value: str | None) -> Any:
    return None if value is None else _decode(value)


def _to_datetime(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _to_date(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)


def _to_bool(value: int | None) -> bool | None:
    return None if value is None else value != 0


def _to_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _from_utc(value: datetime | None) -> datetime | None:
    """A datetime of a database that knows no zones: it is in UTC."""
    return None if value is None else value.replace(tzinfo=UTC)


def _without_zone(value: datetime | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(moment(value)).replace(tzinfo=None)


class Truth(TypeDecorator[bool]):
    """True or False."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Boolean())

    def bind_processor(self, dialect: Dialect) -> Processor:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return _to_bool if dialect.name in ("sqlite", "mariadb") else None


class Day(TypeDecorator[date]):
    """A date."""

    impl = Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Date())

    def bind_processor(self, dialect: Dialect) -> Processor:
        return (lambda value: None if value is None else day(value)) if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return _to_date if dialect.name == "sqlite" else None


class Moment(TypeDecorator[datetime]):
    """A datetime with a time zone, read in UTC."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Processor:
        if dialect.name == "sqlite":
            return lambda value: None if value is None else moment(value)
        return _without_zone if dialect.name == "mariadb" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return _RESULTS.get(dialect.name, _to_utc)


_RESULTS: dict[str, Processor] = {"sqlite": _to_datetime, "mariadb": _from_utc}

_TEXTS = ("sqlite", "duckdb", "mariadb")
"""The databases in which JSON data are text."""


class Json(TypeDecorator[Any]):
    """JSON data; None is NULL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name in _TEXTS else JSONB(none_as_null=True))

    def bind_processor(self, dialect: Dialect) -> Processor:
        if dialect.name in _TEXTS:
            return lambda value: None if value is None else json_text(value)
        inner = self.impl_instance.dialect_impl(dialect).bind_processor(dialect)
        if inner is None:
            return _before_jsonb
        return lambda value: inner(_before_jsonb(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return _from_json if dialect.name in _TEXTS else None


_TYPES: dict[str, TypeEngine[Any]] = {
    "string": TEXT,
    "enum": TEXT,
    "key": TEXT,
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": Truth(),
    "date": Day(),
    "datetime": Moment(),
    "json": Json(),
}


def column_type(attribute: Attribute) -> TypeEngine[Any]:
    """The column type of an attribute (for a reference: of its key)."""
    if attribute.kind == "mapping":
        return _TYPES["json"]
    return _TYPES["key" if attribute.kind == "reference" else attribute.data_type]
