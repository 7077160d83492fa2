"""Exactly one live entity per identity.

The map holds entities weakly, so a session that runs for weeks does not grow; a bounded window of those
that arrived last keeps a loop from fetching the same rows again; whatever has pending changes is held by
the unit of work. One map for each inheritance family, because types of one family share their keys.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import ref

__all__ = ["FamilyMap", "IdentityMap", "Slot"]


class Slot(ref[Any]):
    """A weak reference that knows its place, so the map forgets a key when its entity dies."""

    __slots__ = ("key", "slots")

    key: Any
    slots: dict[Any, Slot]


def forget(slot: Slot) -> None:
    """Drop the key, unless a new entity took its place."""
    if slot.slots.get(slot.key) is slot:
        del slot.slots[slot.key]


class FamilyMap:
    """The live entities of one inheritance family, by primary key."""

    __slots__ = ("slots",)

    def __init__(self) -> None:
        self.slots: dict[Any, Slot] = {}

    def get(self, key: Any) -> Any:
        """The live entity, or None."""
        slot = self.slots.get(key)
        return slot() if slot is not None else None

    def remove(self, key: Any) -> None:
        self.slots.pop(key, None)

    def __iter__(self) -> Iterator[Any]:
        for slot in list(self.slots.values()):
            entity = slot()
            if entity is not None:
                yield entity

    def __len__(self) -> int:
        return len(self.slots)


class IdentityMap:
    """All live entities of a session. ``window`` is how many of the last arrived are kept alive."""

    def __init__(self, window: int = 1_000) -> None:
        self._families: dict[str, FamilyMap] = {}
        self._window: deque[Any] = deque(maxlen=window)

    def family(self, root: str) -> FamilyMap:
        """The map of a root type."""
        found = self._families.get(root)
        if found is None:
            found = self._families[root] = FamilyMap()
        return found

    def keep(self, entities: Iterable[Any]) -> None:
        """Hold these until as many others have arrived after them."""
        self._window.extend(entities)

    def widen(self, more: int) -> None:
        """Keep so many more alive."""
        self._window = deque(self._window, maxlen=(self._window.maxlen or 0) + more)

    def clear(self) -> None:
        self._families.clear()
        self._window.clear()

    def __iter__(self) -> Iterator[Any]:
        for family in list(self._families.values()):
            yield from family

    def __len__(self) -> int:
        return sum(len(family) for family in self._families.values())
