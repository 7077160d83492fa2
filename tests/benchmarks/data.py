"""What both servers of the benchmark know: one schema in two descriptions, and the same rows on two wires.

100 types. `Task` has 39 attributes and extends `Context`, so its parent is polymorphic. The value of an
attribute follows from the row's number, and the number from the key, so any row can be made when asked for.
Only the standard library is used, because the peer's environment reads this too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

__all__ = [
    "LOADED",
    "QUERY",
    "index_of",
    "key_of",
    "native_page",
    "native_schema",
    "peer_entity",
    "peer_schema",
    "peer_schema_hash",
    "schema_hash",
]

SCALARS = {
    "name": "string",
    "description": "string",
    "context_type": "string",
    "code": "string",
    "bid": "number",
    "sort": "number",
    "time_logged": "number",
    "start_date": "datetime",
    "end_date": "datetime",
    "notes_count": "integer",
    **{f"text_{number}": "string" for number in range(8)},
    **{f"count_{number}": "integer" for number in range(4)},
}
REFERENCES = {
    "parent": "Context",
    "status": "Status",
    "kind": "Kind",
    "priority": "Priority",
    "owner": "User",
    "reviewer": "User",
    "thumbnail": "Component",
    "project": "Project",
}
COLLECTIONS = {
    "notes": "Note",
    "scopes": "Scope",
    "timelogs": "Timelog",
    "versions": "Version",
    "links": "Link",
    "lists": "Register",
    "watchers": "User",
    "tags": "Tag",
}
NAMED = (*dict.fromkeys((*REFERENCES.values(), *COLLECTIONS.values())),)
CONTEXTS = ("Project", "Sequence", "Shot", "Task")

#: The attributes of the measured query beside the key: 9 scalars, 2 of them dates, and 2 references.
LOADED = (*list(SCALARS)[:9], "status", "parent")
QUERY = f'select {", ".join(LOADED)} from Task where code is "{{count}}"'
START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def key_of(index: int, family: int = 7) -> str:
    """The key of a row; ``family`` tells the types apart."""
    return f"{index:08x}-{family:04x}-7000-8000-{index * 2654435761 % 2**48:012x}"


def index_of(key: str) -> int:
    """The number of the row that has this key."""
    return int(key[:8], 16)


def value_of(name: str, index: int) -> Any:
    """The value of a scalar attribute, as JSON has it."""
    kind = SCALARS[name]
    if kind == "datetime":
        return (START + timedelta(minutes=index % 5_000)).isoformat()
    if kind == "number":
        return (index % 400) / 4
    if kind == "integer":
        return index % 1_000
    return "task" if name == "context_type" else f"{name} {index} of the tasks of this show"


def reference_of(name: str, index: int) -> tuple[str, str]:
    """The concrete type and the key of what a row refers to: 20 statuses, one shot for 5 tasks."""
    if name == "parent":
        return "Shot", key_of(index // 5, 5)
    return REFERENCES[name], key_of(index % 20, 6)


# -- the native wire ------------------------------------------------------------------------------------


def native_schema() -> dict[str, Any]:
    """The schema as Callsheet describes it."""
    plain = {"attributes": {"name": {"type": "string"}, **{f"field_{i}": {"type": "string"} for i in range(22)}}}
    types: dict[str, Any] = {"Context": {"abstract": True, "attributes": {"name": {"type": "string"}}}}
    for name in CONTEXTS:
        types[name] = {"extends": "Context", "attributes": {"description": {"type": "string"}}}
    types["Task"]["attributes"] = {
        **{name: {"type": kind} for name, kind in SCALARS.items() if name != "name"},
        **{name: {"type": "reference", "target": target} for name, target in REFERENCES.items()},
        **{name: {"type": "collection", "target": target} for name, target in COLLECTIONS.items()},
    }
    for name in (*NAMED, *(f"Extra{number}" for number in range(100))):
        if len(types) < 100:
            types.setdefault(name, plain)
    return {"name": "benchmark", "types": types}


def schema_hash(schema: Any) -> str:
    """Some digest that changes with the schema."""
    return md5(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def native_row(index: int, attributes: Sequence[str], version: int = 1) -> list[Any]:
    """``[key, version, *values]``"""
    row: list[Any] = [key_of(index), version]
    for name in attributes:
        if name in REFERENCES:
            target = reference_of(name, index)
            row.append(target if name == "parent" else target[1])
        else:
            row.append(value_of(name, index))
    return row


def native_page(indices: Iterable[int], attributes: Sequence[str], cursor: str | None) -> bytes:
    """One page of tasks."""
    rows = [native_row(index, attributes) for index in indices]
    block = {"type": "Task", "attributes": list(attributes), "rows": rows}
    page = {"records": [block], "roots": 1, "order": None, "cursor": cursor}
    return json.dumps(page, separators=(",", ":")).encode()


# -- the peer's wire ------------------------------------------------------------------------------------

PEER_TYPES = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "datetime": {"type": "string", "format": "date-time"},
}


def peer_schema() -> list[dict[str, Any]]:
    """The same types as the peer describes them; ``Location`` is one it cannot start without."""
    described = native_schema()["types"]
    found = [_peer_type("Location", {"name": {"type": "string"}})]
    for name, told in described.items():
        if name == "Task":
            found.append(_peer_type(name, _peer_task()))
        else:
            found.append(_peer_type(name, {**told["attributes"]}))
    return found[:100]


def _peer_task() -> dict[str, Any]:
    return {
        **{name: PEER_TYPES[kind] for name, kind in SCALARS.items()},
        **{name: {"$ref": target} for name, target in REFERENCES.items()},
        **{name: {"type": "array", "items": {"$ref": target}} for name, target in COLLECTIONS.items()},
    }


def _peer_type(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "type": "object",
        "primary_key": ["id"],
        "default_projections": ["id"],
        "required": ["id"],
        "immutable": ["id"],
        "properties": {"id": {"type": "string", "default": "{uid}"}, **properties},
    }


def peer_schema_hash() -> str:
    """The digest that the peer computes itself to see whether its cache is right."""
    return md5(json.dumps(peer_schema(), sort_keys=True).encode("utf-8")).hexdigest()


def peer_entity(index: int, attributes: Sequence[str]) -> dict[str, Any]:
    """One row on the peer's wire."""
    entity: dict[str, Any] = {"__entity_type__": "Task", "id": key_of(index)}
    for name in attributes:
        if name in REFERENCES:
            target, key = reference_of(name, index)
            entity[name] = {"__entity_type__": target, "id": key}
        elif SCALARS.get(name) == "datetime":
            entity[name] = {"__type__": "datetime", "value": value_of(name, index)[:19]}
        elif name in SCALARS:
            entity[name] = value_of(name, index)
    return entity
