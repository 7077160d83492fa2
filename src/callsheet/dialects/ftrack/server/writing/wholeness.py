"""What the vendor's server refuses: entities that are part of nothing."""

from __future__ import annotations

from collections.abc import Sequence

from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue
from callsheet.dialects.ftrack.server.schema.store_facts import store_facts
from callsheet.errors import Invalid
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity

__all__ = ["check_whole"]


def check_whole(catalogue: Catalogue, operations: Sequence[Operation]) -> None:
    """`Invalid` for an entity that a batch makes, or leaves, without what it is part of.

    The reference may be set later in the batch, as when the parent's children are set.
    """
    state: dict[Identity, tuple[int, object]] = {}
    for index, operation in enumerate(operations):
        name = _needed(catalogue, operation.identity.entity_type)
        if name is None or isinstance(operation, Delete):
            state.pop(operation.identity, None)
        elif isinstance(operation, Create) or (isinstance(operation, Update) and name in operation.values):
            state[operation.identity] = index, operation.values.get(name)
    for identity, (index, value) in state.items():
        if value is None:
            name = _needed(catalogue, identity.entity_type)
            raise Invalid(f"{identity.entity_type} needs {name}.", operation=index, attribute=name)


def _needed(catalogue: Catalogue, kind: str) -> str | None:
    """The reference that entities of a type need."""
    above = (name for base, name in store_facts().needed.items() if kind == base or catalogue.is_a(kind, base))
    return next(above, None)
