"""The store that can serve a vendor's schema: a native schema document made from the list that a site gives.

The document keeps the list as it is (under ``vendor``), so that it can be served again with its own hash. What the
list leaves out (which foreign key a relation has, what is deleted with what) is in ``data/wiring.toml`` and
``data/store.toml``. Relations without a key of their own are left out here; ``catalogue.py`` makes them when they are
read: notes of anything, metadata, values of custom attributes, assignments, dependencies of versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callsheet.dialects.ftrack.common.schema import has_object_type
from callsheet.dialects.ftrack.common.wiring import shared
from callsheet.dialects.ftrack.server.schema.store_facts import store_facts

__all__ = ["store_document"]

Vendor = Mapping[str, Any]
Table = dict[str, Any]

MAPPINGS = {"metadata": "string", "custom_attributes": "custom"}
SCALARS = {"string": "string", "boolean": "boolean", "integer": "integer", "number": "number", "variable": "json"}
SIGNED = {"default": "{user}", "administrative": True}

_FOREIGN = re.compile(r"Foreign key\(s\): (\w+)")


def store_document(schemas: Sequence[Vendor], name: str = "ftrack") -> dict[str, Any]:
    """The native schema document of a store that can serve this list of schemas.

    >>> dot = {"id": "Dot", "primary_key": ["id"], "properties": {"size": {"type": "number"}}}
    >>> store_document([dot])["types"]
    {'Dot': {'label': 'id', 'attributes': {'size': {'type': 'number'}}}}
    """
    return _Maker(schemas).document(name)


class _Maker:
    """Makes one document; ``vendor`` has the schemas by name."""

    def __init__(self, schemas: Sequence[Vendor]) -> None:
        self.schemas = schemas
        self.vendor = {schema["id"]: schema for schema in schemas}
        self.shared, self.facts = shared(), store_facts()
        self.lines = {name: self._line(name) for name in self.vendor}
        self.targets = {name: self._rows_of(name) for name in self.vendor}
        self.kept = [name for name in self.vendor if self._is_kept(name)]
        self.types: dict[str, Table] = {}

    def document(self, name: str) -> dict[str, Any]:
        for each in self.kept:
            self.types[each] = self._type(each)
        for each in self.kept:
            self.types[each]["attributes"].update(self._collections(each))
        for each in self.kept:
            self._forget_inherited(each)
        return {"name": name, "types": self.types, "vendor": {"ftrack": list(self.schemas)}}

    def _is_kept(self, name: str) -> bool:
        """Whether the store has rows of the type itself."""
        return self._target(name) == name and self.facts.items.of_type(name) is None

    def _above(self, name: str) -> str | None:
        """The type that this one extends."""
        found = self.facts.families.of_type(name)
        if found is None and name != "TypedContext" and has_object_type(self.vendor[name]):
            found = "TypedContext"
        return found if found in self.vendor else None

    def _line(self, name: str) -> list[str]:
        """The type and its ancestors, itself first."""
        above = self._above(name)
        return [name] if above is None else [name, *self._line(above)]

    def _root(self, name: str) -> str:
        return self.lines[name][-1]

    def _rows_of(self, name: str) -> str:
        rows = self.facts.rows_of(name)
        return rows if rows in self.vendor else name

    def _target(self, name: str) -> str:
        """The type whose rows a type stands for."""
        return self.targets.get(name, name)

    # Types and their values

    def _type(self, name: str) -> Table:
        found: Table = {}
        properties = self.vendor[name]["properties"]
        if len(self.lines[name]) > 1:
            found["extends"] = self.lines[name][1]
        if name in self.facts.families.facts.values():
            found["abstract"] = True
        if name in self.facts.administrative:
            found["administrative"] = True
        if "name" not in properties:
            found["label"] = "id"
        unique = [
            [each] for each in self.facts.unique.get(name, ()) if f"{each}_id" in properties or each in properties
        ]
        if unique:
            found["unique"] = unique
        return {**found, "attributes": self._attributes(name)}

    def _attributes(self, name: str) -> Table:
        """All attributes but collections."""
        properties = self.vendor[name]["properties"]
        found = dict(self._references(name))
        keyed = {reference["foreign_key"] for reference in found.values()}
        for attribute, prop in properties.items():
            scalar = None if attribute in keyed or attribute == "id" else self._scalar(name, attribute, prop)
            if scalar is not None:
                found[self.facts.stored_as.find([name], attribute) or attribute] = scalar
        for mapping, items in MAPPINGS.items():
            if properties.get(mapping, {}).get("type") == "mapped_array":
                found[mapping] = {"type": "mapping", "items": items}
        for attribute in found:
            found[attribute] |= self._marks(name, attribute)
        if name == "CustomAttributeLink":
            found |= {each: {"type": "string"} for each in ("from_entity_type", "to_entity_type")}
        if name == "TypedContext" and "metadata" not in found:
            found["metadata"] = {"type": "mapping", "items": "string"}
        return found

    def _marks(self, name: str, attribute: str) -> Table:
        """What the facts mark an attribute of the type itself with."""
        signed = SIGNED if self.facts.signed.holds([name], attribute) else {}
        marks = self.facts.marks.get(f"{name}.{attribute}", {})
        if "confidential" in marks:
            marks = {**marks, "confidential": list(filter(self._leads_on, marks["confidential"]))}
        return {**signed, **marks}

    def _leads_on(self, step: str) -> bool:
        """Whether the site has the type and the references of a step from projects to their members."""
        name, *ends = step.split(".")
        return name in self.lines and all(end in self.vendor[name]["properties"] for end in ends)

    def _scalar(self, name: str, attribute: str, prop: Vendor) -> Table | None:
        line = self.lines[name]
        computed = self.facts.computed.find(line, attribute)
        if computed is None and (attribute.startswith("_") or self.facts.made.holds(line, attribute)):
            return None
        data_type = self.shared.types.find(line, attribute) or SCALARS.get(str(prop.get("type")))
        if data_type is None:
            return None
        if prop.get("format") == "date-time":
            data_type = "datetime"
        if computed is not None:
            return {"type": data_type, "computed": computed}
        return {"type": data_type, "indexed": True} if attribute in self.facts.indexed else {"type": data_type}

    # References

    def _references(self, name: str) -> Iterator[tuple[str, Table]]:
        """References of a type, and foreign keys that no reference stands for."""
        properties, line = self.vendor[name]["properties"], self.lines[name]
        keys: set[str] = set()
        for attribute, prop in properties.items():
            if "$ref" not in prop or "type" in prop or not self._has_column(line, attribute):
                continue
            key = self.facts.keys.find(line, attribute) or f"{attribute}_id"
            target = self._target(self.shared.targets.find(line, attribute) or prop["$ref"])
            if target in self.vendor and key not in keys:
                keys.add(key)
                yield attribute, self._reference(name, attribute, target, key)
        if "project_id" in properties and "project" not in properties and self._root(name) == "Context":
            keys.add("project_id")
            yield "project", self._reference(name, "project", "Project", "project_id")
        yield from self._bare_keys(name, keys)

    def _has_column(self, line: Sequence[str], attribute: str) -> bool:
        """Whether the store keeps a reference: it is no second name, and not made when it is read."""
        made = self.facts.made.holds(line, attribute) or self.facts.pointers.find(line, attribute)
        return not made and self.shared.same.find(line, attribute) is None

    def _bare_keys(self, name: str, keys: set[str]) -> Iterator[tuple[str, Table]]:
        """References for foreign keys that the list has no reference for."""
        properties = self.vendor[name]["properties"]
        for key, prop in properties.items():
            match = _FOREIGN.match(prop.get("description", ""))
            attribute = key.removesuffix("_id")
            if match is None or key in keys or key == attribute or self.shared.plain.holds(self.lines[name], key):
                continue
            target = self._target(match[1])
            if target in self.vendor and attribute not in properties:
                yield attribute, self._reference(name, attribute, target, key)

    def _reference(self, name: str, attribute: str, target: str, key: str) -> Table:
        found: Table = {"type": "reference", "target": target, "foreign_key": key, "indexed": True}
        schema, line = self.vendor[name], self.lines[name]
        computed = self.facts.computed.find(line, attribute)
        if computed is not None:
            return {**found, "computed": computed}
        joins = key in schema["primary_key"] or name in self.facts.joining
        restricts = target in self.facts.restricting
        people = self._root(target) == "Resource" and not joins
        required = key in schema.get("required", ()) and not restricts and not people
        if required:
            found["required"] = True
        if restricts and not joins:
            found["on_delete"] = "restrict"
        elif required or self.facts.parts.holds(line, attribute):
            found["on_delete"] = "cascade"
        return found

    # Collections

    def _collections(self, name: str) -> Table:
        found: Table = {}
        for attribute, prop in self.vendor[name]["properties"].items():
            target = self._target(prop.get("items", {}).get("$ref", ""))
            if prop.get("type") == "array" and target in self.types:
                collection = self._collection(name, attribute, target)
                if collection is not None:
                    found[attribute] = collection
        return found

    def _collection(self, name: str, attribute: str, target: str) -> Table | None:
        """A collection that the store has; None where it is made when it is read."""
        line = self.lines[name]
        if not self._has_column(line, attribute) or self.facts.related.find(line, attribute) is not None:
            return None
        wider = self.shared.targets.find(line, attribute)
        target = wider if wider in self.types else target
        inverse = self.shared.all_inverses.find(line, attribute)
        if inverse == "":
            return {"type": "collection", "target": target}
        inverse = inverse or self._guess(name, target)
        if inverse is None or not self._is_inherited(target, inverse):
            return None
        return {"type": "collection", "target": target, "inverse": inverse}

    def _guess(self, name: str, target: str) -> str | None:
        """The one reference of the members that can hold their owner."""
        line = self.lines[name]
        ways = {
            attribute
            for each in self.lines[target]
            for attribute, found in self.types[each]["attributes"].items()
            if found["type"] == "reference" and found["target"] in line
        }
        return ways.pop() if len(ways) == 1 else None

    def _is_inherited(self, name: str, attribute: str) -> bool:
        """Whether a type or one above it has the attribute."""
        return any(
            attribute in self.types[each]["attributes"] or attribute in self.vendor[each]["properties"]
            for each in self.lines[name]
        )

    def _forget_inherited(self, name: str) -> None:
        """Leave out what the type above has as well."""
        inherited: Table = {}
        for each in reversed(self.lines[name][1:]):
            inherited.update(self.types[each]["attributes"])
        own = self.types[name]["attributes"]
        self.types[name]["attributes"] = {key: found for key, found in own.items() if inherited.get(key) != found}
