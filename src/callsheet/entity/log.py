"""The log of a unit of work: one tuple for each thing done, and what a commit makes of them.

Theory. ``compress`` (``model/compression.py``) holds for every log, and for that weighs each value against
all deletes and creates around it. Most logs have no delete and no membership, and nothing in them refers to
what was created after the referrer was first touched. Then each entity needs one operation, at its first
place, with the last value of each attribute, and nothing has to be weighed: `compressed` gathers them
straight from the tuples. Any other log goes to ``compress``, with which this must agree to the letter (the
tests compare the two).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from callsheet.model.compression import compress
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import NOT_SET, Identity, same

__all__ = ["CREATE", "DELETE", "LINK", "UPDATE", "Entry", "compressed", "operation"]

#: A log entry starts with one of these and the identity; see `operation` for what follows.
CREATE, UPDATE, LINK, DELETE = range(4)
Entry: TypeAlias = tuple[Any, ...]


def operation(entry: Entry) -> Operation:
    """One entry as an operation."""
    kind, identity = entry[:2]
    if kind == CREATE:
        return Create(identity, entry[2], entry[3])
    if kind == DELETE:
        return Delete(identity, entry[2])
    if kind == UPDATE:
        _, _, name, value, before, version = entry
        return Update(identity, {name: value}, {} if before is NOT_SET else {name: before}, version=version)
    _, _, name, member, present, was, version = entry
    links = {name: (member,)}
    before = {} if was is NOT_SET else {name: (member,) if was else ()}
    if present:
        return Update(identity, before=before, added=links, version=version)
    return Update(identity, before=before, removed=links, version=version)


def compressed(log: Sequence[Entry]) -> tuple[Operation, ...]:
    """The shortest change set with the effect of the log.

    >>> task = Identity("Task", "1")
    >>> compressed([(CREATE, task, {"name": "a"}, {}), (UPDATE, task, "name", "b", "a", None)])
    (Create(identity=Identity(entity_type='Task', key='1'), values={'name': 'b'}, added={}),)
    """
    lives = _gather(log)
    if lives is None:
        return compress(map(operation, log))
    written: list[Operation] = []
    for identity, life in lives.items():
        values, before = _sorted_cells(life)
        if life.created:
            written.append(Create(identity, values))
        elif values:
            written.append(Update(identity, values, before, version=life.version))
    return tuple(written)


class _Life:
    """What the log says of one entity: the last values, what was there before, and where it began."""

    __slots__ = ("before", "created", "place", "values", "version")

    def __init__(self, place: int, values: dict[str, Any], version: int | None, created: bool) -> None:
        self.place = place
        self.values = values
        self.before: dict[str, Any] = {}
        self.version = version
        self.created = created


def _gather(log: Sequence[Entry]) -> dict[Identity, _Life] | None:
    """The lives in the order of their first places; None where a log needs more than this."""
    lives: dict[Identity, _Life] = {}
    for place, entry in enumerate(log):
        kind, identity = entry[0], entry[1]
        if kind == CREATE:
            if entry[3]:
                return None
            lives[identity] = _Life(place, dict(entry[2]), None, True)
            continue
        if kind != UPDATE:
            return None
        _, _, name, value, old, version = entry
        life = lives.get(identity)
        if life is None:
            life = lives[identity] = _Life(place, {}, version, False)
        elif life.version is None:
            life.version = version
        if type(value) is Identity:
            target = lives.get(value)
            if target is not None and target.created and target.place >= life.place:
                return None
        if name not in life.values:
            if old is not NOT_SET:
                life.before[name] = old
        elif old is not life.values[name] and _told_anew(life, name, old):
            life.before[name] = old
        life.values[name] = value
    return lives


def _told_anew(life: _Life, name: str, old: Any) -> bool:
    """Whether the value was taken back, and is another now: it was told while nothing was pending."""
    if old is NOT_SET or name not in life.before:
        return False
    last = life.values[name]
    return same(life.before[name], last) and not same(old, last)


def _sorted_cells(life: _Life) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values by name, and what was there before; without the values that are what was there."""
    values: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for name in sorted(life.values):
        value = life.values[name]
        if name in life.before:
            old = life.before[name]
            if old == value and same(old, value):
                continue
            before[name] = old
        values[name] = value
    return values, before
