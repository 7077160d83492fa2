"""An ``ftrack.update`` as updates of our own: so that a handler for ``callsheet.update`` works on an ftrack site.

What ftrack does not send stays unknown. A reference is sent as its key alone, so its type is the one that the schema
names, which may be abstract (a task's parent is a ``Context``). There are no versions of entities and no positions; the
commit's id is the event's, and the origin is the token that the client gave itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from callsheet.dialects.ftrack.client.subscriptions import OURS
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.model.event import Event
from callsheet.model.schema import Attribute, EntityType

__all__ = ["updates_in"]

_ACTIONS = {"add": "create", "update": "update", "move": "update", "remove": "delete"}


def updates_in(event: Event, vocabulary: Vocabulary) -> list[Event]:
    """The updates in the event, one for each entity; none if it cannot be read."""
    data = event.data
    entities = data.get("entities") if isinstance(data, Mapping) else None
    if not isinstance(entities, list):
        return []
    return [
        Event(OURS, _update(event, entity, vocabulary), f"{event.id}:{index}", event.sent, event.source)
        for index, entity in enumerate(entities)
        if isinstance(entity, Mapping) and entity.get("action") in _ACTIONS and isinstance(entity.get("entityId"), str)
    ]


def _update(event: Event, entity: Mapping[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    name = str(entity.get("entity_type") or entity.get("entityType") or "")
    kind = vocabulary.schema.types.get(name)
    key = entity["entityId"]
    return {
        "entity": {"type": name, "id": key, "types": [name, *(() if kind is None else kind.ancestors)]},
        "action": _ACTIONS[entity["action"]],
        "changes": _changes(entity, kind, vocabulary),
        "added": {},
        "removed": {},
        "user": _user(event),
        "commit_id": event.id,
        "origin": event.data.get("clientToken") or "",
        "time": event.sent,
        "entity_type": name,
        "entity_id": key,
        "project_id": _project(entity),
        "version": None,
    }


def _user(event: Event) -> str:
    """The account if the source has it, else the user's name."""
    source = event.source.get("user")
    name = source.get("username") if isinstance(source, Mapping) else None
    if isinstance(name, str) and name:
        return name
    entity = event.data.get("user")
    return str(entity.get("name") or "") if isinstance(entity, Mapping) else ""


def _project(entity: Mapping[str, Any]) -> str | None:
    parents = entity.get("parents")
    above = parents if isinstance(parents, list) else []
    shows = (each.get("entityId") for each in above if isinstance(each, Mapping) and each.get("entityType") == "show")
    return next(shows, None)


def _changes(entity: Mapping[str, Any], kind: EntityType | None, vocabulary: Vocabulary) -> dict[str, dict[str, Any]]:
    changes = entity.get("changes")
    if not isinstance(changes, Mapping):
        return {}
    columns = {} if kind is None else _columns(kind, vocabulary)
    found: dict[str, dict[str, Any]] = {}
    for column, change in changes.items():
        if isinstance(change, Mapping):
            name, attribute = columns.get(column, (column, None))
            if attribute is None and kind is not None and vocabulary.configured(kind, column):
                name = f"custom_attributes.{column}"
            found[name] = {side: _value(change.get(side), attribute) for side in ("old", "new")}
    return found


def _columns(kind: EntityType, vocabulary: Vocabulary) -> dict[str, tuple[str, Attribute]]:
    """By the name of the old table's column, the attribute."""
    found: dict[str, tuple[str, Attribute]] = {}
    for attribute in kind.attributes.values():
        if attribute.kind not in ("scalar", "reference"):
            continue
        for name in (attribute.foreign_key, attribute.name):
            if name:
                alias = vocabulary.described(kind.name, name).get("alias_for")
                found.setdefault(alias if isinstance(alias, str) else name, (attribute.name, attribute))
    return found


def _value(value: Any, attribute: Attribute | None) -> Any:
    if attribute is None or not isinstance(value, str):
        return value
    if attribute.kind == "reference":
        return {"type": str(attribute.target), "id": value}
    try:
        if attribute.data_type == "datetime":
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return date.fromisoformat(value[:10]) if attribute.data_type == "date" else value
    except ValueError:
        return value
