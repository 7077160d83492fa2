"""What answers mean, as plain data that two versions of Callsheet can be compared by. Knows no version of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

__all__ = ["covers", "plain"]

VOLATILE = frozenset(
    {"time", "sent", "server", "cursor", "message", "lease", "next_try", "last_used", "created_at", "updated_at"}
)
"""Names of fields that differ from run to run, or are text for people."""


def plain(value: Any) -> Any:
    """The value as JSON data, whichever version's classes it is made of; an exception is its class and its facts."""
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, **plain(_facts(value))}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("latin-1")
    fields = getattr(type(value), "__attrs_attrs__", None)
    if fields is not None:
        return {field.name: plain(getattr(value, field.name)) for field in fields if not field.name.startswith("_")}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return repr(value)


LIMITS = (".features.rows", ".features.literals", ".features.operations", ".features.bytes")
"""What a server takes at most; it may take more than it did."""


def _facts(error: BaseException) -> dict[str, Any]:
    names = ("operation", "entity", "attribute", "details")
    return {name: getattr(error, name) for name in names if getattr(error, name, None)}


def covers(found: Any, known: Any, place: str = "") -> list[str]:
    """Where a meaning lacks or contradicts a known one; empty where it says all of that, or more."""
    if isinstance(known, dict):
        if not isinstance(found, dict):
            return [f"{place}: {found!r:.80} is no object"]
        return [
            fault
            for name, value in known.items()
            if name not in VOLATILE
            for fault in (
                covers(found[name], value, f"{place}.{name}") if name in found else [f"{place}.{name} is not there"]
            )
        ]
    if isinstance(known, list) and isinstance(found, list) and len(known) == len(found):
        return [
            fault
            for index, (one, other) in enumerate(zip(found, known, strict=True))
            for fault in covers(one, other, f"{place}[{index}]")
        ]
    if place.endswith(LIMITS) and type(found) is type(known) and found >= known:
        return []
    return [] if found == known and type(found) is type(known) else [f"{place}: {found!r} ≠ {known!r}"]
