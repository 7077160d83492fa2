"""Pieces of small schemas, with one of everything the write path knows; a test's document says what it has besides."""

from __future__ import annotations

from typing import Any

__all__ = ["CONFIGURATION", "NODE", "TAG", "TASK", "USER", "VERSION"]

#: Attributes of an abstract type whose entities are below one another.
NODE: dict[str, Any] = {
    "name": {"type": "string", "required": True},
    "parent": {"type": "reference", "target": "Node", "inverse": "children", "on_delete": "cascade"},
    "children": {"type": "collection", "target": "Node", "inverse": "parent"},
    "project": {"type": "reference", "target": "Project", "computed": "ancestor:Project"},
    "created_at": {"type": "datetime", "computed": "created_at"},
    "updated_at": {"type": "datetime", "computed": "updated_at"},
    "metadata": {"type": "mapping"},
    "custom_attributes": {"type": "mapping", "items": "custom"},
}
#: Attributes of a task below it: one of each kind of reference and collection.
TASK: dict[str, Any] = {
    "bid": {"type": "number"},
    "due": {"type": "date"},
    "data": {"type": "json"},
    "code": {"type": "string", "immutable": True},
    "status": {"type": "reference", "target": "Status", "on_delete": "restrict"},
    "buddy": {"type": "reference", "target": "Task"},
    "about": {"type": "reference", "target": "Node"},
    "tags": {"type": "collection", "target": "Tag", "inverse": "tasks"},
    "watchers": {"type": "collection", "target": "User"},
}
TAG: dict[str, Any] = {
    "attributes": {
        "name": {"type": "string"},
        "tasks": {"type": "collection", "target": "Task", "inverse": "tags"},
    }
}
USER: dict[str, Any] = {"attributes": {"username": {"type": "string", "unique": True}}}
VERSION: dict[str, Any] = {
    "attributes": {
        "task": {"type": "reference", "target": "Task", "on_delete": "cascade", "required": True},
        "number": {"type": "integer", "computed": "next:task"},
    }
}
#: The type whose entities say which custom attributes there are.
CONFIGURATION: dict[str, Any] = {
    "attributes": {
        "key": {"type": "string"},
        "entity_type": {"type": "string"},
        "data_type": {"type": "string"},
        "choices": {"type": "json"},
        "default": {"type": "json"},
        "label": {"type": "string"},
    }
}
