"""The rows of components in locations are committed alone if possible, else with all pending changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import define

from callsheet.core import announcements as occasions
from callsheet.core import commit
from callsheet.core.commit import send_alone
from callsheet.core.core import Core
from callsheet.entity.collection import Collection
from callsheet.errors import RegistrationInDoubt, ServerError, StateError, UsageError
from callsheet.flow import Flow
from callsheet.model.operation import Create, Operation
from callsheet.model.record import Identity
from callsheet.storage.intent import Planned
from callsheet.storage.locations import SessionLocation
from callsheet.storage.lookup import Item, is_born

__all__ = ["Placement", "alone", "announce", "check_turn", "flat", "forget_rows", "is_in_doubt", "register"]


@define(eq=False)
class Placement:
    """One component to be added to a location. Without a ``size`` it has no file of its own."""

    item: Item
    source: SessionLocation
    source_identifier: str
    identifier: str
    size: int | None
    row: str

    def planned(self, place: SessionLocation) -> Planned:
        return Planned(self.row, str(self.item.entity._key), self.identifier, self.size, encoded(self, place))


def check_turn(core: Core) -> None:
    core.check_present()
    if core.unit.doubtful is not None:
        raise StateError("the last commit of this session is in doubt; `commit()` sends it again")


def flat(items: Iterable[Item]) -> Iterator[Item]:
    seen: set[Any] = set()
    for item in items:
        for each in item.all:
            if each.entity not in seen:
                seen.add(each.entity)
                yield each


def register(core: Core, place: SessionLocation, placements: Sequence[Placement]) -> Flow[None]:
    """Commit the rows: alone if the components are committed, else with all pending changes."""
    if not any(is_born(each.item.entity) for each in placements):
        location = place.entity.identity
        yield from alone(core, place, [row_of(each, place, location) for each in placements])
        return
    rows = [
        core.create(
            "ComponentLocation",
            {
                "id": each.row,
                "component": each.item.entity,
                "location": place.entity,
                "resource_identifier": encoded(each, place),
            },
        )
        for each in placements
    ]
    try:
        yield from commit.commit(core)
    except Exception:
        if core.unit.doubtful is None:
            for row in rows:
                core.delete(row)
        raise


def alone(core: Core, place: SessionLocation, operations: Sequence[Operation]) -> Flow[None]:
    try:
        yield from send_alone(core, operations)
    except (ServerError, UsageError):
        raise
    except Exception as error:
        # Only the server's own refusal, or an error before sending, means that nothing was done.
        raise RegistrationInDoubt(
            f"{error}; the files of {place.name!r} are not changed, call `location.recover()` to settle them"
        ) from error


def row_of(placement: Placement, place: SessionLocation, location: Identity) -> Operation:
    values = {
        "component": placement.item.entity.identity,
        "location": location,
        "resource_identifier": encoded(placement, place),
    }
    return Create(Identity("ComponentLocation", placement.row), values)


def encoded(placement: Placement, place: SessionLocation) -> str:
    if place.transformer is None:
        return placement.identifier
    return place.transformer.encode(placement.identifier, placement.item.described)


def is_in_doubt(core: Core, error: Exception) -> bool:
    """Whether the rows may have been committed: then files and intent stay for `recover`."""
    return isinstance(error, RegistrationInDoubt) or core.unit.doubtful is not None


def announce(core: Core, topic: str, place: SessionLocation, components: Sequence[Any]) -> Flow[None]:
    for component in components:
        key, location_key = str(component._key), str(place.entity._key)
        yield from occasions.tell(core, topic, component_id=key, location_id=location_key)


def forget_rows(place: SessionLocation, components: Sequence[Any]) -> None:
    """Mark the loaded rows of these entities as stale, so that they are read again."""
    for entity, name in [(place.entity, "component_locations"), (place.entity, "location_components")] + [
        (component, "component_locations") for component in components
    ]:
        found = entity.peek(name) if name in entity._type.attributes else None
        if isinstance(found, Collection):
            found.remote = None
