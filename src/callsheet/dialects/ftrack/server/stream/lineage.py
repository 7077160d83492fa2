"""The entities above each changed entity, up to the project, which the vendor's update events carry.

The line is read when the event is sent: if its entity has been moved since, the event has the new line; if it has been
deleted, none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field, frozen

from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.schema.store_facts import store_facts
from callsheet.model.event import Event
from callsheet.model.query import Comparison, Path
from callsheet.model.schema import EntityType, Schema

__all__ = ["Lineage", "LineagePlace"]

STEPS = 32
Key = tuple[str, str]


@frozen
class LineagePlace:
    """An entity: its concrete type, key and object type, and who is above it (a type, perhaps abstract, and a key)."""

    entity_type: str
    key: str
    above: Key | None = None
    object_type: str | None = None


@define(eq=False)
class Lineage:
    """Looks up, for many entities at once, who is above them; as far as the reader's user may read."""

    reader: StoreReader
    schema: Schema
    _known: dict[Key, LineagePlace | None] = field(factory=dict)
    _users: dict[str, Mapping[str, str | None]] = field(factory=dict)
    _items: dict[str, str] | None = None

    def learn(self, events: Iterable[Event]) -> None:
        """Know the lines of the entities of these updates."""
        wanted: dict[str, dict[str, None]] = {}
        for event in events:
            place = event.entity["type"], event.entity["id"]
            if event.data["action"] == "delete":
                self._known[self._root(place)] = self._as_it_was(event)
            else:
                wanted.setdefault(place[0], {})[place[1]] = None
        for _ in range(STEPS):
            self._read(wanted)
            wanted = self._missing()
            if not wanted:
                return

    def line(self, entity_type: str, key: str) -> list[LineagePlace]:
        """The entity, and who is above it, up to the project; empty where the user may not know it."""
        found: list[LineagePlace] = []
        at: Key | None = (entity_type, key)
        while at is not None and len(found) < STEPS:
            place = self._known.get(self._root(at))
            if place is None:
                break
            found.append(place)
            at = place.above
        return found

    def user(self, name: str) -> Mapping[str, str | None]:
        """The user of an account: key (None where there is no such user) and name."""
        if name not in self._users:
            self._users[name] = self._user(name)
        return self._users[name]

    def _user(self, name: str) -> Mapping[str, str | None]:
        kind = self.schema.types.get("User")
        if kind is None or "username" not in kind.attributes:
            return {"userid": None, "name": name}
        parts = [part for part in ("first_name", "last_name") if part in kind.attributes]
        rows = self.reader.rows("User", Comparison(Path.of("username"), "=", name), parts)
        for key, row in rows.items():
            return {"userid": key, "name": " ".join(filter(None, (row[part] for part in parts))) or name}
        return {"userid": None, "name": name}

    def item(self, name: str) -> str:
        """The key of the custom attribute that the store keeps under this name: its own, or its configuration's id."""
        if self._items is None:
            self._items = {each.id: each.key for each in self.reader.configurations()}
        return self._items.get(name, name)

    # What is read

    def _type(self, name: str) -> EntityType:
        return self.schema.types[name]

    def _root(self, place: Key) -> Key:
        return self._type(place[0]).root, place[1]

    def _missing(self) -> dict[str, dict[str, None]]:
        wanted: dict[str, dict[str, None]] = {}
        for place in self._known.values():
            if place is not None and place.above is not None and self._root(place.above) not in self._known:
                wanted.setdefault(place.above[0], {})[place.above[1]] = None
        return wanted

    def _read(self, wanted: Mapping[str, Mapping[str, None]]) -> None:
        for name, keys in wanted.items():
            kind = self._type(name)
            above = {
                each: str(kind.attributes[each].target) for each in store_facts().upwards if _is_reference(kind, each)
            }
            asked = [*above, *(each for each in ("object_type", "parent_id") if each in kind.attributes)]
            rows = self.reader.rows(name, list(keys), asked)
            for key in keys:
                row = rows.get(key)
                place = None if row is None else _place(key, row, above)
                self._known[kind.root, key] = place

    def _as_it_was(self, event: Event) -> LineagePlace:
        """The place of an entity that is gone, by what it held."""
        kind = self._type(event.entity["type"])
        row = {name: _key(change.get("old")) for name, change in event.changes.items()}
        above = {each: str(kind.attributes[each].target) for each in store_facts().upwards if _is_reference(kind, each)}
        return _place(event.entity["id"], {**row, "@type": kind.name}, above)


def _place(key: str, row: Mapping[str, Any], above: Mapping[str, str]) -> LineagePlace:
    found = next(((kind, row[name]) for name, kind in above.items() if row.get(name) not in (None, key)), None)
    if found is None and "parent" not in above and isinstance(row.get("parent_id"), str):
        # Of what a mere text refers to, contexts are followed.
        found = ("Context", row["parent_id"])
    return LineagePlace(row["@type"], key, found, row.get("object_type"))


def _is_reference(kind: EntityType, name: str) -> bool:
    attribute = kind.attributes.get(name)
    return attribute is not None and attribute.kind == "reference"


def _key(value: Any) -> Any:
    return value["id"] if isinstance(value, Mapping) and value.keys() == {"type", "id"} else value
