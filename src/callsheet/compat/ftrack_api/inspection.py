"""What is known of entities: their primary key, identity, and state."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from callsheet.compat.ftrack_api.symbol import CREATED, DELETED, MODIFIED, NOT_SET

__all__ = ["identity", "primary_key", "state", "states"]

_SYMBOLS = {"created": CREATED, "modified": MODIFIED, "deleted": DELETED, "detached": DELETED}


def primary_key(entity: Any) -> OrderedDict[str, str]:
    """The primary key, by attribute."""
    key = entity.identity.key
    parts = key if isinstance(key, tuple) else (key,)
    return OrderedDict(zip(entity._type.key, map(str, parts)))


def identity(entity: Any) -> tuple[str, list[str]]:
    """The type and the parts of the primary key."""
    return entity.entity_type, list(primary_key(entity).values())


def state(entity: Any) -> Any:
    """CREATED, MODIFIED or DELETED where something is pending, else NOT_SET."""
    return _SYMBOLS.get(entity.state, NOT_SET)


def states(entities: Sequence[Any]) -> list[Any]:
    """The state of each entity."""
    return [state(entity) for entity in entities]
