"""Administrators add types and attributes to the schema of a server while it runs; the session reads it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.core import calls, opening
from callsheet.core.core import Core
from callsheet.flow import Flow

__all__ = ["add_attribute", "create_type"]


def create_type(
    core: Core,
    /,
    name: str,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    why: str = "",
    **definition: Any,
) -> Flow[type]:
    """Add an entity type to the server's schema; gives its class. Only administrators may.

    ``attributes`` and the ``definition`` (``extends``, ``label``, ``unique``, …) are as in a schema document; ``why``
    stands in the log. Raises `Invalid` if it is there, or does not fit the others, and `Forbidden`.

    >>> import callsheet
    >>> with callsheet.Session("memory:") as session:
    ...     Vendor = session.create_type("Vendor", {"name": {"type": "string", "required": True}})
    ...     session.create("Vendor", {"name": "Hillside"})["name"]
    'Hillside'
    """
    described = {**definition, "attributes": {key: dict(value) for key, value in (attributes or {}).items()}}
    yield from calls.call(core, "schema.add_type", {"name": name, "definition": described, "why": why})
    yield from opening.open_(core)
    found: type = core.types[name]
    return found


def add_attribute(
    core: Core,
    /,
    entity_type: str,
    name: str,
    type: str = "string",
    *,
    fill: Any = None,
    why: str = "",
    **definition: Any,
) -> Flow[type]:
    """Add an attribute to a type of the server's schema; gives the class of the type. Only administrators may.

    ``type`` and the ``definition`` (``choices``, ``target``, ``required``, …) are as in a schema document. ``fill`` is
    what entities get that are there; a required attribute needs it, or a default.

    >>> import callsheet
    >>> with callsheet.Session("memory:") as session:
    ...     Shot = session.add_attribute("Shot", "weather", "enum", choices=["clear", "rain"])
    ...     session.create("Shot", {"name": "010", "weather": "rain"})["weather"]
    'rain'
    """
    arguments: dict[str, Any] = {"type": entity_type, "name": name, "why": why}
    arguments["definition"] = {"type": type, **definition}
    if fill is not None:
        arguments["fill"] = {f"{entity_type}.{name}": fill}
    yield from calls.call(core, "schema.add_attribute", arguments)
    yield from opening.open_(core)
    found: Any = core.types[entity_type]
    return found  # type: ignore[no-any-return]
