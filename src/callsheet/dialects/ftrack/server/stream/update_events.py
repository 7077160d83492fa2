"""What a commit changed, in the form of the vendor's ``ftrack.update``: one event a commit, with a list of entities.

Types and attributes go by the names of the vendor's old tables (``task``, ``statusid``), references by their keys,
dates as texts in UTC. An entity comes with the line of those above it, itself first, the project last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from weakref import WeakKeyDictionary

from callsheet.dialects.ftrack.common.envelope import UPDATE
from callsheet.dialects.ftrack.server.requests.vendor_request import ORIGIN
from callsheet.dialects.ftrack.server.schema.catalogue import SEPARATOR, Catalogue, VendorType
from callsheet.dialects.ftrack.server.stream.lineage import Lineage, LineagePlace
from callsheet.model.event import Event
from callsheet.model.schema import Schema

__all__ = ["ACTIONS", "column_of", "grouped", "legacy_name", "update_of"]

MOST = 500
"""Entities in one event; larger commits have several."""
ACTIONS = {"create": "add", "update": "update", "delete": "remove"}
_TABLES = {"TypedContext": "task", "Project": "show", "Component": "component", "List": "list"}


def grouped(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Updates in runs of the same commit, none longer than one event may be."""
    group: list[Event] = []
    for event in events:
        if group and (len(group) == MOST or group[0].data["commit_id"] != event.data["commit_id"]):
            yield group
            group = []
        group.append(event)
    if group:
        yield group


def update_of(events: Sequence[Event], catalogue: Catalogue, schema: Schema, lineage: Lineage) -> Event | None:
    """The vendor's event for updates of one commit; None where they are of nothing that the vendor knows."""
    lineage.learn(events)
    names = _Names(catalogue, schema)
    entities = [entity for event in events if (entity := _entity(event, names, lineage)) is not None]
    if not entities:
        return None
    first = events[0]
    above = {each["entityId"]: None for entity in entities for each in entity["parents"]}
    origin = first.data["origin"]
    data = {
        "entities": entities,
        "user": dict(lineage.user(first.data["user"])),
        "clientToken": None if origin in ("", ORIGIN) else origin,
        "pushToken": None,
        "parents": list(above),
    }
    commit, _, index = first.id.rpartition(":")
    name = commit if index == "0" else f"{commit}-{index}"
    return Event(UPDATE, data, name, first.sent, first.source, position=events[-1].position)


def legacy_name(catalogue: Catalogue, schema: Schema, entity_type: str) -> str:
    """The old table of a type: ``task`` for typed contexts, ``show`` for projects, else the name without capitals."""
    kind = schema.types.get(entity_type)
    line = (entity_type,) if kind is None else (entity_type, *kind.ancestors)
    for name in line:
        if name in _TABLES:
            return _TABLES[name]
    found = catalogue.types.get(entity_type)
    alias = None if found is None else found.description.get("alias_for")
    alias = alias.get("id") if isinstance(alias, Mapping) else alias
    return str(alias or entity_type).lower()


def column_of(properties: Mapping[str, Any], name: str) -> str:
    """The column that a property has in the old table."""
    alias = properties.get(name, {}).get("alias_for")
    return alias if isinstance(alias, str) else name


class _Names:
    """What types and attributes are called; kept for each catalogue."""

    _columns: WeakKeyDictionary[Catalogue, dict[str, dict[str, str]]] = WeakKeyDictionary()

    def __init__(self, catalogue: Catalogue, schema: Schema) -> None:
        self.catalogue, self.schema = catalogue, schema
        self._known = self._columns.setdefault(catalogue, {})

    def type(self, name: str) -> VendorType | None:
        """The type by which the vendor knows entities of one of ours."""
        found = self.catalogue.types.get(name)
        if found is not None:
            return found
        return next((each for each in self.catalogue.types.values() if _holds(each, name)), None)

    def columns(self, found: VendorType) -> dict[str, str]:
        """By attribute, the column; of a reference, that of its key."""
        if found.name not in self._known:
            columns: dict[str, str] = {}
            kinds = (("key", "value"), ("reference", "collection", "metadata", "custom", "related"))
            for accepted in kinds:
                for prop in found.properties.values():
                    if prop.kind in accepted and prop.stored:
                        columns.setdefault(prop.stored, column_of(found.description["properties"], prop.name))
            self._known[found.name] = columns
        return self._known[found.name]


def _holds(found: VendorType, name: str) -> bool:
    return found.entity_type is not None and found.entity_type.name == name


def _entity(event: Event, names: _Names, lineage: Lineage) -> dict[str, Any] | None:
    kind, key = event.entity["type"], event.entity["id"]
    found = names.type(kind)
    if found is None:
        return None
    changes = dict(_changes(event, found, names, lineage))
    if not changes and event.data["action"] == "update":
        return None
    line = lineage.line(kind, key)
    place = line[0] if line else LineagePlace(kind, key)
    moved = event.data["action"] == "update" and "parent" in event.changes and "Context" in event.entity["types"]
    return {
        "entity_type": found.name,
        "entityType": legacy_name(names.catalogue, names.schema, kind),
        "entityId": key.replace(SEPARATOR, ","),
        "objectTypeId": place.object_type or found.discriminator,
        "parentId": None if place.above is None else place.above[1],
        "action": "move" if moved else ACTIONS[event.data["action"]],
        "keys": list(changes),
        "changes": changes,
        "parents": [_parent(each, names) for each in line],
    }


def _parent(place: LineagePlace, names: _Names) -> dict[str, Any]:
    found = names.type(place.entity_type)
    return {
        "entityId": place.key.replace(SEPARATOR, ","),
        "entityType": legacy_name(names.catalogue, names.schema, place.entity_type),
        "entity_type": place.entity_type if found is None else found.name,
        "parentId": None if place.above is None else place.above[1],
    }


def _changes(event: Event, found: VendorType, names: _Names, lineage: Lineage) -> Iterator[tuple[str, dict[str, Any]]]:
    """What changed, by column. Members of collections are the keys that left and joined."""
    columns = names.columns(found)
    for name, change in event.changes.items():
        stored, _, item = name.partition(".")
        column = columns.get(stored)
        if column is None:
            continue
        if item:
            column = lineage.item(item) if stored == "custom_attributes" else f"{column}.{item}"
        yield column, {"old": _value(change.get("old")), "new": _value(change.get("new"))}
    added, removed = event.data.get("added", {}), event.data.get("removed", {})
    for name in {**added, **removed}:
        if name in columns:
            yield columns[name], {"old": _keys(removed.get(name, ())), "new": _keys(added.get(name, ()))}


def _keys(members: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [member["id"] for member in members]


def _value(value: Any) -> Any:
    if isinstance(value, Mapping) and value.keys() == {"type", "id"}:
        return value["id"]
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo is not None else value).replace(tzinfo=None).isoformat()
    return value.isoformat() if isinstance(value, date) else value
