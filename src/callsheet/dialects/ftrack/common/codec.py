"""Values of ftrack's wire as Python values and back, and what its errors are called.

What JSON lacks is tagged: ``{"__type__": "datetime", "value": "2026-01-31T18:30:00"}``. Date-times without an
offset are in UTC. A date (``"__type__": "date"``) is its midnight, for ftrack's dates are date-times. An
entity names its concrete type in ``__entity_type__``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from callsheet import errors
from callsheet.errors import QueryError, ServerError
from callsheet.model.plain import Malformed
from callsheet.model.record import Identity
from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = [
    "BEFORE",
    "COMPARES",
    "ENTITY_TYPE",
    "EXCEPTIONS",
    "key_in",
    "key_out",
    "literal_out",
    "quoted",
    "reference_out",
    "value_in",
    "value_out",
]

BEFORE = "entity_before"
"""In an update, the values that its writer saw, by the names of the wire; for servers that say they compare them."""
COMPARES = "compares_entity_before"
"""In the server's information, that it does."""
ENTITY_TYPE = "__entity_type__"
VALUE_TYPE = "__type__"

#: What the server calls its errors, and ours; the server half reads it the other way round.
EXCEPTIONS: dict[str, type[ServerError]] = {
    "ValidationError": errors.Invalid,
    "ParseError": errors.Invalid,
    "UnsupportedAction": errors.Invalid,
    "PermissionError": errors.Forbidden,
    "FTAuthenticationError": errors.Unauthorised,
    "InvalidCredentialsError": errors.Unauthorised,
    "DuplicateEntryError": errors.Conflict,
    "IntegrityError": errors.Conflict,
    "ConflictError": errors.Conflict,
    "NotFoundError": errors.NotFound,
}


def value_out(attribute: Attribute, value: Any, text: bool = False) -> Any:
    """The value as it is sent; with ``text``, JSON data travels as a string.

    >>> value_out(Attribute("start", data_type="datetime"), datetime(2026, 1, 31, tzinfo=UTC))
    {'__type__': 'datetime', 'value': '2026-01-31T00:00:00+00:00'}
    """
    if isinstance(value, datetime):
        return {VALUE_TYPE: "datetime", "value": value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {VALUE_TYPE: "date", "value": value.isoformat()}
    if text and value is not None and not isinstance(value, str):
        return json.dumps(value)
    return value


def value_in(attribute: Attribute, value: Any, text: bool = False) -> Any:
    """The value of an attribute, from its form on the wire.

    >>> value_in(Attribute("start", data_type="datetime"), {"__type__": "datetime", "value": "2026-01-31T18:30:00"})
    datetime.datetime(2026, 1, 31, 18, 30, tzinfo=datetime.timezone.utc)
    """
    if type(value) is dict:
        if VALUE_TYPE in value and attribute.data_type != "json":
            moment = moment_in(value.get("value"), value.get(VALUE_TYPE))
            return moment.date() if attribute.data_type == "date" else moment
        return value
    if value is None or attribute.data_type not in ("datetime", "json"):
        return value
    if attribute.data_type == "datetime":
        return moment_in(value, "datetime") if isinstance(value, str) and value else None
    return _json_in(value) if text else value


def moment_in(value: Any, kind: Any) -> datetime:
    """A tagged date or date-time."""
    if kind not in ("datetime", "date") or not isinstance(value, str):
        raise Malformed(f"{value!r:.80} is no value of type {kind!r:.40}")
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise Malformed(f"{value!r:.80} is no {kind}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _json_in(value: Any) -> Any:
    """Data in a string of JSON; any other string is data itself."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        return value


def key_out(key: Any) -> list[Any]:
    """A primary key as a list of its parts."""
    return list(key) if isinstance(key, tuple) else [key]


def key_in(entity_type: EntityType, entity: Mapping[str, Any]) -> Any:
    """The primary key of an entity, from its form on the wire.

    >>> key_in(EntityType("Metadata", key=("parent_id", "key")), {"parent_id": "018f", "key": "colour"})
    ('018f', 'colour')
    """
    try:
        parts = [entity[name] for name in entity_type.key]
    except KeyError as error:
        raise Malformed(f"a {entity_type.name} without {error}: {entity!r:.120}") from None
    for part in parts:
        if type(part) not in (str, int):
            raise Malformed(f"{part!r:.80} cannot be in the key of a {entity_type.name}")
    return tuple(parts) if len(parts) > 1 else parts[0]


def reference_out(schema: Schema, identity: Identity | None) -> dict[str, Any] | None:
    """An entity as a reference: its type and its key.

    >>> reference_out(Schema({"types": {"Status": {}}}), Identity("Status", "018f"))
    {'__entity_type__': 'Status', 'id': '018f'}
    """
    if identity is None:
        return None
    names = schema.type(identity.entity_type).key
    return {ENTITY_TYPE: identity.entity_type, **dict(zip(names, key_out(identity.key), strict=True))}


def literal_out(value: Any) -> str:
    """A value as it stands in a query.

    >>> literal_out(True), literal_out(None), literal_out(2.5), literal_out('the "end"')
    ('True', 'None', '2.5', '\\'the "end"\\'')
    """
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return f'"{value.astimezone(UTC).replace(tzinfo=None).isoformat()}"'
    if isinstance(value, date):
        return f'"{value.isoformat()}"'
    raise QueryError(f"a query to this server cannot hold a {type(value).__name__}: {value!r:.80}")


def quoted(text: str) -> str:
    """Text in the quotes that it does not hold itself; where it holds both, double ones with a backslash."""
    if any(character < " " or character == "\x7f" for character in text):
        raise QueryError(f"a query to this server cannot hold control characters: {text!r:.80}")
    if "\\" not in text:
        if '"' not in text:
            return f'"{text}"'
        if "'" not in text:
            return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def listed(values: Sequence[Any]) -> str:
    """Values as the list of an ``in``."""
    return f"({', '.join(map(literal_out, values))})"
