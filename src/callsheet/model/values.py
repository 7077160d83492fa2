"""Values as JSON and back, exactly: what JSON lacks is written as an object with one ``$`` key.

======================  ==========================================
value                   in JSON
======================  ==========================================
date                    ``{"$date": "2026-11-21"}``
datetime                ``{"$datetime": "2026-11-21T09:00:00+00:00"}``
Identity                ``{"$identity": ["Task", "018f"]}``
RelativeTime            ``{"$now": {"days": -7}}``
dict with a ``$`` key   ``{"$object": {"$date": "just text"}}``
everything else         as it is; a tuple comes back as a list
======================  ==========================================

Integers and floats keep their kind (``1`` and ``1.0``). The native wire, the journal, the server's log of events
and the answers of the command line share this form. Rows of a page are plain JSON, because there the schema says
what a value is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from callsheet.errors import QueryError, SchemaError
from callsheet.model.plain import Malformed
from callsheet.model.record import Identity
from callsheet.model.relative_time import RelativeTime, now
from callsheet.model.scalar import Unfit, plain_scalar, shown

__all__ = ["key_in", "pack", "pack_values", "unpack", "unpack_values"]

DEPTH = 48
PLAIN = frozenset({str, int, bool, type(None)})
_READY = PLAIN | {float}
_KNOWN = frozenset({float, datetime, date, Identity, list, tuple, dict})


def pack(value: Any, depth: int = DEPTH) -> Any:
    """The value as JSON data; `SchemaError` for what cannot travel.

    >>> from datetime import date
    >>> pack({"start": date(2026, 11, 21), "fps": 24.0})
    {'start': {'$date': '2026-11-21'}, 'fps': 24.0}
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind not in _KNOWN:
        value = _own(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SchemaError(f"{value!r} cannot be sent; numbers must be finite (None stands for no value)")
        return float(value)
    if isinstance(value, datetime):
        return {"$datetime": _text(value)}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Identity):
        return {"$identity": [value.entity_type, value.key]}
    if isinstance(value, RelativeTime):
        return {"$now": _relative(value)}
    if depth == 0:
        raise SchemaError(f"data nested more than {DEPTH} deep cannot be sent")
    if isinstance(value, list | tuple):
        return [pack(item, depth - 1) for item in value]
    if isinstance(value, Mapping):
        return _pack_mapping(value, depth)
    if type(value) in PLAIN:
        return value
    raise SchemaError(f"{type(value).__name__} cannot be sent: {value!r:.80}")


def _own(value: Any) -> Any:
    """A scalar of another library, or of a subclass, as Python's own; anything else as it is."""
    if isinstance(value, Identity):
        return value
    try:
        found = plain_scalar(value)
    except Unfit as unfit:
        raise SchemaError(f"{shown(value)} cannot be sent, but {unfit.wanted}") from None
    if found is None:
        raise SchemaError(f"{shown(value)} cannot be sent (None stands for no value)")
    return found


def _pack_mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    packed = {}
    tagged = False
    for key, item in value.items():
        if not isinstance(key, str):
            raise SchemaError(f"the keys of JSON data are strings, not {type(key).__name__}: {key!r:.80}")
        tagged = tagged or key.startswith("$")
        packed[str.__str__(key)] = pack(item, depth - 1)
    return {"$object": packed} if tagged else packed


def unpack(value: Any, depth: int = DEPTH) -> Any:
    """The value that `pack` was given; `Malformed` when it cannot have been.

    >>> unpack({"$date": "2026-11-21"})
    datetime.date(2026, 11, 21)
    """
    kind = type(value)
    if kind is dict:
        if depth == 0:
            raise Malformed(f"data is nested more than {DEPTH} deep")
        if len(value) == 1:
            (name,) = value
            if name.startswith("$"):
                return _untag(name, value[name], depth)
        return {_plain(name): unpack(item, depth - 1) for name, item in value.items()}
    if kind is list:
        if depth == 0:
            raise Malformed(f"data is nested more than {DEPTH} deep")
        return [unpack(item, depth - 1) for item in value]
    return value


def pack_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an operation, by attribute, as JSON data."""
    # Calling `pack` for what stays as it is would cost more than all the rest; nearly all stays as it is.
    for value in values.values():
        kind = type(value)
        if kind not in PLAIN and (kind is not float or not math.isfinite(value)):
            return {name: _packed_value(value) for name, value in values.items()}
    return values if type(values) is dict else dict(values)


def _packed_value(value: Any) -> Any:
    kind = type(value)
    if kind in PLAIN or (kind is float and math.isfinite(value)):
        return value
    if kind is datetime:
        return {"$datetime": _text(value)}
    return {"$identity": [value[0], value[1]]} if kind is Identity else pack(value)


def _text(moment: datetime) -> str:
    return _text_in_utc(moment) if moment.tzinfo is UTC else moment.isoformat()


@lru_cache(maxsize=1_024)
def _text_in_utc(moment: datetime) -> str:
    # Formatting takes longer than all else, and what one commit changed has one time. Moments of different
    # zones may be equal, so only those of one are kept.
    return moment.isoformat()


def unpack_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that `pack_values` was given."""
    return {name: value if type(value) in _READY else unpack(value) for name, value in values.items()}


def key_in(key: Any) -> Any:
    """A primary key as it was before JSON: a composite one is a tuple."""
    if type(key) is str or type(key) is int:
        return key
    if isinstance(key, list):
        key = tuple(key)
        if key and all(type(part) in (str, int) for part in key):
            return key
    raise Malformed(f"{key!r:.80} cannot be a primary key")


def _plain(name: str) -> str:
    if name.startswith("$"):
        raise Malformed(f"`{name}` among other keys; `$object` around them makes it plain data")
    return name


def _untag(name: str, value: Any, depth: int) -> Any:
    reader = _READERS.get(name)
    if reader is None:
        raise Malformed(f"unknown kind of value `{name}`; one of {', '.join(_READERS)}")
    try:
        return reader(value, depth)
    except Malformed:
        raise
    except (TypeError, ValueError, AttributeError):
        raise Malformed(f"{value!r:.80} cannot be a `{name}`") from None


def _identity(value: Any, _: int) -> Identity:
    entity_type, key = value
    if not isinstance(entity_type, str):
        raise Malformed(f"{entity_type!r:.80} cannot be the name of an entity type")
    return Identity(entity_type, key if type(key) is str else key_in(key))


def _relative(value: RelativeTime) -> dict[str, Any]:
    """The parts that are not their defaults."""
    parts: dict[str, Any] = dict(value.units)
    return parts | {name: text for name in ("start", "zone") if (text := getattr(value, name))}


def _relative_in(value: Any, _: int) -> RelativeTime:
    try:
        return now(**value)
    except QueryError as error:
        raise Malformed(error.message) from None


_READERS: dict[str, Callable[[Any, int], Any]] = {
    "$date": lambda value, _: date.fromisoformat(value),
    "$datetime": lambda value, _: datetime.fromisoformat(value),
    "$identity": _identity,
    "$now": _relative_in,
    "$object": lambda value, depth: {name: unpack(item, depth - 1) for name, item in value.items()},
}
