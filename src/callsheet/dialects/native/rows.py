"""Rows of a page are decoded to Python values, by one decoder for each type and set of attributes.

The decoder is built from the schema, and parses a block's rows in one call, dates and datetimes included. If the rows
do not match the schema (because it has changed), they are decoded untyped, and converted value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from types import GenericAlias
from typing import Any

import msgspec

from callsheet.model.plain import Malformed
from callsheet.model.record import Records
from callsheet.model.schema import Attribute, EntityType, Schema
from callsheet.model.values import key_in

__all__ = ["RowReader"]

KEPT_DECODERS = 512
KEY = str | int
SCALARS: dict[str, Any] = {
    "string": str | None,
    "enum": str | None,
    "integer": int | None,
    "number": int | float | None,
    "boolean": bool | None,
    "date": date | None,
    "datetime": datetime | None,
}
TEMPORAL: dict[str, Callable[[str], Any]] = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}


class RowReader:
    """Decodes blocks of rows by a schema; without one, dates stay text.

    >>> RowReader(None).read("Task", ("name",), b'[["018f",1,"layout"]]').rows
    [('018f', 1, 'layout')]
    """

    def __init__(self, schema: Schema | None) -> None:
        self._schema = schema
        self._decoders: dict[tuple[str, tuple[str, ...]], msgspec.json.Decoder[Any]] = {}

    def read(self, entity_type: str, attributes: tuple[str, ...], rows: bytes | msgspec.Raw) -> Records:
        """The records of a block; raises `Malformed` if the data are not rows."""
        try:
            decoded = self._decoder(entity_type, attributes).decode(rows)
        except msgspec.ValidationError as error:
            decoded = self._read_untyped(entity_type, attributes, rows, str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(f"rows of {entity_type}: {error}") from None
        else:
            self._type_items(entity_type, attributes, decoded)
        return Records(entity_type, attributes, decoded)

    def _decoder(self, entity_type: str, attributes: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
        found = self._decoders.get((entity_type, attributes))
        if found is None:
            if len(self._decoders) >= KEPT_DECODERS:
                self._decoders.clear()
            types = [self._type(attribute) for attribute in self._attributes(entity_type, attributes)]
            row = GenericAlias(tuple, (KEY, int | None, *types))
            decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(GenericAlias(list, (row,)))
            found = self._decoders[entity_type, attributes] = decoder
        return found

    def _attributes(self, entity_type: str, names: Sequence[str]) -> list[Attribute | None]:
        """The attributes of these names in the schema; None for unknown ones."""
        known = self._schema.types.get(entity_type) if self._schema else None
        return [_attribute(known, name) for name in names]

    def _type(self, attribute: Attribute | None) -> Any:
        if attribute is None:
            return Any
        if attribute.kind == "scalar":
            return SCALARS.get(attribute.data_type, Any)
        if attribute.kind == "mapping":
            return dict[str, SCALARS.get(attribute.data_type, Any)] | None  # type: ignore[misc]
        member: Any = tuple[str, KEY] if self._is_polymorphic(attribute) else KEY
        return list[member] | None if attribute.kind == "collection" else member | None

    def _is_polymorphic(self, attribute: Attribute) -> bool:
        schema, target = self._schema, attribute.target
        return schema is not None and target in schema.types and schema.polymorphic(target)

    def _type_items(self, entity_type: str, attributes: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        """Convert the dates among custom attributes from text, in place."""
        known = self._schema.types.get(entity_type) if self._schema else None
        if known is None or not known.custom:
            return
        readers = {
            key: TEMPORAL[attribute.data_type]
            for key, attribute in known.custom.items()
            if attribute.data_type in TEMPORAL
        }
        for place, name in enumerate(attributes, 2):
            attribute = known.attributes.get(name)
            if readers and attribute is not None and attribute.data_type == "custom":
                for row in rows:
                    _convert_items(row[place], readers)

    def _read_untyped(
        self, entity_type: str, names: tuple[str, ...], rows: bytes | msgspec.Raw, reason: str
    ) -> list[tuple[Any, ...]]:
        found = self._attributes(entity_type, names)
        decoded = msgspec.json.decode(rows)
        if not isinstance(decoded, list):
            raise Malformed(f"rows of {entity_type}: {reason}")
        read = []
        for row in decoded:
            if not isinstance(row, list) or len(row) != len(names) + 2:
                raise Malformed(f"rows of {entity_type} ({', '.join(names)}): {reason}, in {row!r:.120}")
            values = [self._convert(attribute, value) for attribute, value in zip(found, row[2:], strict=True)]
            read.append((key_in(row[0]), row[1], *values))
        self._type_items(entity_type, names, read)
        return read

    def _convert(self, attribute: Attribute | None, value: Any) -> Any:
        """The value converted to the attribute's type if possible, else unchanged."""
        if attribute is None or value is None:
            return value
        if attribute.kind == "scalar":
            return _temporal(TEMPORAL.get(attribute.data_type), value)
        if attribute.kind == "mapping":
            if isinstance(value, dict) and attribute.data_type in TEMPORAL:
                _convert_items(value, dict.fromkeys(value, TEMPORAL[attribute.data_type]))
            return value
        if attribute.kind == "collection" and isinstance(value, list):
            return [_member(item) for item in value]
        return _member(value)


def _attribute(known: EntityType | None, name: str) -> Attribute | None:
    if known is None:
        return None
    if name in known.attributes or "." in name:
        try:
            return known.attribute(name)
        except KeyError:
            return None
    return None


def _member(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _temporal(reader: Callable[[str], Any] | None, value: Any) -> Any:
    if reader is None or not isinstance(value, str):
        return value
    try:
        return reader(value)
    except ValueError:
        return value


def _convert_items(items: Any, readers: dict[str, Callable[[str], Any]]) -> None:
    if isinstance(items, dict):
        for key, reader in readers.items():
            if key in items:
                items[key] = _temporal(reader, items[key])
