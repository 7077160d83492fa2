"""The entities whose rows list their children: below these, and no others, a child that is not listed ends.

Theory. A row without the column says nothing of its children, and a row that was refused is not relied on: what is
below their entities stays. A new entity has no children yet. So the scope of the children is known only when the
parents have been compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from attrs import define, field

from callsheet.model.record import Identity

__all__ = ["ListedParents"]


class ComparedRows(Protocol):
    """The planning of the parents, as far as their children need it."""

    @property
    def accepted(self) -> Iterable[tuple[int, Identity]]:
        """The rows that go in and whose entity is there already, by number, with the entity."""
        ...


@define(eq=False)
class ListedParents:
    """The parents of one column of children."""

    #: The reference that leads from a child to its parent.
    reference: str
    #: The planning of the parents, once there is one.
    work: ComparedRows | None = None
    #: One byte for each row, by number: whether it lists children. There may be a million of them.
    _listed: bytearray = field(factory=bytearray)

    def note(self, row: int, lists: bool) -> None:
        """Whether a row lists its children."""
        if row >= len(self._listed):
            self._listed.extend(bytes(row + 1 - len(self._listed)))
        self._listed[row] = lists

    def keys(self) -> Iterator[object]:
        """The keys of the parents that were there and whose rows list their children."""
        if self.work is not None:
            for row, identity in self.work.accepted:
                if 0 < row < len(self._listed) and self._listed[row]:
                    yield identity.key
