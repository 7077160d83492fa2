"""Names of the schema as Python's names: a type has one of its own, an attribute if a dot reaches it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from keyword import iskeyword
from unicodedata import normalize

from callsheet.entity.types import slot_name
from callsheet.model.schema import Attribute, EntityType

__all__ = ["attribute_names", "class_names", "is_plain"]


def is_plain(name: str) -> bool:
    """Whether Python reads a name as it stands, and takes it for no private one.

    >>> is_plain("status"), is_plain("from"), is_plain("_core"), is_plain("frame-start")
    (True, False, False, False)
    """
    plain = name.isidentifier() and not iskeyword(name) and not name.startswith("_")
    return plain and normalize("NFKC", name) == name


def class_names(names: Iterable[str], taken: Container[str] = ()) -> dict[str, str]:
    """A Python name for each, all different, and none of the ``taken`` ones; most are the name itself.

    >>> class_names(["Task", "3D Scan", "class", "Session"], {"Session"})
    {'Session': 'Session_', 'Task': 'Task', '3D Scan': 'Type_3D_Scan', 'class': 'class_'}
    """
    wanted = sorted(names, key=lambda name: (not is_plain(name), name))
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in wanted:
        choice = _likely(name)
        while choice in used or choice in taken or not is_plain(choice):
            choice += "_"
        used.add(choice)
        found[name] = choice
    return found


def _likely(name: str) -> str:
    letters = "".join(each if f"a{each}".isidentifier() else "_" for each in normalize("NFKC", name))
    # A second time: a letter may be composed with the one before it.
    letters = normalize("NFKC", letters)
    return letters if letters.isidentifier() and not letters.startswith("_") else f"Type_{letters}"


def attribute_names(entity_type: EntityType) -> dict[str, str]:
    """The attributes and foreign keys that a dot reaches on an entity, by their name after it."""
    found = {}
    for name, attribute in entity_type.attributes.items():
        after = name if attribute.kind == "mapping" or name in entity_type.key else slot_name(attribute)
        found[after] = name
    for alias in entity_type.aliases:
        if _alias_is_reached(alias):
            found[alias] = alias
    return {after: found[after] for after in sorted(found) if is_plain(after)}


def _alias_is_reached(alias: str) -> bool:
    return slot_name(Attribute(alias)) == alias
