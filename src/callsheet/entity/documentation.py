"""What ``help`` says of a class of entities: the schema's description of its type and of each attribute."""

from __future__ import annotations

from collections.abc import Iterator

from callsheet.display import printable
from callsheet.model.schema import Attribute, EntityType

__all__ = ["described"]


def described(entity_type: EntityType) -> str:
    """The docstring of a type's class: its description, and each attribute with what it holds and means."""
    lines = [printable(entity_type.description) or f"Entities of type {entity_type.name}.", "", "Attributes:"]
    for attribute in entity_type.attributes.values():
        lines += _described(attribute.name, attribute)
    if entity_type.custom:
        lines += ["", "Custom attributes:"]
    for key, attribute in entity_type.custom.items():
        lines += _described(key, attribute)
    return "\n".join(lines)


def _described(name: str, attribute: Attribute) -> Iterator[str]:
    rules = [rule for rule in ("required", "immutable", "unique", "computed") if getattr(attribute, rule)]
    yield f"    {printable(name, lines=False)}: {', '.join([_holds(attribute), *rules])}"
    text = " ".join((attribute.description or attribute.label).split())
    if text:
        yield f"        {printable(text, lines=False)}"


def _holds(attribute: Attribute) -> str:
    if attribute.kind in ("reference", "collection"):
        return f"{'list of ' if attribute.kind == 'collection' else ''}{attribute.target}"
    if attribute.kind == "mapping":
        return f"mapping of {attribute.data_type}"
    return " | ".join(map(repr, attribute.choices)) if attribute.choices else attribute.data_type
