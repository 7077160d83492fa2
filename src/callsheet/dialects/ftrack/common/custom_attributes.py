"""Custom attributes: what their configurations mean, and which of them an entity's item belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from callsheet.dialects.ftrack.common.wiring import Wiring

__all__ = [
    "DATA_TYPES",
    "HIERARCHICAL",
    "OWN_PROJECTIONS",
    "PROJECTIONS",
    "candidates",
    "configured_types",
    "custom_items",
]

#: What is read of the configurations.
PROJECTIONS = (
    *("id", "key", "label", "default", "config", "type.name"),
    *("entity_type", "object_type_id", "project_id", "is_hierarchical"),
)
HIERARCHICAL = ("Context", "Asset", "AssetVersion")
"""What has the hierarchical ones: the tree, and what hangs on it."""

#: What is read of configurations of Callsheet's own kind.
OWN_PROJECTIONS = ("id", "key", "label", "default", "entity_type", "data_type", "choices")
DATA_TYPES = {"text": "string", "number": "number", "boolean": "boolean", "date": "datetime"}
"""What an item holds, by the type of its configuration. For a client all others hold JSON data, in a store a text."""


class TypeHierarchy(Protocol):
    """What is needed of a schema list."""

    @property
    def types(self) -> Mapping[str, Mapping[str, Any]]: ...

    @property
    def wiring(self) -> Wiring: ...

    def below(self, name: str) -> list[str]: ...


def custom_items(
    configurations: Iterable[Mapping[str, Any]], family: TypeHierarchy
) -> dict[str, dict[str, dict[str, Any]]]:
    """By entity type, the items of its custom attributes in the form of a schema document.

    Configurations of the same key for different projects make one item; where they disagree on what it
    holds, it holds anything.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in sorted(configurations, key=lambda row: (row.get("project_id") or "", str(row.get("id")))):
        key = row.get("key")
        if not isinstance(key, str) or not key:
            continue
        for name in configured_types(row, family):
            items = found.setdefault(name, {})
            item = _item(row)
            items[key] = _merged(items[key], item) if key in items else item
    return found


def _merged(known: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    """One item for two configurations of a key; one that is not inherited stands first."""
    first = added if known.get("inherited") and not added.get("inherited") else known
    if known["type"] != added["type"]:
        return {"type": "json", **{name: first[name] for name in ("inherited", "computed") if name in first}}
    choices = dict.fromkeys((*known.get("choices", ()), *added.get("choices", ())))
    return {**first, "choices": list(choices)} if choices else first


def configured_types(row: Mapping[str, Any], family: TypeHierarchy) -> list[str]:
    """The entity types that a configuration is for; subtypes have it from them."""
    if row.get("is_hierarchical") and "Context" in family.types:
        having = [name for name in HIERARCHICAL if name in family.types]
        return [name for name in having if "custom_attributes" in family.types[name]["properties"]]
    named = str(row.get("entity_type") or "")
    stated = named if row.get("native") else family.wiring.configured.get(named.lower(), "")
    if stated not in family.types:
        return []
    object_type = row.get("object_type_id")
    if stated != "TypedContext" or not object_type:
        return [stated]
    return [name for name in family.below(stated) if _object_type(family.types[name]) == object_type]


def _object_type(schema: Mapping[str, Any]) -> Any:
    alias = schema.get("alias_for")
    return alias.get("classifiers", {}).get("object_typeid") if isinstance(alias, dict) else None


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {"type": str(row.get("type")) if row.get("native") else _data_type(row)}
    if row.get("label"):
        item["label"] = row["label"]
    if row.get("is_hierarchical"):
        item["inherited"] = True
    if row.get("type") == "expression":
        item["computed"] = "server"
    choices = _choices(row)
    if choices:
        item["choices"] = choices
    default = row.get("default")
    fits: dict[str, Any] = {"string": str, "number": int | float, "integer": int, "boolean": bool}
    fits |= {"json": list, "enum": str}
    if item["type"] in fits and isinstance(default, fits[item["type"]]):
        item["default"] = default
    return item


def _choices(row: Mapping[str, Any]) -> list[str]:
    """The menu of an enumerator; empty where anything goes."""
    if row.get("native"):
        return list(row.get("choices") or ())
    if row.get("type") != "enumerator":
        return []
    try:
        config = json.loads(row["config"]) if isinstance(row.get("config"), str) else row.get("config")
        menu = config.get("data") if isinstance(config, Mapping) else None
        menu = json.loads(menu) if isinstance(menu, str) else menu
    except ValueError:
        return []
    return [str(each["value"]) for each in menu or () if isinstance(each, Mapping) and "value" in each]


def _data_type(row: Mapping[str, Any]) -> str:
    """What an item holds: an enumerator a list of words, an expression what the server makes of it."""
    return DATA_TYPES.get(str(row.get("type")), "json")


def candidates(configurations: Sequence[Mapping[str, Any]], key: str, project: str | None) -> list[Mapping[str, Any]]:
    """Configurations of a key, the project's own before global ones, hierarchical ones last."""
    rows = [row for row in configurations if row.get("key") == key and row.get("project_id") in (None, project)]
    return sorted(rows, key=lambda row: (bool(row.get("is_hierarchical")), row.get("project_id") is None))
