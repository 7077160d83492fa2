"""The data of an entity on the wire as the store takes them: scalars, identities, lists of members."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from attrs import field, frozen

from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue, Property, VendorType, joined_key
from callsheet.errors import Invalid
from callsheet.model.record import Identity
from callsheet.model.schema import Attribute, did_you_mean

__all__ = ["DeserializedValues", "deserialized", "moment", "reference", "scalar"]


@frozen
class DeserializedValues:
    """Values for the store, and collections to be replaced by the members listed."""

    values: dict[str, Any] = field(factory=dict)
    lists: dict[str, tuple[Property, list[Identity]]] = field(factory=dict)


Reading = Callable[[Any], Any]


def deserialized(catalogue: Catalogue, found: VendorType, data: Mapping[str, Any]) -> DeserializedValues:
    """The attributes of an entity; `Invalid` for what its type has not, or does not take.

    If both a reference and its key are given, the reference counts: the vendor's client sends the default of a key
    beside the reference that was set.
    """
    result, referred = DeserializedValues(), set()
    readers = found.readers
    for name, value in data.items():
        if name == "__entity_type__":
            continue
        reader = readers.get(name)
        if reader is None:
            reader = readers[name] = _reader(catalogue, found, name)
        stored, read = reader
        if isinstance(stored, Property):
            if not isinstance(value, list):
                raise Invalid(f"{found.name}.{name} takes a list of entities.")
            result.lists[name] = (stored, list(dict.fromkeys(read(each) for each in value)))
        elif stored and stored not in referred:
            result.values[stored] = None if value is None else read(value)
            if isinstance(value, dict):
                referred.add(stored)
    return result


def _reader(catalogue: Catalogue, found: VendorType, name: str) -> tuple[str | Property, Reading]:
    """Where an attribute goes and how it is read: nowhere (an empty name) where the server makes it itself."""
    prop = catalogue.property(found, name)
    if prop is None:
        raise Invalid(f"{found.name} has no attribute {name!r:.80}{did_you_mean(name, found.properties)}")
    attribute = prop.attribute
    made = prop.kind in ("made", "metadata", "custom", "lineage", "pointer")
    if made or prop.stored == "id" or (attribute is not None and attribute.computed):
        return "", str
    if prop.kind == "value" and attribute is not None:
        return prop.stored, partial(scalar, found, attribute)
    if prop.kind == "key" and attribute is not None:
        return prop.stored, partial(_keyed, found, attribute, str(attribute.target))
    if prop.kind == "reference":
        return prop.stored, partial(_referred, catalogue, prop)
    return prop, partial(_referred, catalogue, prop)


def _referred(catalogue: Catalogue, prop: Property, value: Any) -> Identity:
    return reference(catalogue, value, prop)


def _keyed(found: VendorType, attribute: Attribute, target: str, value: Any) -> Identity | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid(f"{found.name}.{attribute.foreign_key} takes the id of a {target}.")
    return Identity(target, value)


def reference(catalogue: Catalogue, value: Any, prop: Property) -> Identity:
    """Who a reference on the wire means: a table with the type and the key, or the key alone."""
    if isinstance(value, str):
        given: Mapping[str, Any] = {"__entity_type__": prop.target, "id": value}
    elif isinstance(value, Mapping):
        given = value
    else:
        raise Invalid(f"{prop.name} takes entities, as tables with __entity_type__ and a key.")
    name = given.get("__entity_type__", prop.target)
    found = catalogue.types.get(name) if isinstance(name, str) else None
    if found is None:
        raise Invalid(f"{prop.name}: there is no entity type {name!r:.80}.")
    kind = found.name if found.entity_type is None else found.entity_type.name
    if len(found.key) == 1 and isinstance(key := given.get(found.key[0]), str):
        return Identity(kind, key)
    missing = [each for each in found.key if not isinstance(given.get(each), str)]
    if missing:
        raise Invalid(f"{prop.name}: the reference to a {found.name} lacks {missing[0]}.")
    return Identity(kind, joined_key([given[each] for each in found.key]))


def scalar(found: VendorType, attribute: Attribute, value: Any) -> Any:
    """A scalar as the store takes it; what it does not take is left for the store to refuse."""
    if value is None:
        return None
    data_type = attribute.data_type
    if data_type == "string" and isinstance(value, str):
        return value
    if data_type in ("datetime", "date"):
        given = moment(f"{found.name}.{attribute.name}", value)
        return given if data_type == "datetime" else given.date()
    if data_type in ("string", "enum") and isinstance(value, bool | int | float):
        return str(value)
    if data_type == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if data_type in ("integer", "number") and isinstance(value, str):
        try:
            return float(value) if data_type == "number" else int(value)
        except ValueError:
            return value
    return value


def moment(name: str, value: Any) -> datetime:
    """A datetime from the wire, in UTC and to the second, as the vendor keeps it.

    >>> moment("start", {"__type__": "datetime", "value": "2024-01-02T10:00:00.5+02:00"}).isoformat()
    '2024-01-02T08:00:00+00:00'
    """
    text = value.get("value") if isinstance(value, Mapping) else value
    if isinstance(text, date):
        text = text.isoformat()
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) and len(text) < 64 else None
        if found is not None:
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise Invalid(f"{name} takes a datetime, not {value!r:.80}.")
    return found.replace(microsecond=0)


def key_of(found: VendorType, given: Any, data: Mapping[str, Any]) -> str | None:
    """The key of an operation: a text, a list in the order of the key's parts, or among the data."""
    if len(found.key) == 1:
        only = data.get(found.key[0]) if given is None else given
        if isinstance(only, str) and only:
            return only
    if isinstance(given, str):
        parts: Sequence[Any] = [given]
    elif isinstance(given, list) and given:
        parts = given
    else:
        parts = [data[name] for name in found.key if data.get(name) is not None]
    if not parts:
        return None
    if len(parts) != len(found.key) or not all(isinstance(part, str | int) and part != "" for part in parts):
        raise Invalid(f"The key of a {found.name} is {', '.join(found.key)}, as texts.")
    return joined_key([str(part) for part in parts])


__all__ += ["key_of"]
