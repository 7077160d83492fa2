"""ftrack's schema list as a schema document of ours.

The vendor describes each type flat: scalars, among them foreign keys, and relations without a word of how they
join. The document has families, references with their foreign keys, collections with their inverses, and
mappings; what the vendor leaves out is in ``data/wiring.toml``. A foreign key that has no reference of its
own gets one (``ProjectSchemaOverride.project_schema`` for ``project_schema_id``), so that it can be followed.

The list itself stays in the document, under ``vendor``: the server half renders it again, hash included.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from callsheet.dialects.ftrack.common.custom_attributes import custom_items
from callsheet.dialects.ftrack.common.wiring import Wiring, wiring

__all__ = ["TypeList", "document_from_vendor", "has_object_type", "vendor_hash", "vendor_schemas"]

SERVER = "server"
SCALARS = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "variable": "json",
    "object": "json",
}
FOREIGN_KEY = re.compile(r"Foreign key\(s\): (\w+)\.id\Z")


def vendor_hash(schemas: Sequence[Mapping[str, Any]]) -> str:
    """The MD5 by which an ftrack server names its schema list.

    >>> vendor_hash([])
    'd751713988987e9331980363e24189ce'
    """
    return hashlib.md5(json.dumps(schemas, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def vendor_schemas(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The vendor's list that a document was made from; empty where it was made otherwise."""
    found: list[dict[str, Any]] = document.get("vendor", {}).get("ftrack", [])
    return found


def document_from_vendor(
    schemas: Sequence[Mapping[str, Any]],
    *,
    configurations: Iterable[Mapping[str, Any]] = (),
    name: str = "ftrack",
) -> dict[str, Any]:
    """The schema document of a vendor's schema list.

    ``configurations`` are rows of the type CustomAttributeConfiguration, with the name of theirs under ``type``;
    they become the ``custom`` items of the types. Types of a composite key have it under ``key``; what users
    can only read is ``computed``.

    >>> status = {"id": "Status", "primary_key": ["id"], "properties": {"id": {"type": "string"}}}
    >>> document_from_vendor([status])["types"]
    {'Status': {'attributes': {}}}
    """
    family = TypeList(schemas, wiring())
    types = {schema["id"]: _Type(family, schema["id"]).document() for schema in family.ordered()}
    kept = [dict(row) for row in configurations]
    for type_name, items in custom_items(kept, family).items():
        types[type_name]["custom"] = items
    vendor: dict[str, Any] = {"ftrack": list(schemas)}
    if kept:
        vendor["configurations"] = kept
    return {"name": name, "types": types, "vendor": vendor}


