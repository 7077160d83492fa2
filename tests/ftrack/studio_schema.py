"""The studio's schema of these tests (`studio.toml`), as the list that an ftrack server gives.

The notation is explained in that file. `studio_list` is what a server would answer `query_schemas` with.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from attrs import field, frozen

__all__ = ["studio_list"]

Table = dict[str, Any]
VALUES: Mapping[str, Table] = {
    "text": {"type": "string"},
    "whole": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "moment": {"type": "string", "format": "date-time"},
    "any": {"type": "variable"},
    "object": {"type": "object"},
    "data": {"type": "string", "format": "json"},
}
DEFAULTS: Mapping[str, Any] = {"true": True, "false": False, "0": 0}
FACTS = ("traits", "keyed_by", "stands_for", "classified", "accepts", "fixed", "unlisted", "defaults")
MAPPED = {"key": "key", "value": "value"}
NEW_KEY = "{uid}"


@cache
def _document() -> Table:
    return tomllib.loads(Path(__file__).with_name("studio.toml").read_text(encoding="utf-8"))


def studio_list() -> list[Table]:
    """All types, in the vendor's format."""
    document = dict(_document())
    traits, each = document.pop("traits"), document.pop("each")
    document.update(_owned(each))
    return [_EntityType(name, table, traits).rendered() for name, table in document.items()]


def _owned(each: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, Table]]:
    """The types that exist once for each owner: values of custom attributes, and custom links in both directions."""
    for owner, line in each["CustomAttributeValue"].items():
        name, _, text = line.partition(" = ")
        keyed_by = ["configuration_id", "entity_id"]
        yield f"{owner}CustomAttributeValue", {"traits": ["value"], "keyed_by": keyed_by, name: text}
    for suffix, trait in (("CustomAttributeLink", "link"), ("CustomAttributeLinkFrom", "link_from")):
        yield suffix, {"traits": [trait]}
        for owner, line in each["CustomAttributeLink"].items():
            name, _, text = line.partition(" = ")
            yield f"{owner}{suffix}", {"traits": [trait], name: text}


@frozen
class Line:
    """One attribute as `studio.toml` has it: what it is, and the words after it."""

    kind: str
    words: tuple[str, ...] = ()
    alias: str | None = None
    default: Any = None
    choices: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Line:
        kind, *words = (part.strip() for part in text.split(","))
        named = {word.partition(" ")[0]: word.partition(" ")[2] for word in words}
        default = DEFAULTS.get(named["="], named["="]) if "=" in named else None
        return cls(kind, tuple(named), named.get("alias"), default, tuple(named.get("of", "").split()))


@frozen
class _EntityType:
    """One type of the document, to be rendered."""

    name: str
    table: Table
    traits: Mapping[str, Table]
    properties: Table = field(factory=dict)

    def rendered(self) -> Table:
        lines, key = self._lines(self.table), self.table.get("keyed_by", ["id"])
        if "id" in key and "id" not in lines:
            self.properties["id"] = {"type": "string", "default": NEW_KEY}
        names = {word: list(key) for word in ("required", "fixed", "computed", "shown", "system")}
        names["computed"], names["system"] = [], []
        for name, line in lines.items():
            found = self._rendered(name, line, lines)
            self.properties.update(found)
            keys = [each for each in found if each != name] or [name]
            for word in names.keys() & set(line.words):
                names[word] += [*found] if word in ("fixed", "computed") else keys
            if "system" in line.words and line.alias:
                names["system"][-1] = line.alias
        names["fixed"] += self.table.get("fixed", [])
        names["system"] += self.table.get("unlisted", [])
        for name, value in self._defaults().items():
            self.properties[name]["default"] = value
        return self._facts(key, {word: list(dict.fromkeys(found)) for word, found in names.items()})

    def _lines(self, table: Table) -> dict[str, Line]:
        """All attributes, those of traits first."""
        found: dict[str, Line] = {}
        for trait in table.get("traits", ()):
            found |= self._lines(self.traits[trait])
        return found | {name: Line.read(text) for name, text in table.items() if name not in FACTS}

    def _defaults(self) -> Table:
        classified = self.table.get("classified")
        own: Table = self.table.get("defaults", {})
        return own if classified is None else {"object_type_id": classified, **own}

    def _facts(self, key: list[str], names: Mapping[str, list[str]]) -> Table:
        told: Table = {"id": self.name, "type": "object", "primary_key": key, "properties": self.properties}
        told |= {"required": names["required"], "immutable": names["fixed"], "default_projections": names["shown"]}
        told |= {word: found for word, found in self._optional(names) if found}
        return told

    def _optional(self, names: Mapping[str, list[str]]) -> Iterator[tuple[str, Any]]:
        yield "computed", names["computed"]
        yield "system_projections", names["system"]
        if "classified" in self.table:
            yield "alias_for", {"id": "Task", "classifiers": {"object_typeid": self.table["classified"]}}
        elif "accepts" in self.table:
            yield "alias_for", {"id": "List", "classifiers": {"entity": self.table["accepts"]}}
        else:
            yield "alias_for", self.table.get("stands_for")

    def _rendered(self, name: str, line: Line, lines: Mapping[str, Line]) -> Table:
        """The properties of an attribute: one, or a reference and its key."""
        kind = line.kind
        if kind.startswith("->"):
            return self._reference(name, line, lines)
        if kind.startswith("key "):
            found = _foreign_key(kind.removeprefix("key "))
        elif kind[0] == "[":
            found = {"type": "array", "items": {"$ref": kind[1:-1]}}
        elif kind[0] == "{":
            found = {"type": "mapped_array", "items": {"$ref": kind[1:-1]}, "key_value_attributes": dict(MAPPED)}
        elif kind[0] == "<":
            found = {"type": "mapped_array", "items": {"$ref": kind[1:-1]}, "restricted_projection": True}
        else:
            found = dict(VALUES[kind])
        return {name: found | _extras(line)}

    def _reference(self, name: str, line: Line, lines: Mapping[str, Line]) -> Table:
        target, _, key = line.kind.removeprefix("-> ").partition(" by ")
        key = key or f"{name}_id"
        entity_type = target.partition(".")[0]
        reference: Table = {"$ref": entity_type}
        if key == "nothing" or key in lines:
            return {name: reference}
        pointing = {"$ref": entity_type} if "pointing" in line.words else {}
        return {name: reference, key: _foreign_key(target) | pointing | _extras(line)}


def _foreign_key(target: str) -> Table:
    entity_type, _, column = target.partition(".")
    described = f"Foreign key(s): {entity_type}.{column or 'id'}"
    return {"type": "string", "format": "foreign_key", "description": described}


def _extras(line: Line) -> Table:
    found = {"alias_for": line.alias, "default": line.default, "enum": list(line.choices) or None}
    return {name: value for name, value in found.items() if value is not None}
