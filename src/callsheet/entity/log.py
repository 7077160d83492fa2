"""The log of a unit of work: one entry for each thing done, and what a commit makes of them.

Theory. ``compress`` (``model/compression.py``) holds for every log, and for that weighs each value against
all deletes and creates around it. Most logs have no delete, membership and adjustment, and nothing in them refers to
what was created after the referrer was first touched. Then each entity needs one operation, at its first
place, with the last value of each attribute, and nothing has to be weighed: `compressed` gathers them
straight from the entries. Any other log goes to ``compress``, with which this must agree to the letter (the
tests compare the two).

A hundred thousand tuples would be as many objects for the garbage collector to look at, again and again
while a script records; so a `Log` keeps its entries end to end in one list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from callsheet.model.compression import compress
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import NOT_SET, Identity, same

__all__ = ["ADJUST", "CREATE", "DELETE", "LINK", "UPDATE", "Entry", "Log", "compressed", "entries", "operation"]

#: An entry is of one of these kinds, and has six fields:
#:
#: - ``CREATE, identity, values, members by collection, None, None``
#: - ``UPDATE, identity, attribute, value, value before, version``
#: - ``LINK, identity, (collection, member), whether it is one now, whether it was, version``
#: - ``DELETE, identity, None, None, None, version``
#: - ``ADJUST, identity, attribute, adjustment, value before, version``
CREATE, UPDATE, LINK, DELETE, ADJUST = range(5)
Entry: TypeAlias = tuple[int, Identity, Any, Any, Any, int | None]


class Log:
    """Entries in the order in which things were done.

    >>> log = Log()
    >>> log.add((DELETE, Identity("Task", "1"), None, None, None, 3))
    >>> list(log)
    [(3, Identity(entity_type='Task', key='1'), None, None, None, 3)]
    """

    __slots__ = ("_fields", "add")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._fields: list[Any] = [field for entry in entries for field in entry]
        #: Add an entry: nothing but the list's own method, for that is called for each thing done.
        self.add = self._fields.extend

    def __iter__(self) -> Iterator[Entry]:
        fields = iter(self._fields)
        return zip(fields, fields, fields, fields, fields, fields)

    def __len__(self) -> int:
        return len(self._fields) // 6


def operation(entry: Entry) -> Operation:
    """One entry as an operation."""
    kind, identity, name, value, was, version = entry
    if kind == CREATE:
        return Create(identity, name, value)
    if kind == DELETE:
        return Delete(identity, version)
    if kind == UPDATE:
        return Update(identity, {name: value}, {} if was is NOT_SET else {name: was}, version=version)
    if kind == ADJUST:
        before = {} if was is NOT_SET else {name: was}
        return Update(identity, before=before, version=version, adjusted={name: value})
    name, member = name
    links = {name: (member,)}
    before = {} if was is NOT_SET else {name: (member,) if was else ()}
    if value:
        return Update(identity, before=before, added=links, version=version)
    return Update(identity, before=before, removed=links, version=version)


def entries(operation: Operation, version: int | None) -> Iterator[Entry]:
    """An operation as entries of the log, based on this version of its entity."""
    identity = operation.identity
    if isinstance(operation, Create):
        yield CREATE, identity, dict(operation.values), dict(operation.added), None, None
    elif isinstance(operation, Delete):
        yield DELETE, identity, None, None, None, version
    else:
        for name, value in operation.values.items():
            yield UPDATE, identity, name, value, operation.before.get(name, NOT_SET), version
        for name, adjustment in operation.adjusted.items():
            yield ADJUST, identity, name, adjustment, operation.before.get(name, NOT_SET), version
        for links, present in ((operation.added, True), (operation.removed, False)):
            for name, members in links.items():
                known = operation.before.get(name)
                for member in members:
                    was = NOT_SET if known is None else member in known
                    yield LINK, identity, (name, member), present, was, version


def compressed(log: Iterable[Entry]) -> tuple[Operation, ...]:
    """The shortest change set with the effect of the log.

    >>> task = Identity("Task", "1")
    >>> compressed([(CREATE, task, {"name": "a"}, {}, None, None), (UPDATE, task, "name", "b", "a", None)])
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


class _LoggedLife:
    """What the log says of one entity: the last values, what was there before, and where it began."""

    __slots__ = ("before", "created", "place", "values", "version")

    def __init__(self, place: int, values: dict[str, Any], version: int | None, created: bool) -> None:
        self.place = place
        self.values = values
        self.before: dict[str, Any] = {}
        self.version = version
        self.created = created


def _gather(log: Iterable[Entry]) -> dict[Identity, _LoggedLife] | None:
    """The lives in the order of their first places; None where a log needs more than this."""
    lives: dict[Identity, _LoggedLife] = {}
    last = life = None
    for place, (kind, identity, name, value, old, version) in enumerate(log):
        if kind == UPDATE:
            if identity is not last or life is None:
                last, life = identity, lives.get(identity)
                if life is None:
                    life = lives[identity] = _LoggedLife(place, {}, version, False)
            if life.version is None:
                life.version = version
            if type(value) is Identity:
                target = lives.get(value)
                if target is not None and target.created and target.place >= life.place:
                    return None
            values = life.values
            if name not in values:
                if old is not NOT_SET:
                    life.before[name] = old
            elif old is not values[name] and _sent_anew(life, name, old):
                life.before[name] = old
            values[name] = value
        elif kind == CREATE and not value:
            last, life = identity, _LoggedLife(place, dict(name), None, True)
            lives[identity] = life
        else:
            return None
    return lives


def _sent_anew(life: _LoggedLife, name: str, old: Any) -> bool:
    """Whether the value was taken back, and is another now: the server sent it while nothing was pending."""
    if old is NOT_SET or name not in life.before:
        return False
    last = life.values[name]
    return same(life.before[name], last) and not same(old, last)


def _sorted_cells(life: _LoggedLife) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values by name, and what was there before; without the values that are what was there."""
    if not life.before:
        return {name: life.values[name] for name in sorted(life.values)}, {}
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
