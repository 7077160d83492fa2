"""What a two-way sync keeps in the registry: links with their bases, and where each side was read up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from callsheet.core.commit import send_alone
from callsheet.core.core import Core
from callsheet.errors import ServerError
from callsheet.flow import Flow
from callsheet.model.operation import Operation
from callsheet.model.record import Identity
from callsheet.sync.registry import BASES, ForeignLink, link_operation, links_by_foreign_id, links_in, links_to_types
from callsheet.sync.two_way.terms import Pairs

__all__ = ["SyncState", "load", "load_state", "note", "state_operation"]

STATE = "state"


@frozen
class SyncState:
    """Where each side was read up to (None: never), and the rows of each that have to be read again."""

    left: Any = None
    right: Any = None
    open_left: Mapping[str, Sequence[str]] = {}
    open_right: Mapping[str, Sequence[str]] = {}
    #: What was read: with another mapping, all has to be read again.
    mapping: Any = None


def load_state(core: Core, name: str) -> Flow[tuple[SyncState, ForeignLink | None]]:
    """The state that the last run noted, and the link that keeps it."""
    found = yield from links_by_foreign_id(core, f"{BASES}{name}", STATE, [STATE])
    link = found.get(STATE)
    base = link.base if link is not None and link.base is not None else {}
    known = {
        key: base[key] for key in ("left", "right", "open_left", "open_right", "mapping") if base.get(key) is not None
    }
    return SyncState(**known), link


def state_operation(name: str, state: SyncState, old: ForeignLink | None) -> Operation | None:
    """What makes the registry keep a state; None if it keeps it already."""
    base = {"left": state.left, "right": state.right, "open_left": state.open_left, "open_right": state.open_right}
    base["mapping"] = state.mapping
    new = ForeignLink(f"{BASES}{name}", STATE, STATE, Identity("", ""), base)
    return link_operation(new if old is None else evolve(old, base=base), old)


def load(
    core: Core,
    system: str,
    lefts: Mapping[str, Iterable[str]] | None,
    rights: Mapping[str, Iterable[str]] | None,
    types: Sequence[str],
) -> Flow[Pairs]:
    """The links of these rows of either side, by type; of all rows of the right's ``types`` where both are None."""
    pairs = Pairs()
    if lefts is None or rights is None:
        for name in types:
            for link in (yield from links_in(core, system, name)):
                pairs.add(link)
        return pairs
    for name, ids in rights.items():
        if ids:
            found = yield from links_by_foreign_id(core, system, name, ids)
            for link in found.values():
                pairs.add(link)
    for link in (yield from links_to_types(core, system, lefts)):
        pairs.add(link)
    return pairs


def learn(core: Core, system: str, pairs: Pairs, wanted: Iterable[Any], side: str) -> Flow[None]:
    """Learn the partners of rows that others refer to."""
    known = pairs.right_of if side == "left" else pairs.left_of
    missing: dict[str, set[str]] = {}
    for each in wanted:
        if known(each) is None:
            missing.setdefault(each.type, set()).add(each.id)
    if not missing:
        return
    lefts, rights = (missing, {}) if side == "left" else ({}, missing)
    found = yield from load(core, system, lefts, rights, ())
    for link in found.links.values():
        pairs.add(link)


def note(core: Core, operations: Sequence[Operation], origin: str) -> Flow[None]:
    """Write to the registry; what a concurrent run of the same sync wrote is not overwritten."""
    left = list(operations)
    while left:
        try:
            yield from send_alone(core, left, origin=origin)
        except ServerError as error:
            place = error.operation
            if error.status >= 500 or place is None or not 0 <= place < len(left):
                raise
            left.pop(place)
        else:
            return
