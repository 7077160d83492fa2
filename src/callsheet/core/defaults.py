"""Values that new entities get where none is given, as plugins say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from callsheet.errors import SchemaError
from callsheet.model.record import NOT_SET

__all__ = ["Default", "Defaults"]

Default: TypeAlias = Callable[[Any, Mapping[str, Any]], Any]
"""Given the session and the data of a new entity, the value of an attribute; `NOT_SET` for none."""


class Defaults:
    """The functions that give defaults, by entity type and attribute; those of a type hold for its subtypes.

    >>> session.defaults.add("Shot", "handles", lambda session, data: 8)  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str], Default] = {}

    def __len__(self) -> int:
        return len(self._functions)

    def __iter__(self) -> Any:
        return iter(self._functions)

    def add(self, entity_type: str, attribute: str, function: Default) -> None:
        """Register a function that gives the value of an attribute, if an entity is created without one."""
        if not callable(function):
            raise SchemaError(f"the default of {entity_type}.{attribute} is a function of session and data")
        self._functions[entity_type, attribute] = function

    def filled(self, core: Any, entity_type: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data of a new entity with the values it lacks; nearer types decide before those they extend."""
        if entity_type not in core.schema.types:
            return data
        found = dict(data)
        for name in (entity_type, *core.schema.types[entity_type].ancestors):
            for (owner, attribute), function in self._functions.items():
                if owner == name and attribute not in found and f"{attribute}_id" not in found:
                    value = function(core, found)
                    if value is not NOT_SET:
                        found[attribute] = value
        return found
