"""A log of operations, compressed into the change set that has the same effect.

What holds, for every log in which each operation refers only to what exists at its place:

- *same effect*: any store ends in the same state, cascading deletes included;
- *valid order*: in the result, too, nothing refers to what does not exist yet;
- *never longer*: one operation at most for each that was recorded;
- *idempotent*: compressing the result changes nothing.

How. An entity's stay in the log is a `_Life`; a second create of the same identity begins a second one.
Each attribute of a life is a *cell*, of which the last value counts. A value moves to the earliest operation
on its entity at which all it refers to exists: a create absorbs the updates that follow it, whatever lies
between, and no sorting is needed because operations keep their places. A cell that ends as it began is
dropped. What is born and dead here never happened, unless something that stays refers to it. Adjustments of a
number become one; where the value before them was set or created here, they become the value they make of it. A value
set over an adjustment has as its ``before`` what the adjustment was based on.

One thing must not be forgotten: a reference moved away from an entity before that entity's delete. Were
only the last value kept, and that one refers to something created after the delete, the cascade would take
the referrer along. So deletes are *barriers*: a reference keeps its last value before each barrier, unless
a later value can stand before the barrier too. Time is linear in the length of the log.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias

from attrs import define, field

from callsheet.model.adjustment import Adjustment
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import NOT_SET, Identity, same

__all__ = ["compress"]

# The name of an attribute; or, for one membership, whose value is True or False, the collection, the member,
# and the place of the member's create, since another life of the same identity is another member.
CellName: TypeAlias = str | tuple[str, Identity, int | None]


@define(slots=True, eq=False)
class _Life:
    """One entity from its create (None: it was there before) to its delete (None: it stays)."""

    identity: Identity
    create: int | None = None
    delete: int | None = None
    delete_version: int | None = None
    version: int | None = None
    kept: bool = True
    places: list[int] = field(factory=list)
    cells: dict[CellName, _Cell] = field(factory=dict)


@define(slots=True, eq=False)
class _Entry:
    """A value, where it was assigned, how many barriers lay before, and the life it refers to."""

    place: int
    barriers: int
    value: Any
    target: _Life | None


@define(slots=True, eq=False)
class _Cell:
    before: Any
    last: _Entry
    earlier: list[_Entry] = field(factory=list)

    @property
    def refers(self) -> bool:
        entries = (*self.earlier, self.last)
        return isinstance(self.before, Identity) or any(isinstance(entry.value, Identity) for entry in entries)


def compress(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The shortest change set with the effect of the log.

    >>> task = Identity("Task", "1")
    >>> compress([Create(task, {"name": "a"}), Update(task, {"name": "b"})])
    (Create(identity=Identity(entity_type='Task', key='1'), values={'name': 'b'}, added={}),)
    """
    log = list(operations)
    barriers = _first_barriers(log)
    while True:
        lives = _read(log, barriers)
        chosen = _choose(lives, barriers)
        more = {life.delete for life in lives if life.kept and life.delete is not None} - barriers
        if not more:
            return _write(lives, chosen)
        barriers |= more


def _first_barriers(log: Sequence[Operation]) -> set[int]:
    """The places of all deletes of entities that were not created here."""
    alive: set[Identity] = set()
    places = set()
    for place, operation in enumerate(log):
        if isinstance(operation, Create):
            alive.add(operation.identity)
        elif isinstance(operation, Delete):
            if operation.identity in alive:
                alive.discard(operation.identity)
            else:
                places.add(place)
    return places


def _read(log: Sequence[Operation], barriers: set[int]) -> list[_Life]:
    lives: list[_Life] = []
    current: dict[Identity, _Life] = {}
    passed = 0

    def life_of(identity: Identity) -> _Life:
        found = current.get(identity)
        if found is None:
            found = current[identity] = _Life(identity)
            lives.append(found)
        return found

    def note(life: _Life, name: CellName, value: Any, before: Any, place: int, refers_to: Any) -> None:
        target = current.get(refers_to) if isinstance(refers_to, Identity) else None
        entry = _Entry(place, passed, value, target)
        cell = life.cells.get(name)
        if isinstance(value, Adjustment):
            entry.value = _adjusted(life, cell, value)
        if cell is None:
            life.cells[name] = _Cell(before, entry)
            return
        if before is not NOT_SET and (_is_adjusted(cell) or _taken_back(cell)) and not same(before, cell.last.value):
            # The server sent the value anew while nothing was pending: the change is based on that.
            cell.before = before
        if cell.last.barriers != passed:
            cell.earlier.append(cell.last)
        cell.last = entry

    for place, operation in enumerate(log):
        identity = operation.identity
        if isinstance(operation, Create):
            life = current[identity] = _Life(identity, create=place)
            lives.append(life)
        else:
            life = life_of(identity)
        if isinstance(operation, Delete):
            life.delete, life.delete_version = place, operation.version
            passed += place in barriers
            continue
        life.places.append(place)
        before = {} if isinstance(operation, Create) else operation.before
        for name, value in operation.values.items():
            note(life, name, value, before.get(name, NOT_SET), place, value)
        if isinstance(operation, Update):
            for name, adjustment in operation.adjusted.items():
                note(life, name, adjustment, before.get(name, NOT_SET), place, None)
        _read_links(life, operation, place, current, note)
        if isinstance(operation, Update) and life.version is None:
            life.version = operation.version
    return lives


