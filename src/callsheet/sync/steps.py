"""What a plan consists of: rows that make, change, keep or end an entity. Plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity

__all__ = ["Addition", "Difference", "Modification", "Removal", "Same", "operations"]


@frozen
class Difference:
    """One attribute that changes. For a collection both values are the sets of its members."""

    attribute: str
    before: Any
    after: Any


@frozen
class Addition:
    """A row whose key no entity has: one is created. ``values`` has references as identities; see `Create`."""

    row: int
    key: tuple[Any, ...]
    identity: Identity
    values: Mapping[str, Any]
    members: Mapping[str, tuple[Identity, ...]] = field(factory=dict)


@frozen
class Modification:
    """An entity that gets other values; ``row`` is 0 where no row says so (``delete="omit"``)."""

    row: int
    key: tuple[Any, ...]
    identity: Identity
    version: int | None
    differences: tuple[Difference, ...]


@frozen
class Removal:
    """An entity that no row names, and that is deleted."""

    key: tuple[Any, ...]
    identity: Identity
    version: int | None


@frozen
class Same:
    """A row whose entity has all its values."""

    row: int
    key: tuple[Any, ...]
    identity: Identity


def operations(
    additions: Iterable[Addition], modifications: Iterable[Modification], removals: Iterable[Removal]
) -> tuple[Operation, ...]:
    """The operations, each referring only to what exists by then."""
    return (*_creates(list(additions)), *map(_update, modifications), *map(_delete, removals))


def _creates(additions: list[Addition]) -> Iterator[Operation]:
    """Creates in an order in which what they refer to comes first; a circle is closed by updates at the end."""
    waiting = {addition.identity: addition for addition in additions}
    later: list[Operation] = []
    for addition in additions:
        for ready, early in _in_order(addition, waiting):
            values = {name: value for name, value in ready.values.items() if name not in early}
            members = {name: items for name, items in ready.members.items() if name not in early}
            yield Create(ready.identity, values, members)
            if early:
                closing = {name: ready.values[name] for name in early if name in ready.values}
                added = {name: ready.members[name] for name in early if name in ready.members}
                later.append(Update(ready.identity, closing, dict.fromkeys(closing), added))
    yield from later


def _in_order(first: Addition, waiting: dict[Identity, Addition]) -> Iterator[tuple[Addition, frozenset[str]]]:
    """The addition after all that it needs and that still waits; with the names of references that must wait."""
    stack = [first]
    entered: set[Identity] = set()
    while stack:
        addition = stack[-1]
        if addition.identity not in waiting:
            stack.pop()
            continue
        needed = {
            name: target for name, target in _references(addition) if target in waiting and target != addition.identity
        }
        if addition.identity not in entered:
            entered.add(addition.identity)
            if needed:
                stack += [waiting[target] for target in needed.values() if target not in entered]
                continue
        stack.pop()
        del waiting[addition.identity]
        yield addition, frozenset(needed)


def _references(addition: Addition) -> Iterator[tuple[str, Identity]]:
    for name, value in addition.values.items():
        if isinstance(value, Identity):
            yield name, value
    for name, members in addition.members.items():
        for member in members:
            yield name, member


def _update(modification: Modification) -> Update:
    values: dict[str, Any] = {}
    before: dict[str, Any] = {}
    added: dict[str, tuple[Identity, ...]] = {}
    removed: dict[str, tuple[Identity, ...]] = {}
    for each in modification.differences:
        if isinstance(each.after, frozenset):
            if joined := each.after - each.before:
                added[each.attribute] = tuple(sorted(joined))
            if left := each.before - each.after:
                removed[each.attribute] = tuple(sorted(left))
        else:
            values[each.attribute], before[each.attribute] = each.after, each.before
    return Update(modification.identity, values, before, added, removed, modification.version)


def _delete(removal: Removal) -> Delete:
    return Delete(removal.identity, removal.version)
