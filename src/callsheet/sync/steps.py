"""What a plan consists of: rows that make, change, keep or end an entity. Plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity

__all__ = [
    "Addition",
    "Difference",
    "Disagreement",
    "LostEntity",
    "Linked",
    "Modification",
    "Removal",
    "Same",
    "create",
    "creates",
    "delete",
    "operations",
    "update",
    "with_links",
]


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


@frozen
class Linked:
    """A row whose entity was there without a link, found by its natural key: from now on the two are linked."""

    row: int
    key: tuple[Any, ...]
    identity: Identity
    natural: tuple[Any, ...]


@frozen
class LostEntity:
    """A row that is linked to an entity which is not there any more: somebody deleted it here, or moved its key."""

    row: int
    key: tuple[Any, ...]
    identity: Identity


@frozen
class Disagreement:
    """An attribute that the target changed since the base, and perhaps the source too, and whose value is ``kept``.

    ``kept`` is ``source`` or ``target``: the other's edit is overridden by policy. It is empty if the conflict is open:
    the attribute stays as it is on both sides. ``base`` is `NOT_SET` if it is unknown.
    """

    row: int
    key: tuple[Any, ...]
    identity: Identity
    attribute: str
    base: Any
    source: Any
    target: Any
    kept: str = ""


def operations(
    additions: Iterable[Addition],
    modifications: Iterable[Modification],
    removals: Iterable[Removal],
    required: Callable[[Identity, str], bool] = lambda identity, name: False,
) -> tuple[Operation, ...]:
    """The operations, each referring to what exists by then; ``required`` says which references cannot wait."""
    return (*creates(additions, required), *map(update, modifications), *map(delete, removals))


def with_links(done: Iterable[Operation], links: Mapping[Identity, Operation]) -> Iterator[Operation]:
    """The operations, each followed by what the registry gets of its entity; the rest of the registry comes last."""
    left = dict(links)
    for operation in done:
        yield operation
        if (link := left.pop(operation.identity, None)) is not None:
            yield link
    yield from left.values()


def creates(additions: Iterable[Addition], required: Callable[[Identity, str], bool]) -> Iterator[Operation]:
    """Creates in an order in which what they refer to comes first; a circle is closed by updates at the end."""
    additions = list(additions)
    ordered = list(_in_order(additions, lambda identity, name: True))
    if any(required(each.identity, name) for each, early in ordered for name in early):
        # The circle has to be opened elsewhere: only what is required decides on the order.
        ordered = list(_in_order(additions, required))
    later: list[Operation] = []
    for ready, early in ordered:
        values = {name: value for name, value in ready.values.items() if name not in early}
        members = {name: items for name, items in ready.members.items() if name not in early}
        yield Create(ready.identity, values, members)
        if early:
            closing = {name: ready.values[name] for name in early if name in ready.values}
            added = {name: ready.members[name] for name in early if name in ready.members}
            later.append(Update(ready.identity, closing, dict.fromkeys(closing), added))
    yield from later


def _in_order(
    additions: list[Addition], decides: Callable[[Identity, str], bool]
) -> Iterator[tuple[Addition, frozenset[str]]]:
    """Each addition after all that it needs; with the names of references that must wait."""
    waiting = {addition.identity: addition for addition in additions}
    for first in additions:
        yield from _after_its_needs(first, waiting, decides)


def _after_its_needs(
    first: Addition, waiting: dict[Identity, Addition], decides: Callable[[Identity, str], bool]
) -> Iterator[tuple[Addition, frozenset[str]]]:
    stack = [first]
    entered: set[Identity] = set()
    while stack:
        addition = stack[-1]
        own = addition.identity
        if own not in waiting:
            stack.pop()
            continue
        needed = [(name, target) for name, target in _references(addition) if target in waiting and target != own]
        if own not in entered:
            entered.add(own)
            first_of_all = {target for name, target in needed if decides(own, name)} - entered
            if first_of_all:
                stack += [waiting[target] for _, target in needed if target in first_of_all]
                continue
        stack.pop()
        del waiting[own]
        yield addition, frozenset(name for name, _ in needed)


def _references(addition: Addition) -> Iterator[tuple[str, Identity]]:
    for name, value in addition.values.items():
        if isinstance(value, Identity):
            yield name, value
    for name, members in addition.members.items():
        for member in members:
            yield name, member


def create(addition: Addition) -> Create:
    """What makes the entity of a row, where all that it refers to is there."""
    return Create(addition.identity, addition.values, addition.members)


def update(modification: Modification) -> Update:
    """What gives an entity its other values, if it still has those that the plan saw."""
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


def delete(removal: Removal) -> Delete:
    """What deletes an entity, if it still is as the plan saw it."""
    return Delete(removal.identity, removal.version)
