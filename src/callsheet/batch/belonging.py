"""What belongs to a project, and what that refers to, found by the schema's relations.

Theory. A type *belongs* by the references named in `OWNERS` (a task to its project, a version to its asset, a note
to what it is about). From the project down these are followed as far as they go. What the found entities refer to
besides (statuses, people, workflows) is *shared*: it is taken whole where there is little of it, else as far as it
is referred to. Types that do nothing but join shared ones (memberships, the statuses of a workflow) go with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from attrs import define, field

from callsheet.model.query import Comparison, Path, Select
from callsheet.model.schema import Attribute, Schema

__all__ = ["Belongings", "OWNERS", "PASSED_OVER", "belongings", "is_passed_over"]

OWNERS = frozenset(
    ("asset", "asset_version", "calendar_event", "component", "container", "context", "entity", "from", "in_reply_to")
    + ("list", "note", "parent", "project", "review_session", "review_session_object", "shot", "task", "version")
)
"""References by which an entity belongs to what they name."""

PASSED_OVER = frozenset(
    ("CustomConfigurationBase", "Event", "Feed", "Job", "JobComponent", "Metadata", "UserApplicationState")
)
"""Types that are not copied: records of what people did, and rows that other entities imply."""

PASSED_OVER_ENDINGS = ("CustomAttributeValue", "StatusChange")

ALWAYS = ("CustomAttributeConfiguration", "CustomAttributeLinkConfiguration", "Location", "NoteLabel", "SecurityRole")
"""Types that little of a project refers to, and without which a copy would be of little use."""

POLYMORPHIC = "parent_id"
"""The key of what an entity belongs to, where the schema does not say of which type that is."""

WHOLE = 5_000
"""Shared types of at most so many entities are taken whole."""

Ask = Callable[[Select], Iterable[Any]]
"""Runs a query and gives the entities."""


@define
class Belongings:
    """Keys by family (the root type), each in the order in which it was found."""

    owned: dict[str, dict[Any, None]] = field(factory=dict)
    shared: dict[str, dict[Any, None]] = field(factory=dict)

    def keys(self, family: str) -> list[Any]:
        """All keys of a family."""
        return [*self.owned.get(family, ()), *self.shared.get(family, ())]

    def families(self) -> list[str]:
        """The families, shared ones first: the others refer to them."""
        return list(dict.fromkeys([*self.shared, *self.owned]))

    def has(self, family: str, key: Any) -> bool:
        """Whether the entity of this key is among them."""
        return key in self.owned.get(family, ()) or key in self.shared.get(family, ())

    def __len__(self) -> int:
        return sum(map(len, (*self.owned.values(), *self.shared.values())))


class _Edge(NamedTuple):
    """A step down: entities of a type belong to those of the families, by the key at a path."""

    entity_type: str
    path: str
    owners: tuple[str, ...]


def belongings(schema: Schema, ask: Ask, project: str, key: Any, most: int) -> Belongings:
    """What has to be copied with a project. ``most`` is how many keys one query may name."""
    search = _Search(schema, ask, most)
    search.own(schema.types[project].root, key)
    search.refer({**search.found.owned, **search.always()})
    search.join()
    return search.found


class _Search:
    def __init__(self, schema: Schema, ask: Ask, most: int) -> None:
        self.schema, self.ask, self.most = schema, ask, most
        self.found = Belongings()
        self.families = [
            each.name for each in schema.types.values() if each.name == each.root and not is_passed_over(each.name)
        ]
        self.edges = list(self._edges())

    def own(self, family: str, key: Any) -> None:
        """Follow the project down."""
        fresh: dict[str, list[Any]] = {family: [key]}
        self.found.owned[family] = {key: None}
        while fresh:
            following: dict[str, list[Any]] = {}
            for edge in self.edges:
                keys = [key for owner in edge.owners for key in fresh.get(owner, ()) if isinstance(key, str)]
                for entity in self._where(edge.entity_type, edge.path, keys):
                    family, found = self.schema.types[entity.entity_type].root, entity.identity.key
                    owned = self.found.owned.setdefault(family, {})
                    if found not in owned:
                        owned[found] = None
                        following.setdefault(family, []).append(found)
            fresh = following

    def always(self) -> dict[str, list[Any]]:
        """Take the types that are always taken."""
        known = dict.fromkeys(self.schema.types[name].root for name in ALWAYS if name in self.schema.types)
        return {family: self._share(family, self._whole(family)) for family in known}

    def refer(self, waiting: Mapping[str, Iterable[Any]]) -> None:
        """Take what the waiting entities refer to, and what that refers to."""
        while waiting:
            wanted: dict[str, dict[Any, None]] = {}
            for family, keys in waiting.items():
                for entity in self._entities(family, list(keys)):
                    for target, key in self._referred(entity):
                        if not self.found.has(target, key):
                            wanted.setdefault(target, {})[key] = None
            waiting = {family: self._share(family, list(keys)) for family, keys in wanted.items()}

    def join(self) -> None:
        """Take the types that do nothing but join shared ones."""
        known = {*self.found.shared, *self.found.owned}
        for family in self.families:
            targets = {self.schema.types[str(a.target)].root for _, a in self._references(family)}
            if family not in known and targets and targets <= self.found.shared.keys():
                self.found.shared[family] = dict.fromkeys(self._whole(family))

    def _edges(self) -> Iterator[_Edge]:
        """The references by which entities belong to others, and the keys that may lead to any entity."""
        for family in self.families:
            for reference in self.schema.references_to(family):
                entity_type, attribute = reference.entity_type, reference.attribute
                if attribute.name in OWNERS and not attribute.computed and not is_passed_over(entity_type):
                    yield _Edge(entity_type, f"{attribute.name}.id", (family,))
            owner = self.schema.types[family].attributes.get(POLYMORPHIC)
            if owner is not None and owner.kind == "scalar":
                yield _Edge(family, POLYMORPHIC, tuple(self.families))

    def _references(self, family: str) -> Iterator[tuple[str, Attribute]]:
        """The references of a family, each with the highest type that has it."""
        seen: set[tuple[str, str]] = set()
        for entity_type in self.schema.types.values():
            if entity_type.root != family:
                continue
            for attribute in entity_type.attributes.values():
                if attribute.kind != "reference" or attribute.computed or is_passed_over(str(attribute.target)):
                    continue
                if all((name, attribute.name) not in seen for name in entity_type.ancestors):
                    yield entity_type.name, attribute
                seen.add((entity_type.name, attribute.name))

    def _where(self, entity_type: str, path: str, keys: Sequence[Any]) -> Iterator[Any]:
        """The entities of which a path is one of these keys; of each its key and its references."""
        projections = tuple(map(Path.of, self._names(entity_type)))
        for start in range(0, len(keys), self.most):
            chosen = tuple(keys[start : start + self.most])
            yield from self.ask(Select(entity_type, projections, Comparison(Path.of(path), "in", chosen)))

    def _names(self, entity_type: str) -> list[str]:
        known = self.schema.types[entity_type]
        references = [
            attribute.foreign_key or attribute.name
            for attribute in known.attributes.values()
            if attribute.kind == "reference" and not attribute.computed
        ]
        return [*known.key, *(name for name in references if name not in known.key)]

    def _entities(self, family: str, keys: Sequence[Any]) -> Iterator[Any]:
        """The entities of these keys, by one query for each concrete type, since each has its own references."""
        if len(self.schema.types[family].key) == 1:
            for each in self.schema.types.values():
                if each.root == family and not each.abstract:
                    yield from self._where(each.name, each.key[0], keys)

    def _referred(self, entity: Any) -> Iterator[tuple[str, Any]]:
        for attribute in self.schema.types[entity.entity_type].attributes.values():
            if attribute.kind == "reference" and not attribute.computed:
                value = entity.peek(attribute.name)
                target = self.schema.types[str(attribute.target)].root
                if value and not is_passed_over(target):
                    yield target, value.identity.key

    def _share(self, family: str, keys: list[Any]) -> list[Any]:
        """Add keys to the shared ones; those that are new."""
        held, owned = self.found.shared.setdefault(family, {}), self.found.owned.get(family, {})
        if not held and not owned:
            keys = self._whole(family) or keys
        fresh = [key for key in keys if key not in held and key not in owned]
        held.update(dict.fromkeys(fresh))
        return fresh

    def _whole(self, family: str) -> list[Any]:
        """The keys of a family, if there are few."""
        select = Select(family, tuple(map(Path.of, self.schema.types[family].key)), limit=WHOLE + 1)
        keys = [entity.identity.key for entity in self.ask(select)]
        return keys if len(keys) <= WHOLE else []


def is_passed_over(name: str) -> bool:
    """Whether entities of this type are not copied."""
    return name in PASSED_OVER or name.endswith(PASSED_OVER_ENDINGS)