def _adjusted(life: _Life, cell: _Cell | None, adjustment: Adjustment) -> Any:
    """The cell's value after an adjustment: an adjustment where what it counts on from is the server's."""
    if cell is None:
        return adjustment if life.create is None else adjustment.apply(None)
    if _is_adjusted(cell):
        return cell.last.value.then(adjustment)
    return adjustment if life.create is None and _taken_back(cell) else adjustment.apply(cell.last.value)


def _is_adjusted(cell: _Cell) -> bool:
    return isinstance(cell.last.value, Adjustment)


def _read_links(life: _Life, operation: Create | Update, place: int, current: dict[Identity, _Life], note: Any) -> None:
    if isinstance(operation, Create):
        known: dict[str, Any] = dict.fromkeys(operation.added, ())
        removed: Any = {}
    else:
        known, removed = dict(operation.before), operation.removed
    for present, links in ((True, operation.added), (False, removed)):
        for name, members in links.items():
            for member in members:
                other = current.get(member)
                if life.create is not None or (other is not None and other.create is not None):
                    before: Any = False
                else:
                    before = member in known[name] if name in known else NOT_SET
                born = None if other is None else other.create
                note(life, (name, member, born), present, before, place, member)


def _choose(lives: list[_Life], barriers: set[int]) -> dict[int, list[tuple[_Life, CellName, _Entry, Any]]]:
    """By place, the entries to write there; marks the lives that are kept."""
    order = sorted(barriers)
    before_place = partial(bisect_left, order)
    chosen: dict[int, list[tuple[_Life, CellName, _Entry, Any]]] = {}
    for life in lives:
        life.kept = life.create is None or life.delete is None
    waiting = [life for life in lives if life.kept]
    while waiting:
        life = waiting.pop()
        for name, cell in life.cells.items():
            for place, entry, before in _entries(life, cell, before_place):
                chosen.setdefault(place, []).append((life, name, entry, before))
                target = entry.target
                if target is not None and not target.kept and entry.value is not False:
                    target.kept = True
                    waiting.append(target)
    return chosen


def _entries(life: _Life, cell: _Cell, barriers_before: Any) -> Iterable[tuple[int, _Entry, Any]]:
    """The entries of a cell that must be written, with their places and what was there before."""
    last = cell.last
    if not cell.earlier or not cell.refers:
        if life.delete is not None and life.create is None:
            if cell.refers and barriers_before(life.delete) > last.barriers:
                yield _place(life, last), last, cell.before
        elif not _taken_back(cell):
            yield _place(life, last), last, cell.before
        return
    entries = [*cell.earlier, last]
    if life.delete is not None and life.create is None:
        following = life.delete
        needed = []
    else:
        following = _place(life, last)
        needed = [(following, last)]
        entries.pop()
    for entry in reversed(entries):
        if barriers_before(following) > entry.barriers:
            following = _place(life, entry)
            needed.append((following, entry))
    needed.reverse()
    before = cell.before
    if needed and before is not NOT_SET and same(before, needed[0][1].value):
        # The value that was there before: writing it changes nothing.
        del needed[0]
    for place, entry in needed:
        yield place, entry, before
        before = entry.value


def _taken_back(cell: _Cell) -> bool:
    return cell.before is not NOT_SET and same(cell.before, cell.last.value)


def _place(life: _Life, entry: _Entry) -> int:
    """The earliest operation on the entity at which what the value refers to exists."""
    target = entry.target
    if target is None or target.create is None:
        return life.places[0]
    for place in life.places:
        if place > target.create:
            return place
    return entry.place


def _write(lives: list[_Life], chosen: dict[int, list[tuple[_Life, CellName, _Entry, Any]]]) -> tuple[Operation, ...]:
    written: dict[int, Operation] = {}
    creates = {life.create: life for life in lives if life.kept and life.create is not None}
    for life in lives:
        if life.kept and life.delete is not None:
            written[life.delete] = Delete(life.identity, life.delete_version or life.version)
    for place in creates.keys() | chosen.keys():
        entries = chosen.get(place, [])
        life = creates.get(place) or entries[0][0]
        written[place] = _operation(life, place, entries)
    return tuple(written[place] for place in sorted(written))


def _operation(life: _Life, place: int, entries: list[tuple[_Life, CellName, _Entry, Any]]) -> Operation:
    values: dict[str, Any] = {}
    before: dict[str, Any] = {}
    added: dict[str, tuple[Identity, ...]] = {}
    removed: dict[str, tuple[Identity, ...]] = {}
    adjusted: dict[str, Adjustment] = {}
    for _, name, entry, old in sorted(entries, key=_by_name):
        if isinstance(name, tuple):
            links = added if entry.value else removed
            links[name[0]] = (*links.get(name[0], ()), name[1])
        else:
            found = adjusted if isinstance(entry.value, Adjustment) else values
            found[name] = entry.value
            if old is not NOT_SET:
                before[name] = old
    if place == life.create:
        return Create(life.identity, values, added)
    return Update(life.identity, values, before, added, removed, life.version, adjusted)


def _by_name(chosen: tuple[_Life, CellName, _Entry, Any]) -> tuple[str, str]:
    name = chosen[1]
    return (name, "") if isinstance(name, str) else (name[0], str(name[1].key))
