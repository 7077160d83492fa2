"""What a schema document says, readable even where it is wrong."""

from __future__ import annotations

from typing import Any

from attrs import frozen

__all__ = ["Declared", "Outline"]


@frozen
class Declared:
    """An attribute as the document tells it, and the type that tells it."""

    owner: str
    told: dict[str, Any]


class Outline:
    """The types and attributes of a document that may be wrong in any way; never raises."""

    def __init__(self, document: dict[str, Any]) -> None:
        types = document.get("types")
        found = types.items() if isinstance(types, dict) else ()
        self.types: dict[str, dict[str, Any]] = {name: told for name, told in found if isinstance(told, dict)}

    def declared(self, name: str) -> dict[str, dict[str, Any]]:
        """The attributes the type tells itself."""
        attributes = self.types.get(name, {}).get("attributes")
        if not isinstance(attributes, dict):
            return {}
        return {key: told for key, told in attributes.items() if isinstance(told, dict)}

    def line(self, name: str) -> list[str]:
        """The type and its ancestors, itself first; ends where a name is unknown or comes again."""
        line: list[str] = []
        while isinstance(name, str) and name in self.types and name not in line:
            line.append(name)
            name = self.types[name].get("extends", "")
        return line

    def attributes(self, name: str) -> dict[str, Declared]:
        """All attributes of the type, inherited ones included."""
        found: dict[str, Declared] = {}
        for owner in reversed(self.line(name)):
            found.update({key: Declared(owner, told) for key, told in self.declared(owner).items()})
        return found

    def names(self, name: str) -> list[str]:
        return ["id", *self.attributes(name)]

    def related(self, one: str, other: str) -> bool:
        """Whether one of the types is the other, or above it."""
        return one in self.line(other) or other in self.line(one)

    def polymorphic(self, name: str) -> bool:
        below = any(told.get("extends") == name for told in self.types.values())
        return below or bool(self.types[name].get("abstract"))
