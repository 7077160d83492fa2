"""The rules of each type for the write path, derived once from a schema.

The schema has them by type and attribute; here they are in the form that a commit needs: which columns refer to an
entity, which combinations must be unique in which type, which values are computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from attrs import frozen

from callsheet.errors import SchemaError
from callsheet.model.schema import CHANGES, Attribute, EntityType, Schema
from callsheet.server.store.alike import alike_columns
from callsheet.server.store.layout import declarer, stored

__all__ = ["Combination", "Members", "Referrer", "Rules", "TypeRules", "rules_of"]


@frozen
class Combination:
    """Attributes whose combined values are unique in a type; with ``alike``, texts that look alike count as equal."""

    scope: str
    names: tuple[str, ...]
    alike: bool = False


@frozen
class Referrer:
    """A reference column, in any root's table, that may refer to the entity."""

    root: str
    name: str


@frozen
class Members:
    """A many-to-many collection without inverse that may contain the entity."""

    entity_type: str
    name: str


@frozen
class TypeRules:
    """The rules of one concrete type.

    - ``computed``: each computed attribute with its rule. Of these, ``stamped`` are set on update (``stamped_new``: on
      create), ``above`` are ancestors with their types (``covers``: no type in the schema stores other ancestors), and
      ``numbered`` are running numbers with the attribute that groups them.
    - ``typed``: the columns of the target types of polymorphic references. ``alike``: the columns of `alike_form`.
    - ``referrers``, ``holders``: references and collections of other entities that may contain this one.
    - ``decided``: administrative attributes; ``kept``: those of them that anyone may set in a new entity.
    - ``paths``: attributes with paths, and the attributes that name their allowed folders. ``authored``: references
      whose default is the acting user.
    """

    entity_type: EntityType
    root: str
    required: tuple[str, ...]
    defaults: dict[str, Any]
    computed: dict[str, str]
    stamped: dict[str, str]
    stamped_new: dict[str, str]
    above: dict[str, str]
    covers: bool
    numbered: dict[str, str]
    typed: dict[str, str]
    alike: dict[str, str]
    unique: tuple[Combination, ...]
    referrers: tuple[Referrer, ...]
    collections: tuple[str, ...]
    holders: tuple[Members, ...]
    decided: frozenset[str]
    kept: frozenset[str]
    paths: dict[str, tuple[str, ...]]
    authored: tuple[str, ...]


class Rules:
    """The rules of every type of one schema; made on first use."""

    def __init__(self, schema: Schema) -> None:
        # This object must not refer to the schema, which is its weak key in the cache.
        self._types = dict.fromkeys(schema.types)
        self._made: dict[str, TypeRules] = {}
        self.roots = {name: found.root for name, found in schema.types.items()}
        self.ancestors = frozenset(
            rule.partition(":")[2]
            for entity_type in schema.types.values()
            for attribute in entity_type.attributes.values()
            if (rule := attribute.computed or "").startswith("ancestor:")
        )

    def of(self, schema: Schema, name: str) -> TypeRules:
        """The rules of a concrete type."""
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = _type_rules(schema, schema.types[name], self.ancestors)
        return found


_KNOWN: WeakKeyDictionary[Schema, Rules] = WeakKeyDictionary()


def rules_of(schema: Schema) -> Rules:
    """The rules of a schema, made once."""
    found = _KNOWN.get(schema)
    if found is None:
        found = _KNOWN[schema] = Rules(schema)
    return found


def _type_rules(schema: Schema, entity_type: EntityType, ancestors: frozenset[str]) -> TypeRules:
    attributes = entity_type.attributes.values()
    computed = {a.name: a.computed for a in attributes if a.computed is not None and stored(a)}
    above = _argued(computed, "ancestor:")
    return TypeRules(
        entity_type=entity_type,
        root=entity_type.root,
        required=tuple(a.name for a in attributes if a.required and a.name != "id" and stored(a)),
        defaults={a.name: a.default for a in attributes if a.default not in (None, "{user}") and a.name != "id"},
        computed=computed,
        stamped={name: rule for name, rule in computed.items() if rule in _STAMPS[2:]},
        stamped_new={name: rule for name, rule in computed.items() if rule in _STAMPS},
        above=above,
        covers=ancestors == {*above.values(), *(name for name in ancestors if schema.is_a(entity_type.name, name))},
        numbered=_argued(computed, "next:"),
        typed={a.name: f"{a.name}__type" for a in attributes if a.kind == "reference" and _several(schema, a)},
        alike=alike_columns(entity_type),
        unique=tuple(_combinations(schema, entity_type)),
        referrers=tuple(_referrers(schema, entity_type)),
        collections=tuple(a.name for a in attributes if a.kind == "collection" and not schema.is_one_to_many(a)),
        holders=tuple(_holders(schema, entity_type)),
        decided=frozenset(a.name for a in attributes if a.administrative),
        kept=frozenset(a.name for a in attributes if a.administrative == CHANGES),
        paths={a.name: a.within for a in attributes if a.within is not None},
        authored=tuple(a.name for a in attributes if a.default == "{user}"),
    )


_STAMPS = ("created_at", "created_by", "updated_at", "updated_by")


def _argued(computed: dict[str, str], word: str) -> dict[str, str]:
    """The attributes computed by a rule, with its argument: that of ``ancestor:Project`` is the type."""
    return {name: rule.removeprefix(word) for name, rule in computed.items() if rule.startswith(word)}


def _several(schema: Schema, attribute: Attribute) -> bool:
    return schema.polymorphic(str(attribute.target))


def _combinations(schema: Schema, entity_type: EntityType) -> Iterator[Combination]:
    for attribute in entity_type.attributes.values():
        if attribute.unique and attribute.name != "id" and stored(attribute):
            yield Combination(declarer(schema, entity_type, attribute), (attribute.name,))
    for names in entity_type.unique:
        yield Combination(_scope(schema, entity_type, names, "unique"), names)
    for names in entity_type.distinct:
        yield Combination(_scope(schema, entity_type, names, "distinct"), names, alike=True)


def _scope(schema: Schema, entity_type: EntityType, names: tuple[str, ...], rule: str) -> str:
    """The topmost type that declares the combination."""
    if unknown := [name for name in names if name not in entity_type.attributes]:
        raise SchemaError(f"{entity_type.name}: a {rule} combination names `{unknown[0]}`, which is not an attribute")
    scope = entity_type.name
    for ancestor in entity_type.ancestors:
        if names in getattr(schema.types[ancestor], rule):
            scope = ancestor
    return scope


def _referrers(schema: Schema, entity_type: EntityType) -> Iterator[Referrer]:
    """Each column once; stored ancestors are omitted, since they are computed from the parents.

    So are references of user tables, which are computed from the row: one to an entity that is deleted leads nowhere.
    """
    found: dict[Referrer, None] = {}
    for reference in schema.references_to(entity_type.root):
        attribute = reference.attribute
        computed = (attribute.computed or "").startswith("ancestor:") or attribute.computed == "load"
        if not computed and schema.is_a(entity_type.name, str(attribute.target)):
            found[Referrer(schema.types[reference.entity_type].root, attribute.name)] = None
    return iter(found)


def _holders(schema: Schema, entity_type: EntityType) -> Iterator[Members]:
    seen: set[tuple[str, str]] = set()
    for other in schema.types.values():
        for attribute in other.attributes.values():
            if attribute.kind != "collection" or attribute.inverse is not None:
                continue
            if not schema.is_a(entity_type.name, str(attribute.target)):
                continue
            side = (declarer(schema, other, attribute), attribute.name)
            if side not in seen:
                seen.add(side)
                yield Members(*side)