class TypeList:
    """All types of a list, and which is above which."""

    def __init__(self, schemas: Sequence[Mapping[str, Any]], tables: Wiring) -> None:
        self.types = {schema["id"]: schema for schema in schemas}
        self.wiring = tables
        self.parents = {name: self._parent(name) for name in self.types}

    def _parent(self, name: str) -> str | None:
        if has_object_type(self.types[name]):
            above: Any = "TypedContext"
        else:
            above = self.wiring.extends.of_type(name)
        return above if above in self.types and above != name else None

    def line(self, name: str) -> list[str]:
        """The type and its ancestors, itself first."""
        found: list[str] = []
        at: Any = name
        while at is not None and at not in found:
            found.append(at)
            at = self.parents.get(at)
        return found

    def below(self, name: str) -> list[str]:
        return [other for other, above in self.parents.items() if above == name]

    def ordered(self) -> list[Mapping[str, Any]]:
        """Ancestors before descendants, otherwise by name, so that the document does not depend on the list's order."""
        return sorted(self.types.values(), key=lambda schema: (len(self.line(schema["id"])), schema["id"]))

    def properties(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = self.types[name]["properties"]
        return found

    @cached_property
    def references(self) -> dict[str, dict[str, tuple[str, str | None]]]:
        """By type, its references: target and foreign key."""
        return {name: self._references(name) for name in self.types}

    def _references(self, name: str) -> dict[str, tuple[str, str | None]]:
        properties, line = self.properties(name), self.line(name)
        found: dict[str, tuple[str, str | None]] = {}
        for key, description in properties.items():
            if _is_reference(description) and description["$ref"] in self.types:
                stated = self.wiring.foreign_keys.find(line, key)
                if stated is None and f"{key}_id" in properties:
                    stated = f"{key}_id"
                target = self.target(line, key, description["$ref"])
                found[key] = (target, stated if stated in properties else None)
        taken = {foreign_key for _, foreign_key in found.values()}
        for key, description in properties.items():
            keyed = self._described_target(description)
            reference = key.removesuffix("_id")
            plain = reference == key or reference in properties or self.wiring.plain.holds(line, key)
            if keyed and key not in taken and not plain:
                found[reference] = (keyed, key)
        return found

    def target(self, line: Sequence[str], name: str, listed: str) -> str:
        """The type at the other end of a relation."""
        stated = self.wiring.targets.find(line, name) or listed
        return stated if stated in self.types else listed

    def _described_target(self, description: Mapping[str, Any]) -> str | None:
        """The type that a foreign key without a reference leads to, by its description."""
        match = FOREIGN_KEY.match(str(description.get("description", "")))
        if match is None or description.get("format") != "foreign_key" or match[1] not in self.types:
            return None
        return match[1]


def has_object_type(schema: Mapping[str, Any]) -> bool:
    """Whether an object type makes a type one of the vendor's tasks."""
    alias = schema.get("alias_for")
    return isinstance(alias, Mapping) and "object_typeid" in alias.get("classifiers", {})


def _is_reference(description: Mapping[str, Any]) -> bool:
    return "$ref" in description and "type" not in description


class _Type:
    """One type, from the vendor's description to ours."""

    def __init__(self, family: TypeList, name: str) -> None:
        self.family, self.name = family, name
        self.schema, self.line = family.types[name], family.line(name)
        self.properties, self.references = family.properties(name), family.references[name]
        self.foreign_keys = {key: reference for reference, (_, key) in self.references.items() if key}
        self.key: list[str] = list(self.schema["primary_key"])

    def document(self) -> dict[str, Any]:
        """The type's part of the document, without what it has from its parent."""
        document: dict[str, Any] = {}
        if self.family.below(self.name) and self.name not in ("NoteCategory", *_concrete_parents(self.family)):
            document["abstract"] = True
        parent = self.family.parents[self.name]
        if parent is not None:
            document["extends"] = parent
        label = self._label()
        if label:
            document["label"] = label
        if self.key != ["id"]:
            document["key"] = self.key
        above = _Type(self.family, parent).attributes() if parent else {}
        attributes = self.attributes()
        document["attributes"] = {name: found for name, found in attributes.items() if above.get(name) != found}
        return document

    def _label(self) -> str | None:
        label = self.family.wiring.labels.of_type(self.name)
        return label if label in self.properties else None

    def attributes(self) -> dict[str, dict[str, Any]]:
        """All attributes in our description, by name; inherited ones too."""
        found: dict[str, dict[str, Any]] = {}
        for name, description in self.properties.items():
            ours = self._attribute(name, description)
            if ours is not None:
                found[name] = ours
        for name in self.references:
            if name not in self.properties:
                found[name] = self._reference(name)
        return dict(sorted(found.items()))

    def _attribute(self, name: str, description: Mapping[str, Any]) -> dict[str, Any] | None:
        if name in self.foreign_keys or name == "_link" or (name == "id" and description.get("type") != "integer"):
            return None
        stated = description.get("type")
        if stated in ("array", "mapped_array"):
            return self._collection(name, description)
        if name in self.references:
            return self._reference(name)
        return self._scalar(name, description)

    # -- kinds -------------------------------------------------------------------------------------------

    def _scalar(self, name: str, description: Mapping[str, Any]) -> dict[str, Any] | None:
        stated = description.get("type", "string" if description.get("format") == "foreign_key" else None)
        if stated not in SCALARS:
            return None
        ours: dict[str, Any] = {"type": self._data_type(name, description, SCALARS[stated])}
        if description.get("enum"):
            ours.update(type="enum", choices=list(description["enum"]))
        default = description.get("default")
        if default is not None and ours["type"] != "datetime":
            ours["default"] = default
        return ours | self._flags(name, name)

    def _data_type(self, name: str, description: Mapping[str, Any], data_type: str) -> str:
        stated = self.family.wiring.types.find(self.line, name)
        if stated is not None:
            return str(stated)
        return {"date-time": "datetime", "date": "date", "json": "json"}.get(str(description.get("format")), data_type)

    def _reference(self, name: str) -> dict[str, Any]:
        target, foreign_key = self.references[name]
        ours: dict[str, Any] = {"type": "reference", "target": target}
        if foreign_key is None:
            ours["foreign_key"] = None
        elif foreign_key != f"{name}_id":
            ours["foreign_key"] = foreign_key
        default = self.properties.get(foreign_key or "", {}).get("default")
        if default not in (None, "", "{uid}") and not self.family.below(target):
            ours["default"] = default
        return ours | self._flags(name, foreign_key or name)

    def _flags(self, name: str, key: str) -> dict[str, Any]:
        flags: dict[str, Any] = {}
        names = {name, key}
        if names & set(self.schema.get("required", ())):
            flags["required"] = True
        if names & set(self.schema.get("immutable", ())):
            flags["immutable"] = True
        if self._follows(name) or names & set(self.schema.get("computed", ())):
            flags["computed"] = SERVER
        return flags

    def _follows(self, name: str) -> bool:
        """Whether the attribute follows from others, so that users only read it."""
        facts = self.family.wiring
        return facts.read_only.holds(self.line, name) or facts.same.find(self.line, name) is not None

    def _collection(self, name: str, description: Mapping[str, Any]) -> dict[str, Any] | None:
        target = description.get("items", {}).get("$ref")
        if name == "metadata" and description["type"] == "mapped_array":
            return {"type": "mapping"}
        if name == "custom_attributes" and description["type"] == "mapped_array":
            return {"type": "mapping", "items": "custom"}
        if target not in self.family.types:
            return None
        target = self.family.target(self.line, name, target)
        ours: dict[str, Any] = {"type": "collection", "target": target}
        inverse = self._inverse(name, target, description.get("inverse"))
        if inverse:
            ours["inverse"] = inverse
        if self._follows(name):
            ours["computed"] = SERVER
        return ours

    def _inverse(self, name: str, target: str, listed: str | None = None) -> str | None:
        """The attribute of the members that leads back to their owner, by the list, by the facts, or the only one."""
        if self.family.wiring.same.find(self.line, name):
            return None
        stated: str | None = listed or self.family.wiring.inverses.find(self.line, name)
        if stated is not None:
            known = stated in self.family.properties(target) or stated in self.family.references[target]
            return stated if known else None
        back = [
            reference
            for reference, (owner, _) in self.family.references[target].items()
            if owner in self.line and not self.family.wiring.same.find(self.family.line(target), reference)
        ]
        return back[0] if len(back) == 1 else None


def _concrete_parents(family: TypeList) -> list[str]:
    """Types with types below them whose own rows exist too."""
    return [name for name in family.types if name.startswith("CustomAttribute") and family.below(name)]
