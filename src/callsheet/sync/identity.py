"""The identity of an entity that a sync creates follows from its key.

Two runs at once, or a run after one that was killed, so give the same new row the same identity, and the server
refuses the second create: nothing is doubled. Where an entity of that identity is there already and has another key
by now (it was renamed), the next identity of the same row is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from callsheet.core.core import Core
from callsheet.flow import Flow
from callsheet.model.query import Path
from callsheet.model.schema import EntityType
from callsheet.sync.finding import find

__all__ = ["new_identities"]

NAMESPACE = UUID("7f0f1c1e-6f0e-5b0a-9d0b-0c1b5f0a5a57")


def new_identities(
    core: Core, entity_type: EntityType, keys: Sequence[tuple[Any, ...]]
) -> Flow[Mapping[tuple[Any, ...], str]]:
    """A primary key for each key, none of which is taken."""
    found: dict[tuple[Any, ...], str] = {}
    open_keys, generation = list(keys), 0
    path = (Path.of(entity_type.key[0]),)
    root = core.schema.types[entity_type.root]
    while open_keys:
        made = {key: _derived(entity_type, key, generation) for key in open_keys}
        taken = yield from find(core, root, path, {(each,) for each in made.values()}, ())
        found |= {key: each for key, each in made.items() if (each,) not in taken}
        open_keys = [key for key, each in made.items() if (each,) in taken]
        generation += 1
    return found


def _derived(entity_type: EntityType, key: tuple[Any, ...], generation: int) -> str:
    return str(uuid5(NAMESPACE, repr((entity_type.name, key, generation))))
