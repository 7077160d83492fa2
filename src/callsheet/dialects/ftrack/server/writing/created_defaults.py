"""What the vendor's server adds to a new entity by itself: defaults, first statuses, the acting user, the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from attrs import define, field

from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.schema.catalogue import VendorType
from callsheet.dialects.ftrack.server.schema.store_facts import store_facts
from callsheet.dialects.ftrack.server.writing.deserialization import scalar
from callsheet.model.query import Comparison, Path
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType

__all__ = ["CreatedDefaults", "finish"]

Finding = Callable[[], Identity | None]

_ENDED = ("done", "failed")


def finish(entity_type: EntityType, values: dict[str, Any], now: datetime) -> None:
    """A job that is over has a time at which it ended."""
    if values.get("status") in _ENDED and "finished_at" in entity_type.attributes and not values.get("finished_at"):
        values["finished_at"] = now.replace(microsecond=0)


@define(eq=False)
class CreatedDefaults:
    """Supplies new entities of one batch; what it looks up, it looks up once."""

    reader: StoreReader
    user: str
    now: datetime
    _first: dict[str, Identity | None] = field(factory=dict)
    _actor: list[Identity | None] = field(factory=list)
    _plain: dict[str, dict[str, Any]] = field(factory=dict)
    _found: dict[str, dict[str, Finding]] = field(factory=dict)

    @property
    def actor(self) -> Identity | None:
        """The user who acts, as an entity."""
        if not self._actor:
            rows: dict[str, dict[str, Any]] = {}
            if "User" in self.reader.catalogue.types:
                rows = self.reader.rows("User", Comparison(Path.of("username"), "=", self.user), ["username"])
            key = next(iter(rows), None) or self.reader.backend.call("own.user", {})["key"]
            self._actor.append(None if key is None else Identity("User", key))
        return self._actor[0]

    def supply(self, found: VendorType, key: str, values: dict[str, Any]) -> None:
        """Fill in the values that were not given."""
        entity_type = found.entity_type
        if self.reader.catalogue.native or entity_type is None:
            return
        values.update({**self._defaults(found), **values})
        for name, find in self._findings(entity_type).items():
            if values.get(name) is None and (value := find()) is not None:
                values[name] = value
        if entity_type.name == "Schema":
            # Both name the object type that the statuses and types are for.
            for name, other in (("type", "object_type"), ("object_type", "type")):
                if values.get(name) is None and values.get(other) is not None:
                    values[name] = values[other]
        if entity_type.name == "Job":
            finish(entity_type, values, self.now)
        if entity_type.name == "User" and not values.get("username"):
            values["username"] = values.get("email") or key

    def _findings(self, entity_type: EntityType) -> Mapping[str, Finding]:
        """What is never left empty, and how it is found."""
        found = self._found.get(entity_type.name)
        if found is None:
            found = self._found[entity_type.name] = {}
            line, facts = (entity_type.name, *entity_type.ancestors), store_facts()
            for name, attribute in entity_type.attributes.items():
                if facts.first.holds(line, name):
                    found[name] = partial(self.first, str(attribute.target))
                elif facts.acting_user.holds(line, name) or facts.signed.holds(line, name):
                    found[name] = lambda: self.actor
        return found

    def _defaults(self, found: VendorType) -> Mapping[str, Any]:
        known = self._plain.get(found.name)
        if known is None:
            known = self._plain[found.name] = dict(self._made(found))
        return known

    def _made(self, found: VendorType) -> Mapping[str, Any]:
        assert found.entity_type is not None
        entity_type = found.entity_type
        made: dict[str, Any] = {}
        required, facts = found.description.get("required", ()), store_facts()
        for prop in found.properties.values():
            attribute = prop.attribute
            if attribute is None or attribute.computed is not None or prop.stored == "id":
                continue
            default = found.description["properties"][prop.name].get("default")
            if prop.kind == "value":
                value = scalar(found, attribute, default) if default != "{uid}" else None
                if value is None and (prop.name in required or prop.name in facts.now):
                    value = self._filler(attribute.data_type, prop.name)
                if value is not None:
                    made[prop.stored] = value
            elif prop.kind == "key" and prop.name == "object_type_id":
                self._add_existing(made, prop.stored, "ObjectType", found.discriminator)
            elif prop.kind == "key" and prop.name == "priority_id" and isinstance(default, str):
                self._add_existing(made, prop.stored, "Priority", default)
        for name in (entity_type.name, *entity_type.ancestors):
            for word, value in facts.created.get(name, {}).items():
                fixed = found.properties.get(word)
                if fixed is not None and fixed.stored in entity_type.attributes:
                    made[fixed.stored] = value
        return made

    def _filler(self, data_type: str, name: str) -> Any:
        if data_type == "datetime":
            return self.now.replace(microsecond=0)
        return {"boolean": False, "number": 0.0, "integer": 0}.get(data_type)

    def _add_existing(self, made: dict[str, Any], name: str, kind: str, key: str | None) -> None:
        if key is not None and self.reader.rows(kind, [key], []):
            made[name] = Identity(kind, key)

    def first(self, kind: str) -> Identity | None:
        """The first of the statuses, types or priorities."""
        if kind not in self._first:
            rows = self.reader.rows(kind, None, ["sort", "name"])
            ordered = sorted(rows, key=lambda key: (rows[key]["sort"] or 0, rows[key]["name"] or "", key))
            self._first[kind] = Identity(kind, ordered[0]) if ordered else None
        return self._first[kind]
