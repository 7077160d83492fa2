"""What a server is: its version, its schema, and the configurations of custom attributes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from callsheet.dialects.ftrack.common.custom_attributes import OWN_PROJECTIONS, PROJECTIONS
from callsheet.dialects.ftrack.common.schema import document_from_vendor, vendor_hash
from callsheet.dialects.protocol import Description, Features
from callsheet.errors import Invalid, TransportError
from callsheet.flow import Flow
from callsheet.model.schema import Schema

__all__ = ["description", "moment_of"]

Asking = Callable[[Sequence[Mapping[str, Any]]], Flow[list[Any]]]
CONFIGURATION = "CustomAttributeConfiguration"
INFORMATION: dict[str, Any] = {"action": "query_server_information"}
SCHEMAS: dict[str, Any] = {"action": "query_schemas"}


def description(
    ask: Asking, known_hash: str, features: Features, note: Callable[[Mapping[str, Any]], None]
) -> Flow[Description]:
    """What a server is; without a schema if its hash is the known one. ``note`` gets what it says of itself.

    The hash covers the configurations of custom attributes too, which the server's own hash does not.
    """
    wanted = [INFORMATION] if known_hash else [INFORMATION, SCHEMAS]
    (information, *others), rows = yield from _introduced(ask, wanted)
    if not isinstance(information, Mapping) or "version" not in information:
        raise TransportError(f"this is no ftrack server: its information is {information!r:.120}")
    note(information)
    found = _combined(information.get("schema_hash"), rows)
    if known_hash and found == known_hash:
        return Description("ftrack", str(information["version"]), datetime.now(UTC), found, None, "", features)
    (schemas,) = others or (yield from ask([SCHEMAS]))
    schema = _schema(schemas, rows)
    found = _combined(information.get("schema_hash") or vendor_hash(schemas), rows)
    schema.__dict__["hash"] = found
    return Description("ftrack", str(information["version"]), datetime.now(UTC), found, schema, "", features)


def moment_of(date: str) -> datetime | None:
    """The time of a ``Date`` header, or None where it is none."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _introduced(ask: Asking, wanted: Sequence[Mapping[str, Any]]) -> Flow[tuple[list[Any], list[dict[str, Any]]]]:
    """The answers to these operations, and the configurations of custom attributes: of ftrack's kind, ours, or none."""
    try:
        *answered, configured = yield from ask([*wanted, _configurations(PROJECTIONS)])
    except Invalid:
        answered = yield from ask([INFORMATION, SCHEMAS])
        if not _has_own(answered[-1]):
            return answered, []
        (configured,) = yield from ask([_configurations(OWN_PROJECTIONS)])
        return answered, _own_configurations(configured.get("data", ()))
    return answered, _with_type_names(configured.get("data", ()))


def _combined(schema_hash: Any, configurations: Sequence[Any]) -> str:
    """The hash of the schema and of the configurations; empty if the server gives none."""
    if not schema_hash:
        return ""
    if not configurations:
        return str(schema_hash)
    rows = sorted(json.dumps(row, sort_keys=True) for row in configurations)
    return f"{schema_hash}-{hashlib.md5(''.join(rows).encode(), usedforsecurity=False).hexdigest()}"


def _with_type_names(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Configurations with the name of their type, which an answer has once for all rows of the type."""
    types = [row["type"] for row in rows if isinstance(row.get("type"), Mapping)]
    names = {each["id"]: each["name"] for each in types if "name" in each}
    kept = ("key", "label", "default", "config", "entity_type", "object_type_id", "project_id", "is_hierarchical")
    return [
        {
            "id": row["id"],
            "type": names.get((row.get("type") or {}).get("id")),
            **{name: row.get(name) for name in kept},
        }
        for row in rows
    ]


def _configurations(projections: Sequence[str]) -> dict[str, Any]:
    return {"action": "query", "expression": f"select {', '.join(projections)} from {CONFIGURATION}"}


def _has_own(schemas: Any) -> bool:
    """Whether a list of schemas describes configurations of our own kind."""
    listed = schemas if isinstance(schemas, list) else []
    return any(each.get("id") == CONFIGURATION and "data_type" in each.get("properties", {}) for each in listed)


def _own_configurations(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Configurations of our own kind, which name what an item holds and the type that has it."""
    names = ("id", "key", "label", "default", "entity_type", "choices")
    return [{**{name: row.get(name) for name in names}, "type": row.get("data_type"), "native": True} for row in rows]


def _schema(schemas: Any, configurations: list[Any]) -> Schema:
    if not isinstance(schemas, list) or not all(isinstance(each, Mapping) and "id" in each for each in schemas):
        raise TransportError(f"the server's schema cannot be read: {schemas!r:.120}")
    return Schema(document_from_vendor(schemas, configurations=configurations))
