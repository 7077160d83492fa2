"""The table of behaviours and their entity types.

A behaviour is for the types with the attributes it needs: `Noteable` for every type with ``notes``, `Worker` for users
if there are timers. The table is read when a session opens; a behaviour is imported on the first use of its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from attrs import frozen

from callsheet.model.schema import EntityType, Schema

__all__ = ["BEHAVIOURS", "Behaviour", "register"]


@frozen
class Behaviour:
    """A class of methods, for the types with these ``attributes`` (or the type called ``name``).

    It is not used if the schema does not have all the types that it ``needs``.
    """

    module: str
    cls: str
    name: str | None = None
    attributes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def load(self) -> type:
        """The class."""
        found: type = getattr(import_module(f"callsheet.production.{self.module}"), self.cls)
        return found

    def fits(self, entity_type: EntityType) -> bool:
        """Whether entities of a type have the methods."""
        if self.name is not None and entity_type.name != self.name:
            return False
        return all(name in entity_type.attributes for name in self.attributes)


BEHAVIOURS = (
    Behaviour("notes", "Noteable", attributes=("notes",), needs=("Note",)),
    Behaviour("notes", "Answerable", "Note", ("replies",)),
    Behaviour("timers", "Worker", "User", needs=("Timer", "Timelog")),
    Behaviour("accounts", "UserMethods", "User", ("username",)),
    Behaviour("jobs", "Progressing", "Job", ("data",)),
    Behaviour("workflow", "Workflow", "ProjectSchema"),
    Behaviour("assignments", "Assignable", attributes=("assignments", "notes")),
    Behaviour("assignments", "Allocatable", attributes=("allocations", "notes")),
    Behaviour("assignments", "Membered", "Group", ("memberships",), ("Membership",)),
    Behaviour("reviews", "Reviewing", "ReviewSession", needs=("ReviewSessionObject", "ReviewSessionInvitee")),
    Behaviour("reviews", "Invited", "ReviewSessionInvitee"),
    Behaviour("links", "Linking", attributes=("incoming_links", "outgoing_links")),
    Behaviour(
        "laboratory", "SampleMethods", "Sample", ("items", "field_values", "sample_type"), ("Item", "FieldValue")
    ),
    Behaviour("laboratory", "ItemMethods", "Item", ("location", "container_type", "state")),
    Behaviour("laboratory", "CollectionMethods", "Collection", ("rows", "columns", "parts"), ("Part",)),
    Behaviour("laboratory", "PlanMethods", "Plan", ("operations",), ("Operation", "OperationType")),
    Behaviour("custom_links", "CustomLinked", None, ("custom_attribute_links",), ("CustomAttributeLinkConfiguration",)),
)


def register(session: Any) -> None:
    """Register the behaviours of a session's entity types."""
    types = session.types
    for name, behaviour in _placed(types.schema):
        types.behave(name, behaviour)


def _placed(schema: Schema) -> Iterator[tuple[str, Callable[[], type]]]:
    """The topmost types for each behaviour; their subtypes inherit it."""
    for behaviour in BEHAVIOURS:
        if any(needed not in schema.types for needed in behaviour.needs):
            continue
        named = None if behaviour.name is None else schema.types.get(behaviour.name)
        candidates = schema.types.values() if behaviour.name is None else [named] if named is not None else []
        for entity_type in candidates:
            if behaviour.fits(entity_type) and not _above(schema, behaviour, entity_type):
                yield entity_type.name, behaviour.load


def _above(schema: Schema, behaviour: Behaviour, entity_type: EntityType) -> bool:
    return any(behaviour.fits(schema.types[name]) for name in entity_type.ancestors)
