"""The registry: which entity is which row of another system, and the values that both had last.

Theory. A link is an entity of the type ``ExternalId``: unique by system, type and foreign id, and with an identity that
follows from these, so that of two jobs that link the same row at once only one succeeds. It names its entity by plain
texts and stays after the entity: a link without an entity shows that the entity was deleted. Links are read for all
rows at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from attrs import field, frozen

from callsheet.core import aggregating
from callsheet.core.core import Core
from callsheet.errors import SchemaError
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.measure import Aggregate
from callsheet.model.operation import Create, Delete, Update
from callsheet.model.query import And, Comparison, Path, Select
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType, Schema
from callsheet.model.values import pack, unpack
from callsheet.sync.finding import Found, find
from callsheet.sync.runs import PREFIX, REGISTRY

__all__ = [
    "BASES",
    "ForeignLink",
    "count_links",
    "link_operation",
    "links_by_foreign_id",
    "links_in",
    "links_of",
    "links_of_entity",
    "links_to",
    "links_to_types",
    "registry_type",
]

ATTRIBUTES = ("system", "type", "foreign_id", "entity_type", "entity_id", "base", "seen")
BASES = PREFIX
"""What the system of links begins with that keep only the base of a sync, whose name follows."""
NAMESPACE = UUID("0b5a2f4e-58d6-5d0c-8a55-6f1d0f3f7c11")


@frozen
class ForeignLink:
    """One entity of the registry. ``base`` is None where none is kept; ``version`` None where the link is new."""

    system: str
    type: str
    foreign_id: str
    entity: Identity
    base: Mapping[str, Any] | None = None
    version: int | None = None
    #: The link's own identity; that of a new one follows from what it links.
    identity: Identity = field()

    @identity.default
    def _identity(self) -> Identity:
        return Identity(REGISTRY, str(uuid5(NAMESPACE, repr((self.system, self.type, self.foreign_id)))))


def registry_type(schema: Schema) -> EntityType:
    """The type that keeps external ids; `SchemaError` with the cure where the schema has none."""
    found = schema.types.get(REGISTRY)
    missing = [name for name in ATTRIBUTES if found is None or name not in found.attributes]
    if found is None or missing:
        what = f"has no type {REGISTRY}" if found is None else f"has a type {REGISTRY} without {', '.join(missing)}"
        cure = "external ids and bases are kept there; docs/reference/sync.md has the lines to add to a schema"
        raise SchemaError(f"the server's schema {what}: {cure}")
    return found


def links_by_foreign_id(
    core: Core, system: str, type: str, ids: Iterable[str], *, part: bool = False
) -> Flow[dict[str, ForeignLink]]:
    """The links of these rows of another system; ``part`` says that there are many more."""
    keys = [(system, type, each) for each in ids]
    found = yield from _links(core, ("system", "type", "foreign_id"), keys, part)
    return {each.foreign_id: each for each in found}


def links_to(core: Core, system: str, type: str, keys: Iterable[str]) -> Flow[dict[str, ForeignLink]]:
    """The links of these entities to rows of another system, by the entity's key."""
    found = yield from _links(core, ("system", "type", "entity_id"), ((system, type, each) for each in keys))
    return {str(each.entity.key): each for each in found}


def links_of(core: Core, system: str, type: str, ids: Iterable[str]) -> Flow[list[ForeignLink]]:
    """The links of these ids of another system, in one of its types or (an empty text) in any."""
    if type:
        found = yield from links_by_foreign_id(core, system, type, ids)
        return list(found.values())
    return (yield from _links(core, ("system", "foreign_id"), ((system, each) for each in ids)))


def links_to_types(core: Core, system: str, keys: Mapping[str, Iterable[str]]) -> Flow[list[ForeignLink]]:
    """The links of entities, by type, to rows of any type of another system."""
    found: list[ForeignLink] = []
    for entity_type, own in keys.items():
        by = ("system", "entity_type", "entity_id")
        found += yield from _links(core, by, ((system, entity_type, each) for each in own))
    return found


def links_of_entity(core: Core, entity: Identity) -> Flow[list[ForeignLink]]:
    """The links of an entity to rows of any system."""
    return (yield from _links(core, ("entity_type", "entity_id"), [(entity.entity_type, str(entity.key))]))


def links_in(core: Core, system: str, type: str) -> Flow[list[ForeignLink]]:
    """All links to rows of a type of another system."""
    return (yield from _links(core, ("system", "type"), [(system, type)]))


def count_links(core: Core, system: str, type: str) -> Flow[int]:
    """How many links there are to rows of a type of another system."""
    both = And((Comparison(Path.of("system"), "=", system), Comparison(Path.of("type"), "=", type)))
    rows = yield from aggregating.aggregate(core, Aggregate(check(Select(REGISTRY, (), both), core.schema)))
    return int(rows[0][0]) if rows else 0


def _links(
    core: Core, by: tuple[str, ...], keys: Iterable[tuple[str, ...]], part: bool = False
) -> Flow[list[ForeignLink]]:
    kind = registry_type(core.schema)
    held = [Path.of(name) for name in ATTRIBUTES[:-1]]
    found = yield from find(core, kind, [Path.of(name) for name in by], keys, held, part=part)
    return [_link(each) for entities in found.values() for each in entities]


def _link(found: Found) -> ForeignLink:
    system, type, foreign_id, entity_type, entity_id, base = found.values
    known = {name: unpack(value) for name, value in base.items()} if isinstance(base, Mapping) else None
    return ForeignLink(
        system, type, foreign_id, Identity(entity_type or "", entity_id or ""), known, found.version, found.identity
    )


def link_operation(new: ForeignLink | None, old: ForeignLink | None) -> Create | Update | Delete | None:
    """What makes the registry have the new link instead of the old one; None if it has it already."""
    if new is None:
        return None if old is None else Delete(old.identity, old.version)
    values = _values(new)
    if old is None:
        own = {"system": new.system, "type": new.type, "foreign_id": new.foreign_id}
        return Create(new.identity, {**own, **{name: value for name, value in values.items() if value is not None}})
    before = _values(old)
    changed = {name: value for name, value in values.items() if name != "seen" and value != before[name]}
    if not changed:
        return None
    return Update(
        new.identity, {**changed, "seen": values["seen"]}, {n: before[n] for n in changed}, version=old.version
    )


def _values(link: ForeignLink) -> dict[str, Any]:
    base = None if link.base is None else {name: pack(_listed(value)) for name, value in sorted(link.base.items())}
    entity = link.entity
    seen = datetime.now(UTC).replace(microsecond=0)
    return {"entity_type": entity.entity_type, "entity_id": str(entity.key), "base": base, "seen": seen}


def _listed(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value
