"""An outline of a schema document that can be read even if the document is invalid."""

from __future__ import annotations

from typing import Any

from attrs import frozen

__all__ = ["Declared", "Outline"]


@frozen
class Declared:
    """The definition of an attribute, and the type that has it."""

    owner: str
    definition: dict[str, Any]


class Outline:
    """The types and attributes of a document that may be invalid in any way; never raises."""

    def __init__(self, document: dict[str, Any]) -> None:
        types = document.get("types")
        found = types.items() if isinstance(types, dict) else ()
        self.types: dict[str, dict[str, Any]] = {
            name: definition for name, definition in found if isinstance(definition, dict)
        }

    def declared(self, name: str) -> dict[str, dict[str, Any]]:
        """The attributes that the type itself defines."""
        attributes = self.types.get(name, {}).get("attributes")
        if not isinstance(attributes, dict):
            return {}
        return {key: definition for key, definition in attributes.items() if isinstance(definition, dict)}

    def line(self, name: str) -> list[str]:
        """The type and its ancestors, itself first; ends at an unknown or repeated name."""
        line: list[str] = []
        while isinstance(name, str) and name in self.types and name not in line:
            line.append(name)
            name = self.types[name].get("extends", "")
        return line

    def attributes(self, name: str) -> dict[str, Declared]:
        """All attributes of the type, inherited ones included."""
        found: dict[str, Declared] = {}
        for owner in reversed(self.line(name)):
            found.update({key: Declared(owner, definition) for key, definition in self.declared(owner).items()})
        return found

    def names(self, name: str) -> list[str]:
        return ["id", *self.attributes(name)]

    def related(self, one: str, other: str) -> bool:
        """Whether one of the types is the other, or an ancestor of it."""
        return one in self.line(other) or other in self.line(one)

    def polymorphic(self, name: str) -> bool:
        below = any(definition.get("extends") == name for definition in self.types.values())
        return below or bool(self.types[name].get("abstract"))
