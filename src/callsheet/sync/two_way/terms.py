"""Values in the terms of the left side, so that both sides can be compared.

Theory. A plan holds every value as the left side would have it. A reference to a row that only the right side has is
kept as it is there, marked (`RightOnly`): it equals nothing on the left, and becomes a reference of the left once the
row has a partner. Bases are kept in the same terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import define, field, frozen

from callsheet.core.ensure import alike
from callsheet.model.record import NOT_SET, Identity
from callsheet.sync.registry import ForeignLink
from callsheet.sync.side import SideReference
from callsheet.sync.two_way.pairing import Carried

__all__ = ["Pairs", "RightOnly", "Unpaired", "based", "from_base", "references", "same", "to_base"]


@frozen(order=True)
class RightOnly:
    """A reference to a row of the right side that has no partner yet."""

    type: str
    id: str


class Unpaired(Exception):
    """A reference that has no partner on the side where it should go; ``reference`` is it."""

    def __init__(self, reference: Any) -> None:
        super().__init__(f"refers to {reference.type} {reference.id}, which has no partner")
        self.reference = reference


@define(eq=False)
class Pairs:
    """Which row of the left is which of the right."""

    links: dict[SideReference, ForeignLink] = field(factory=dict)
    _left: dict[SideReference, SideReference] = field(factory=dict)

    def add(self, link: ForeignLink) -> None:
        """Know of a link."""
        left = SideReference(link.entity.entity_type, str(link.entity.key))
        right = SideReference(link.type, link.foreign_id)
        if (other := self._left.get(right)) is not None and other != left:
            del self.links[other]
        self.links[left] = link
        self._left[right] = left

    def right_of(self, left: SideReference) -> SideReference | None:
        """The partner of a row of the left."""
        link = self.links.get(left)
        return None if link is None else SideReference(link.type, link.foreign_id)

    def left_of(self, right: SideReference) -> SideReference | None:
        """The partner of a row of the right."""
        return self._left.get(right)

    # -- values ----------------------------------------------------------------------------------------------

    def from_right(self, carried: Carried, value: Any) -> Any:
        """A value of the right side in the left's terms."""
        return _each(value, lambda one: self._one_from_right(carried, one))

    def _one_from_right(self, carried: Carried, value: Any) -> Any:
        if isinstance(value, SideReference):
            return self._left.get(value) or RightOnly(value.type, value.id)
        return next((mine for mine, theirs in carried.values.items() if theirs == value), value)

    def to_left(self, value: Any) -> Any:
        """A value as the left side takes it; `Unpaired` where a reference has no partner there."""
        return _each(value, self._one_to_left)

    def _one_to_left(self, value: Any) -> Any:
        if not isinstance(value, RightOnly):
            return value
        found = self._left.get(SideReference(value.type, value.id))
        if found is None:
            raise Unpaired(value)
        return found

    def to_right(self, carried: Carried, value: Any) -> Any:
        """A value as the right side takes it; `Unpaired` where a reference has no partner there."""
        return _each(value, lambda one: self._one_to_right(carried, one))

    def _one_to_right(self, carried: Carried, value: Any) -> Any:
        if isinstance(value, RightOnly):
            return SideReference(value.type, value.id)
        if isinstance(value, SideReference):
            found = self.right_of(value)
            if found is None:
                raise Unpaired(value)
            return found
        return carried.values.get(value, value) if carried.values and _hashable(value) else value


def _hashable(value: Any) -> bool:
    return not isinstance(value, list | dict)


def _each(value: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(value, frozenset):
        return frozenset(map(function, value))
    return function(value)


def references(value: Any) -> Iterator[SideReference | RightOnly]:
    """The references in a value."""
    for each in value if isinstance(value, frozenset) else (value,):
        if isinstance(each, SideReference | RightOnly):
            yield each


def same(one: Any, other: Any) -> bool:
    """Whether two values in the left's terms mean the same."""
    if isinstance(one, frozenset) or isinstance(other, frozenset):
        return (one or frozenset()) == (other or frozenset())
    return alike(one, other)


def to_base(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the registry keeps them."""
    return {name: _kept(value) for name, value in values.items()}


def _kept(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(map(_kept, value), key=str)
    if isinstance(value, list | tuple):
        return [_kept(each) for each in value]
    return Identity(value.type, value.id) if isinstance(value, SideReference) else value


def from_base(base: Mapping[str, Any] | None) -> dict[str, Any]:
    """The values that `to_base` was given; of collections lists."""
    return {name: _known(value) for name, value in (base or {}).items()}


def _known(value: Any) -> Any:
    if isinstance(value, list):
        return [_known(each) for each in value]
    return SideReference(value.entity_type, str(value.key)) if isinstance(value, Identity) else value


def based(base: Mapping[str, Any], name: str, values: Iterable[Any]) -> Any:
    """The value of an attribute in the base, a set where the sides have sets; `NOT_SET` where it is not known."""
    old = base.get(name, NOT_SET)
    return frozenset(old) if isinstance(old, list) and any(isinstance(each, frozenset) for each in values) else old
