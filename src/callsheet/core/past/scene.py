"""The scene of a commit: the entities it was about, those they refer to and those that refer to them, as of now.

All of it is fetched with a number of requests that hangs on the types concerned, and on how many keys one
request may hold; not on the number of changes beyond that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from attrs import define, field

from callsheet.core import opening, reading
from callsheet.core.core import Core
from callsheet.entity.peers import Peers
from callsheet.errors import StateError, UnknownAttribute
from callsheet.flow import Flow
from callsheet.model.history import Commit
from callsheet.model.query import Comparison, Path, Select, Step
from callsheet.model.record import Identity
from callsheet.model.schema import Attribute, EntityType

__all__ = ["Place", "Scene", "attribute_of"]

Place: TypeAlias = tuple[str, Any]
"""Which entity: the root of its type, and its key."""


def attribute_of(entity_type: EntityType, name: str) -> Attribute | None:
    """The attribute of this name, or item of a mapping; None where there is none."""
    try:
        return entity_type.attribute(name)
    except UnknownAttribute:
        return None


@define(eq=False)
class Scene:
    """The entities that a commit was about, and those around them, as they are now."""

    core: Core
    entities: dict[Place, Any] = field(factory=dict)
    referrers: dict[Place, list[tuple[Any, str]]] = field(factory=dict)

    def place(self, identity: Identity) -> Place:
        return self.core.schema.types[identity.entity_type].root, identity.key

    def at(self, place: Place) -> Any:
        """The living entity, or None."""
        found = self.entities.get(place)
        return found if found is not None and self.core.unit.is_alive(found) else None

    # -- loading: a bounded number of requests, whatever the number of changes is to the bound of each --------

    def load(self, commit: Commit) -> Flow[None]:
        yield from self._learn_attributes(commit)
        created = [change for change in commit.changes if change.kind == "create"]
        linked = {change.identity.entity_type for change in created}
        subjects: dict[str, list[Identity]] = {}
        for change in commit.changes:
            subjects.setdefault(change.identity.entity_type, []).append(change.identity)
        for name, identities in subjects.items():
            projections = self._everything(name) if name in linked else ()
            yield from self.fetch(name, identities, projections)
        yield from self._load_members(commit)
        around: dict[str, list[Identity]] = {}
        for identity in _mentioned(commit):
            if self.place(identity) not in self.entities:
                around.setdefault(self.place(identity)[0], []).append(identity)
        for root, identities in around.items():
            yield from self.fetch(root, identities, (Path.of("id"),))
        yield from self._load_referrers([self.place(change.identity) for change in created])

    def _load_members(self, commit: Commit) -> Flow[None]:
        """The collections that the commit changed: what the session holds of them may be older than the commit."""
        wanted: dict[tuple[str, str], list[Identity]] = {}
        for change in commit.changes:
            if change.kind == "create":
                continue  # All of it was loaded.
            for name in dict.fromkeys((*change.added, *change.removed)):
                wanted.setdefault((change.identity.entity_type, name), []).append(change.identity)
        for (kind, name), identities in wanted.items():
            there = [each for each in identities if self.place(each) in self.entities]
            yield from self.fetch(kind, there, (Path.of(name),))

    def _learn_attributes(self, commit: Commit) -> Flow[None]:
        """Learn the schema again where the commit wrote a custom attribute that is not known here."""
        for change in commit.changes:
            entity_type = self.core.schema.type(change.identity.entity_type)
            for name in (*change.before, *change.after):
                if attribute_of(entity_type, name) is None:
                    yield from opening.open_(self.core)
                    return

    def _everything(self, name: str) -> tuple[Path, ...]:
        """All attributes that can be written, and the collections that other entities' references do not make."""
        entity_type = self.core.schema.types[name]
        return tuple(
            Path((Step(attribute.name),))
            for attribute in entity_type.attributes.values()
            if attribute.name != "id"
            and attribute.computed is None
            and (attribute.kind != "collection" or self.is_link(attribute))
        )

    def is_link(self, attribute: Attribute) -> bool:
        """Whether a collection is many to many."""
        return attribute.kind == "collection" and not self.core.schema.is_one_to_many(attribute)

    def fetch(self, name: str, identities: Iterable[Identity], projections: tuple[Path, ...]) -> Flow[None]:
        """Load entities of a type with these attributes (none: all values)."""
        entity_type = self.core.schema.types[name]
        family = self.core.identities.family(entity_type.root)
        wanted: list[Any] = []
        for key in dict.fromkeys(identity.key for identity in identities):
            held = family.get(key)
            if held is not None and held._changes is not None and held._changes.born:
                self.entities[entity_type.root, key] = held
            else:
                wanted.append(key)
        for keys in self._portions(wanted):
            found = yield from self._select(Select(name, projections, Comparison(Path.of("id"), "in", keys)))
            self.entities.update(((entity_type.root, entity._key), entity) for entity in found)
        for key in wanted:
            stale = family.get(key)
            if (entity_type.root, key) in self.entities or stale is None:
                continue
            if stale._changes is not None:
                raise StateError(f"{stale!r} has changes pending, and is gone from the server: roll back first")
            self.core.unit.detach(stale)

    def _portions(self, keys: list[Any]) -> Iterator[tuple[Any, ...]]:
        size = min(self.core.features.rows, self.core.features.literals)
        for start in range(0, len(keys), size):
            yield tuple(keys[start : start + size])

    def _select(self, select: Select) -> Flow[list[Any]]:
        """All that a query finds."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            peers = Peers(self.core.schema.types[select.entity_type].root)
            page, cursor = yield from reading.fetch(self.core, select, self.core.features.rows, cursor, peers)
            found += page
            if cursor is None:
                return found

    def _load_referrers(self, places: list[Place]) -> Flow[None]:
        """What refers to these entities now, by attributes that are not computed."""
        keys: dict[str, list[Any]] = {}
        for root, key in places:
            if self.at((root, key)) is not None:
                keys.setdefault(root, []).append(key)
        found: dict[tuple[Any, str], None] = {}
        for name, attribute, root in self._references(keys):
            for portion in self._portions(keys[root]):
                where = Comparison(Path((Step(attribute), Step("id"))), "in", portion)
                for entity in (yield from self._select(Select(name, (Path.of(attribute),), where))):
                    found[entity, attribute] = None
            found.update(((entity, attribute), None) for entity in self._pending(name, attribute))
        for entity, attribute in found:
            target = entity.peek(attribute)
            if target:
                self.referrers.setdefault(self.place(target.identity), []).append((entity, attribute))

    def _references(self, roots: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Each reference that may lead to one of these families: the type that declares it, its name, the root."""
        schema = self.core.schema
        seen: set[tuple[str, str]] = set()
        for entity_type in schema.types.values():
            for attribute in entity_type.attributes.values():
                if attribute.kind != "reference" or attribute.computed is not None:
                    continue
                declared = (schema.declarer(entity_type.name, attribute.name), attribute.name)
                root = schema.types[str(attribute.target)].root
                if root in roots and declared not in seen:
                    seen.add(declared)
                    yield *declared, root

    def _pending(self, name: str, attribute: str) -> Iterator[Any]:
        """Entities with pending changes that may refer by this attribute."""
        schema = self.core.schema
        for entity in self.core.unit.changed.values():
            if schema.is_a(entity._name, name) and entity.peek(attribute):
                yield entity


def _mentioned(commit: Commit) -> Iterator[Identity]:
    """What the inverse refers to: earlier targets and members."""
    for change in commit.changes:
        yield from (value for value in change.before.values() if isinstance(value, Identity))
        for members in (*change.added.values(), *change.removed.values()):
            yield from members
