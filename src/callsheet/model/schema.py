"""Schemas: the entity types of a server, their attributes, and the values that these accept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Literal

from attrs import define, evolve, field, fields, frozen

from callsheet import collector
from callsheet.errors import SchemaError, UnknownAttribute

__all__ = ["CHANGES", "NUMBERS", "Attribute", "EntityType", "Reference", "Schema", "TableFacts", "did_you_mean"]

Kind = Literal["scalar", "reference", "collection", "mapping"]
SCALARS = ("string", "integer", "number", "boolean", "date", "datetime", "enum", "json")
CHANGES = "changes"
"""An administrative attribute that the creator of an entity may set, and that only administrators change."""
SERVER_KEYS = frozenset(("administrative", "within", "confidential", "key_of", "agree", "decimals"))
"""The keys of an attribute's description that only the server reads."""
NUMBERS = frozenset(("integer", "number"))
AGREEING = frozenset(("string", "enum", "date", "datetime"))


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of an error message: the nearest names, or nothing.

    >>> did_you_mean("nmae", ["name", "status"])
    '; did you mean `name`?'
    """
    choices = list(names)
    near = get_close_matches(name, choices, 3, 0.6)
    if not near:
        lower = {choice.lower(): choice for choice in choices}
        near = [lower[match] for match in get_close_matches(name.lower(), lower, 3, 0.6)]
    if not near:
        return ""
    return f"; did you mean {' or '.join(f'`{match}`' for match in near)}?"


# Thousands are made when a session opens; with slots each would take twice as long.
@frozen(slots=False)
class Attribute:
    """One attribute of an entity type.

    ``kind`` says what it is and ``data_type`` what a scalar (or an item of a mapping) holds. ``target`` is
    the entity type at the other end of a reference or collection, ``inverse`` the attribute over there that
    mirrors it: a collection whose inverse is a reference holds the entities that refer here (one to many),
    any other collection is many to many. ``foreign_key`` is the name under which a reference's key can be
    read, written and queried (``parent`` and ``parent_id``). ``computed`` names the server's rule for an
    attribute that users cannot write; ``default`` is a value, ``{uid}``, ``{now}`` or ``{user}``. A custom attribute
    that is ``inherited`` has, where it is not set, the value of the nearest entity above. ``agree`` says whether two
    writers who saw the same value, and wrote the same, agree or are in conflict (None: as its kind has it, `agrees`).
    The text of a ``composed`` one is kept in Unicode's composed form (NFC). ``zone`` is that of times which name none;
    a session has it as an option, and where it is None such times are refused.
    What is ``administrative`` decides where files go or who somebody is: only who has the right ``decide`` sets it,
    or (``"changes"``) changes what was given when the entity was made.
    ``within`` names attributes (``Disk.linux``) that hold folders: a path here is relative, or in one of them.
    ``confidential`` is the mark of a project's attribute: where it is true, members alone see what is in the project.
    A text that is ``key_of`` another attribute (``entity_type``) is the key of an entity of the type named there: who
    may not read that entity may not read, or write, this one.
    Numbers with a fixed number of ``decimals``, such as money of a user table, are summed without an error.
    """

    name: str
    kind: Kind = "scalar"
    data_type: str = "string"
    target: str | None = None
    inverse: str | None = None
    foreign_key: str | None = None
    required: bool = False
    immutable: bool = False
    computed: str | None = None
    unique: bool = False
    indexed: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    on_delete: Literal["nullify", "cascade", "restrict"] = "nullify"
    inherited: bool = False
    agree: bool | None = None
    composed: bool = False
    zone: tzinfo | None = None
    administrative: bool | Literal["changes"] = False
    within: tuple[str, ...] | None = None
    confidential: tuple[str, ...] | None = None
    key_of: str | None = None
    decimals: int | None = None
    label: str = ""
    description: str = ""

    @property
    def agrees(self) -> bool:
        """Whether two writers of the same value agree; never for numbers, since each may have added to the old value.

        >>> Attribute("status", "reference", "key").agrees, Attribute("bid", data_type="number", agree=True).agrees
        (True, False)
        """
        if self.data_type in NUMBERS:
            return False
        if self.agree is not None:
            return self.agree
        return self.kind == "reference" or self.data_type in AGREEING

    @property
    def writable(self) -> bool:
        return self.computed is None


@frozen
class TableFacts:
    """What makes an entity type a user table: its keys (none: rows are never replaced), its owner and other writers.

    ``number`` tells it from another table of the same name that was there before.
    """

    keys: tuple[str, ...] = ()
    owner: str = ""
    writers: tuple[str, ...] = ()
    number: int = 0


@define(eq=False)
class EntityType:
    """An entity type with all its attributes, inherited ones included.

    ``key`` names the attributes (or foreign keys) that make the primary key; the key of a type with several is
    a tuple of their values. ``attributes`` is ordered; ``aliases`` maps a foreign key name to its reference
    (``parent_id`` → ``parent``). ``ancestors`` runs from the parent to the root. ``custom`` describes the items of
    ``custom_attributes`` by key; ``unique`` lists combinations of attributes no two entities may share, ``distinct``
    those in which texts that look alike count as the same. ``composed`` names the attributes whose texts are names.
    Entities of an ``administrative`` type, or of one below it, are written by administrators, unless a role names it.
    For people who look at numbers: ``singular`` and ``plural`` are what one and several of its entities are called,
    ``belongs_to`` names the reference to the entity that one is a part of (None: not stated), and ``codes`` says what
    choices of enums stand for.
    ``external`` names the external database that has the rows, if they are not the server's own; they are only read.
    ``table`` is there if the type is a user table, which was added while the server ran (see ``user_table.py``).
    """

    name: str
    parent: str | None = None
    abstract: bool = False
    key: tuple[str, ...] = ("id",)
    label: str = "name"
    attributes: dict[str, Attribute] = field(factory=dict)
    unique: tuple[tuple[str, ...], ...] = ()
    distinct: tuple[tuple[str, ...], ...] = ()
    composed: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()
    custom: dict[str, Attribute] = field(factory=dict)
    description: str = ""
    administrative: bool = False
    singular: str = ""
    plural: str = ""
    belongs_to: str | None = None
    codes: Mapping[str, Mapping[str, str]] = field(factory=dict)
    table: TableFacts | None = None
    external: str | None = None
    aliases: dict[str, str] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.aliases = {a.foreign_key: a.name for a in self.attributes.values() if a.foreign_key}

    @property
    def root(self) -> str:
        """The oldest ancestor: one identity space and one table are shared below it."""
        return self.ancestors[-1] if self.ancestors else self.name

    @property
    def names(self) -> list[str]:
        """Every name that can be read, foreign keys included."""
        return [*self.attributes, *self.aliases]

    def attribute(self, name: str) -> Attribute:
        """The attribute of this name (a foreign key gives its reference); an error with the nearest names.

        A dotted name is an item of a mapping: ``metadata.colour``, ``custom_attributes.fps``.
        """
        found = self.attributes.get(name)
        if found is not None:
            return found
        if name in self.aliases:
            return self.attributes[self.aliases[name]]
        mapping, dot, item = name.partition(".")
        if dot and mapping in self.attributes and self.attributes[mapping].kind == "mapping":
            return self.item(mapping, item)
        raise UnknownAttribute(f"{self.name} has no attribute `{name}`{did_you_mean(name, self.names)}")

    def item(self, mapping: str, key: str) -> Attribute:
        """What the mapping holds under this key."""
        attribute = self.attributes[mapping]
        if attribute.data_type != "custom":
            return Attribute(f"{mapping}.{key}", data_type=attribute.data_type, agree=attribute.agree)
        found = self.custom.get(key)
        if found is None:
            raise UnknownAttribute(f"{self.name} has no custom attribute `{key}`{did_you_mean(key, self.custom)}")
        return found


@frozen
class Reference:
    """A reference attribute, and the type that has it."""

    entity_type: str
    attribute: Attribute


def _no_rows(entity_type: EntityType, mapping: str) -> tuple[str, str] | None:
    return None


@frozen
class Leniency:
    """How a server reads queries that takes more than the schema says word for word (see ``language/leniency.py``).

    ``rows`` gives, for a mapping of an entity type, the type of its rows and their attribute that holds the key of the
    entity; None where the items are no rows.
    """

    rows: Callable[[EntityType, str], tuple[str, str] | None] = _no_rows


class Schema:
    """All entity types of a server.

    ``types`` maps names to `EntityType`; ``document`` is the plain data it was made from (see
    ``docs/reference/schema.md``) and ``hash`` identifies it. ``leniency`` is None where queries are taken word for
    word; the dialect of a server that takes more sets it. ``zone`` is what times are in that name no zone. A
    ``tolerant`` schema is that of a server that may be newer: keys of attributes that are not known here are left out,
    and an attribute of a type that is not known here is JSON data that can be read only.

    >>> schema = Schema({"name": "tiny", "types": {"Dot": {"attributes": {"name": {"type": "string"}}}}})
    >>> schema.types["Dot"].attribute("name").data_type
    'string'
    """

    def __init__(self, document: Mapping[str, Any], zone: tzinfo | None = None, tolerant: bool = False) -> None:
        self.document, self._zone, self._tolerant = document, zone, tolerant
        self.name: str = document.get("name", "")
        self.types: dict[str, EntityType] = {}
        self.leniency: Leniency | None = None
        with collector.paused():
            alike: dict[tuple[Any, ...], Attribute] = {}
            for name in document.get("types", {}):
                self._build(name, (), alike)

    def __repr__(self) -> str:
        return f"<Schema {self.name!r}: {len(self.types)} entity types, {self.hash[:12]}>"

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the document in canonical JSON, in hexadecimal."""
        canonical = json.dumps(self.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def in_zone(self, zone: tzinfo) -> Schema:
        """The same schema, where times that name no zone are in this one."""
        found = Schema(self.document, zone, self._tolerant)
        found.leniency = self.leniency
        return found

    def followed(self, other: Schema, stale: Iterable[str] = ()) -> Schema:
        """The other schema, with the entity types of this one, as objects, where they are the same.

        ``stale`` types are taken from the other one, or are not in it.
        """
        found = Schema.__new__(Schema)
        found.__dict__.update(other.__dict__)
        for name in ("for_old_clients", "children", "_references"):
            found.__dict__.pop(name, None)
        found.types = {name: new if name in stale else self.types.get(name, new) for name, new in other.types.items()}
        return found

    @cached_property
    def for_old_clients(self) -> Schema:
        """The schema as it is sent to clients before 0.3: without the keys that only a server reads.

        They refuse unknown keys of attributes, and read the default ``{user}`` as a text.
        """
        types: dict[str, Any] = {}
        for name, described in self.document.get("types", {}).items():
            types[name] = dict(_for_clients(described))
            for part in ("attributes", "custom"):
                if part in described:
                    types[name][part] = {each: _for_clients(value) for each, value in described[part].items()}
        document = {**self.document, "types": types}
        return self if document == self.document else Schema(document)

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """Direct subtypes by type."""
        found: dict[str, list[str]] = {name: [] for name in self.types}
        for entity_type in self.types.values():
            if entity_type.parent:
                found[entity_type.parent].append(entity_type.name)
        return found

    def type(self, name: str) -> EntityType:
        """The entity type of this name, or an error with the nearest names."""
        found = self.types.get(name)
        if found is None:
            raise SchemaError(f"there is no entity type `{name}`{did_you_mean(name, self.types)}")
        return found

    def concrete(self, name: str) -> list[str]:
        """The names of the types whose entities a query for this type can return, itself first."""
        entity_type = self.type(name)
        found = [] if entity_type.abstract else [name]
        for child in self.children[name]:
            found += self.concrete(child)
        return found

    def polymorphic(self, name: str) -> bool:
        """Whether entities of this type may have one of several concrete types."""
        return bool(self.children[name]) or self.types[name].abstract

    def declarer(self, name: str, attribute: str) -> str:
        """The oldest ancestor that has the attribute."""
        for ancestor in reversed(self.type(name).ancestors):
            if attribute in self.types[ancestor].attributes:
                return ancestor
        return name

    def inverse(self, attribute: Attribute) -> Attribute | None:
        """The attribute at the other end of a relation that mirrors this one, if there is one."""
        if attribute.inverse is None or attribute.target not in self.types:
            return None
        return self.types[attribute.target].attributes.get(attribute.inverse)

    def is_one_to_many(self, attribute: Attribute) -> bool:
        """Whether a collection follows from a reference of its members; one that does not is many to many.

        >>> parent = {"type": "reference", "target": "Folder", "inverse": "children"}
        >>> children = {"type": "collection", "target": "Folder", "inverse": "parent"}
        >>> schema = Schema({"types": {"Folder": {"attributes": {"parent": parent, "children": children}}}})
        >>> schema.is_one_to_many(schema.types["Folder"].attributes["children"])
        True
        """
        inverse = self.inverse(attribute)
        return inverse is not None and inverse.kind == "reference"

    def references_to(self, root: str) -> tuple[Reference, ...]:
        """The references that may lead to entities of a root type or of the types below it.

        Each is given once, with the highest type that has it; a subtype that redefines an attribute gives it again.
        Computed references are included.

        >>> name = {"name": {"type": "string"}}
        >>> task = {"project": {"type": "reference", "target": "Project"}}
        >>> schema = Schema({"types": {"Project": {"attributes": name}, "Task": {"attributes": task}}})
        >>> [(each.entity_type, each.attribute.name) for each in schema.references_to("Project")]
        [('Task', 'project')]
        """
        return self._references.get(self.type(root).root, ())

    @cached_property
    def _references(self) -> dict[str, tuple[Reference, ...]]:
        """The references of the schema by the root of their targets."""
        found: dict[str, list[Reference]] = {}
        for entity_type in self.types.values():
            above = {} if entity_type.parent is None else self.types[entity_type.parent].attributes
            for attribute in entity_type.attributes.values():
                if attribute.kind == "reference" and above.get(attribute.name) != attribute:
                    target = self.types[str(attribute.target)]
                    found.setdefault(target.root, []).append(Reference(entity_type.name, attribute))
        return {root: tuple(references) for root, references in found.items()}

    def is_a(self, name: str, ancestor: str) -> bool:
        """Whether the type is the other or below it."""
        return name == ancestor or ancestor in self.types[name].ancestors

    def _build(self, name: str, building: tuple[str, ...], alike: dict[tuple[Any, ...], Attribute]) -> EntityType:
        if name in self.types:
            return self.types[name]
        if name in building:
            raise SchemaError(f"entity type `{name}` inherits from itself: {' → '.join((*building, name))}")
        described = self.document["types"][name]
        attributes: dict[str, Attribute] = {}
        ancestors: tuple[str, ...] = ()
        unique: tuple[tuple[str, ...], ...] = ()
        distinct: tuple[tuple[str, ...], ...] = ()
        composed: tuple[str, ...] = ()
        custom: dict[str, Attribute] = {}
        label, administrative = "name", False
        belongs_to: str | None = None
        codes: dict[str, Mapping[str, str]] = {}
        key: tuple[str, ...] = tuple(described.get("key", ("id",)))
        if parent_name := described.get("extends"):
            if parent_name not in self.document["types"]:
                raise SchemaError(f"entity type `{name}` extends `{parent_name}`, which is not described")
            parent = self._build(parent_name, (*building, name), alike)
            attributes.update(parent.attributes)
            ancestors = (parent.name, *parent.ancestors)
            unique, label, custom, key = parent.unique, parent.label, dict(parent.custom), parent.key
            distinct, composed = parent.distinct, parent.composed
            administrative, belongs_to, codes = parent.administrative, parent.belongs_to, dict(parent.codes)
        elif "id" in key:
            attributes["id"] = Attribute("id", required=True, immutable=True, default="{uid}")
        for attribute, value in described.get("attributes", {}).items():
            attributes[attribute] = _shared_attribute(name, attribute, value, alike, self._tolerant)
        # By type and not by attribute, since clients of earlier versions read the document, too.
        composed += tuple(described.get("names", ()))
        for attribute in composed:
            if attribute in attributes and not attributes[attribute].composed:
                attributes[attribute] = evolve(attributes[attribute], composed=True)
        for item, value in described.get("custom", {}).items():
            custom[item] = _attribute(name, item, value, self._tolerant)
        if self._zone is not None:
            attributes, custom = _in_zone(attributes, self._zone), _in_zone(custom, self._zone)
        built = EntityType(
            name=name,
            parent=described.get("extends"),
            abstract=described.get("abstract", False),
            key=key,
            label=described.get("label", label),
            attributes=attributes,
            unique=unique + tuple(tuple(names) for names in described.get("unique", ())),
            distinct=distinct + tuple(tuple(names) for names in described.get("distinct", ())),
            composed=composed,
            ancestors=ancestors,
            custom=custom,
            description=described.get("description", ""),
            administrative=described.get("administrative", administrative),
            singular=described.get("singular", ""),
            plural=described.get("plural", ""),
            belongs_to=described.get("belongs_to", belongs_to),
            codes={**codes, **described.get("codes", {})},
            table=_table_facts(described.get("table")),
            external=described.get("external"),
        )
        missing = [part for part in key if part not in attributes and part not in built.aliases]
        if missing:
            raise SchemaError(f"the key of {name} names `{missing[0]}`{did_you_mean(missing[0], built.names)}")
        self.types[name] = built
        return built


def _table_facts(described: Mapping[str, Any] | None) -> TableFacts | None:
    if described is None:
        return None
    keys, writers = described.get("keys", ()), described.get("writers", ())
    return TableFacts(tuple(keys), described.get("owner", ""), tuple(writers), described.get("number", 0))


def _in_zone(attributes: dict[str, Attribute], zone: tzinfo) -> dict[str, Attribute]:
    """The attributes, with the zone of times that name none."""
    return {
        name: evolve(each, zone=zone) if each.data_type == "datetime" and each.zone is None else each
        for name, each in attributes.items()
    }


def _for_clients(described: Any) -> Any:
    if not isinstance(described, Mapping):
        return described
    return {key: value for key, value in described.items() if key not in SERVER_KEYS and value != "{user}"}


def _shared_attribute(
    type_name: str,
    name: str,
    described: Mapping[str, Any],
    alike: dict[tuple[Any, ...], Attribute],
    tolerant: bool,
) -> Attribute:
    """The attribute, made once for all types that describe it alike: a session opens with thousands."""
    # Defaults that are equal may differ in kind (1 and True), and lists have no hash.
    if "default" in described or "choices" in described:
        return _attribute(type_name, name, described, tolerant)
    try:
        key = (name, *described.items())
        found = alike.get(key)
    except (TypeError, AttributeError):
        return _attribute(type_name, name, described, tolerant)
    if found is None:
        found = alike[key] = _attribute(type_name, name, described, tolerant)
    return found


def _attribute(type_name: str, name: str, described: Mapping[str, Any], tolerant: bool) -> Attribute:
    """One attribute from its description; ``type`` is a scalar's data type or one of the other kinds."""
    try:
        found = _described(name, described)
    except TypeError as error:
        if not tolerant:
            raise SchemaError(f"{type_name}.{name} in the schema: {error}") from None
        known = {field.name for field in fields(Attribute)} | {"type", "items"}
        found = _described(name, {key: value for key, value in described.items() if key in known})
    strange = found is None or (found.kind == "mapping" and found.data_type not in (*SCALARS, "custom"))
    if found is not None and not (strange and tolerant):
        return found
    stated = described["type"]
    if tolerant:
        words = {key: described[key] for key in ("label", "description") if key in described}
        return Attribute(name, "scalar", "json", computed="unknown", **words)
    raise SchemaError(
        f"{type_name}.{name} in the schema: unknown type `{stated}`"
        f"{did_you_mean(stated, (*SCALARS, 'reference', 'collection', 'mapping'))}"
    )


def _described(name: str, described: Mapping[str, Any]) -> Attribute | None:
    """The attribute; None if its type is not known. Raises TypeError for an unknown key."""
    described = dict(described)
    stated = described.pop("type", "string")
    choices = tuple(described.pop("choices", ()))
    for name_of_list in ("within", "confidential"):
        if name_of_list in described:
            described[name_of_list] = tuple(described[name_of_list])
    if stated in SCALARS:
        return Attribute(name, "scalar", stated, choices=choices, **described)
    if stated == "mapping":
        return Attribute(name, "mapping", described.pop("items", "string"), **described)
    if stated == "reference":
        described.setdefault("foreign_key", f"{name}_id")
        return Attribute(name, "reference", "key", **described)
    if stated == "collection":
        return Attribute(name, "collection", "key", **described)
    return None
