"""What tables and variables are called: names of the schema, and words for people."""

from __future__ import annotations

from callsheet.model.schema import Attribute, EntityType

__all__ = ["TYPES", "plural_of", "type_word"]

TYPES = ("Selector", "Numeric", "Text", "Date", "DateTime", "Reference", "Array", "Mapping", "Json")
"""The words for what a variable holds."""
_WORDS = {
    "enum": "Selector",
    "boolean": "Selector",
    "integer": "Numeric",
    "number": "Numeric",
    "string": "Text",
    "date": "Date",
    "datetime": "DateTime",
    "key": "Reference",
    "json": "Json",
}


def type_word(entity_type: EntityType, attribute: Attribute) -> str:
    """What a variable holds, in an analyst's word.

    >>> type_word(EntityType("Task"), Attribute("bid", data_type="number"))
    'Numeric'
    """
    if attribute.kind == "collection":
        return "Array"
    if attribute.kind == "mapping":
        return "Mapping"
    if attribute.kind == "reference" or attribute.name in entity_type.key:
        return "Reference"
    return _WORDS.get(attribute.data_type, "Json")


def plural_of(name: str) -> str:
    """What several are called, where the schema does not say it.

    >>> [plural_of(name) for name in ("Booking", "Policy", "Box", "Day")]
    ['Bookings', 'Policies', 'Boxes', 'Days']
    """
    lower = name.lower()
    if lower.endswith("y") and lower[-2:-1] not in ("a", "e", "i", "o", "u"):
        return f"{name[:-1]}ies"
    if lower.endswith(("s", "x", "z", "ch", "sh")):
        return f"{name}es"
    return f"{name}s"
