"""Interrupted operations on a location are finished or undone, by their intents and the server's rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from attrs import frozen

from callsheet.core.core import Core
from callsheet.errors import AlreadyThere, StateError, Unsupported
from callsheet.flow import Flow
from callsheet.model.query import And, Comparison, Path
from callsheet.storage.intent import STALE_SECONDS, Intent, Intents, Planned
from callsheet.storage.keeping import Kept
from callsheet.storage.locations import SessionLocation
from callsheet.storage.lookup import among, find

__all__ = ["Recovered", "recover", "settle", "settle_leftovers"]


@frozen
class Recovered:
    """The outcome for one file: ``kept`` if its row exists, else ``removed``."""

    component: str
    identifier: str
    outcome: str


def recover(core: Core, location: Any, older_than: float = STALE_SECONDS) -> Flow[list[Recovered]]:
    """Finish or undo the operations of interrupted sessions in a location.

    Operations younger than ``older_than`` seconds may still be running and are not touched, except this session's own.
    """
    if core.unit.doubtful is not None:
        raise StateError("the last commit of this session is in doubt; `commit()` sends it again, then recover")
    place = yield from core.locations.resolve(location)
    if place.accessor is None or place.kind != "managed":
        raise Unsupported(f"{place.name!r} has no accessor for managed files; there is nothing to recover")
    intents = Intents(place.accessor)
    done: list[Recovered] = []
    for intent in (yield from intents.all()):
        if intent.origin == core.origin or intent.is_old(intents.now(), older_than):
            done += yield from settle(core, place, intent)
            yield from intents.end(intent)
    return done


def settle_leftovers(core: Core, place: SessionLocation, intents: Intents, identifiers: Collection[str]) -> Flow[None]:
    """Settle interrupted operations on these files, so that they can be copied again.

    Unfinished files are kept, and the copy resumes them. Raises `AlreadyThere` if another session is copying them.
    """
    for intent in (yield from intents.all()):
        if not any(each.identifier in identifiers for each in intent.items):
            continue
        if intent.origin != core.origin and not intent.is_old(intents.now()):
            raise AlreadyThere(
                f"another session is adding the same files to {place.name!r} now; if it has ended, try again in "
                f"{STALE_SECONDS / 60:g} minutes or call `location.recover(older_than=0)`"
            )
        yield from settle(core, place, intent, keep=identifiers)
        yield from intents.end(intent)


def settle(core: Core, place: SessionLocation, intent: Intent, keep: Collection[str] = ()) -> Flow[list[Recovered]]:
    """Keep the files whose rows exist, remove the others. Unfinished files in ``keep`` are kept."""
    assert place.accessor is not None
    accessor = place.accessor
    found: set[str] = set()
    for condition in among(core, "id", [each.row for each in intent.items]):
        found |= {str(row._key) for row in (yield from find(core, "ComponentLocation", condition, ("location",)))}
    done = []
    for each in intent.items:
        if each.size is None:
            continue
        if each.identifier not in keep:
            yield from Intents(accessor).forget_half(each)
        if each.row in found:
            done.append(Recovered(each.component, each.identifier, "kept"))
        elif (yield from _is_ours(core, place, each)):
            yield from Kept(accessor).remove(each.identifier)
            done.append(Recovered(each.component, each.identifier, "removed"))
    return done


def _is_ours(core: Core, place: SessionLocation, planned: Planned) -> Flow[bool]:
    """Whether the file is the one of the intent: it has the planned size, and no other row refers to it."""
    assert place.accessor is not None
    if (yield from Kept(place.accessor).size(planned.identifier)) != planned.size:
        return False
    where = And(
        (
            Comparison(Path.of("location.id"), "=", place.entity._key),
            Comparison(Path.of("resource_identifier"), "=", planned.told),
        )
    )
    return not (yield from find(core, "ComponentLocation", where, ("location",)))
