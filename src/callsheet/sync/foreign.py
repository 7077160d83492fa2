"""Entities by their ids in other systems, and the other way round."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from callsheet.core import reading
from callsheet.core.core import Core
from callsheet.entity.entity import Entity
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.record import Identity
from callsheet.sync.registry import BASES, links_by_foreign_id, links_of_entity

__all__ = ["ForeignId", "external", "external_ids"]


@frozen
class ForeignId:
    """What another system calls an entity: the system, its name of the type, and the id there."""

    system: str
    type: str
    foreign_id: str


def external(core: Core, system: str, type: str, foreign_id: str) -> Flow[Any]:
    """The entity that is linked to a row of another system; None if none is, or if it is gone.

    >>> session.external("tracker", "Shot", "4711")  # doctest: +SKIP
    <Shot sh010>
    """
    for name, given in (("system", system), ("type", type), ("foreign_id", foreign_id)):
        if not isinstance(given, str) or not given:
            raise UsageError(f"{name} is a text that is not empty, not {given!r:.80}")
    found = yield from links_by_foreign_id(core, system, type, [foreign_id])
    if not found:
        return None
    entity = found[foreign_id].entity
    return (yield from reading.get(core, entity.entity_type, entity.key))


def external_ids(core: Core, entity: Any) -> Flow[list[ForeignId]]:
    """What other systems call an entity, by system; ``entity`` may be an `Identity`, so that deleted ones are found.

    >>> session.external_ids(shot)  # doctest: +SKIP
    [ForeignId(system='tracker', type='Shot', foreign_id='4711')]
    """
    identity = entity.identity if isinstance(entity, Entity) else entity
    if not isinstance(identity, Identity):
        raise UsageError(f"this takes an entity or an Identity, not {entity!r:.80}")
    links = yield from links_of_entity(core, identity)
    found = (ForeignId(each.system, each.type, each.foreign_id) for each in links if not each.system.startswith(BASES))
    return sorted(found, key=lambda each: (each.system, each.type, each.foreign_id))
