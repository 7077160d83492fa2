"""The working set of a commit: the rows it touches, in memory, with the values it has written so far.

Rows are loaded in bulk, before they are needed; operations then change only the working set. An entry returns an
attribute's *current* value (`WorkingRow.get`) or its stored value (`WorkingRow.original`). The value of a reference is
an `Identity` with the type that the client sent or the database holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain
from typing import Any

from attrs import define, field
from sqlalchemy import Column, Connection, Select, select, update

from callsheet.chunks import chunks
from callsheet.model.adjustment import Adjustment
from callsheet.model.record import Identity, equal
from callsheet.model.schema import Attribute, Schema
from callsheet.server.store.rules import TypeRules, rules_of
from callsheet.server.store.store import CHUNK, Store

__all__ = ["WorkingRow", "Overlay", "Place"]

Place = tuple[str, str]
"""Where an entity is: its root type and its key."""


@define(eq=False)
class WorkingRow:
    """One entity in the working set.

    ``row`` is its row (None: not in the database), ``values`` what this commit writes, ``operation`` the
    index of the last operation that touched it, ``previous`` the commit that touched it before this one.
    """

    identity: Identity
    rules: TypeRules
    columns: Mapping[str, int]
    schema: Schema
    row: Sequence[Any] | None = None
    values: dict[str, Any] = field(factory=dict)
    added: dict[str, list[Identity]] = field(factory=dict)
    removed: dict[str, list[Identity]] = field(factory=dict)
    adjusted: dict[str, Adjustment] = field(factory=dict)
    alive: bool = True
    touched: bool = False
    operation: int = 0
    previous: int | None = None
    place: Place = field(init=False)
    _items: dict[str, Mapping[str, Any]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.place = (self.rules.root, self.identity[1])

    @property
    def version(self) -> int:
        """The version in the database; 0 for a new entity."""
        return 0 if self.row is None else int(self.row[self.columns["_version"]])

    @property
    def created(self) -> bool:
        return self.row is None

    def get(self, name: str) -> Any:
        """The current value: written by this commit, else stored."""
        if name in self.values:
            return self.values[name]
        return self.original(name)

    def original(self, name: str) -> Any:
        """The stored value."""
        if self.row is None:
            return None
        entity_type = self.rules.entity_type
        attribute = entity_type.attributes.get(name)
        if attribute is None:
            mapping, _, item = name.partition(".")
            return self.items(mapping).get(item)
        value = self.row[self.columns[name]]
        if attribute.kind == "reference" and value is not None:
            place = self.columns.get(f"{name}__type")
            return Identity(str(attribute.target) if place is None else self.row[place], value)
        return value

    def items(self, mapping: str) -> Mapping[str, Any]:
        """The stored items of a mapping, decoded once."""
        found = self._items.get(mapping)
        if found is None:
            found = self._items[mapping] = self._read_items(mapping)
        return found

    def _read_items(self, mapping: str) -> Mapping[str, Any]:
        held: Mapping[str, Any] = (None if self.row is None else self.row[self.columns[mapping]]) or {}
        if self.rules.entity_type.attributes[mapping].data_type != "custom":
            return held
        custom = self.rules.entity_type.custom
        return {key: _item(custom.get(key), value) for key, value in held.items()}

    def changed(self) -> list[str]:
        """The names whose current value differs from the stored one."""
        if self.row is None:
            return [name for name, value in self.values.items() if value is not None]
        return [name for name, value in self.values.items() if not equal(value, self.original(name))]

    def touch(self, operation: int) -> None:
        self.touched, self.operation = True, operation


def _item(attribute: Attribute | None, held: Any) -> Any:
    """An item of a mapping, where dates are stored as ISO text; text that is not a date is returned unchanged."""
    if attribute is not None and isinstance(held, str) and attribute.data_type in _READERS:
        try:
            return _READERS[attribute.data_type](held)
        except ValueError:
            return held
    return held


_READERS: dict[str, Callable[[str], date]] = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}


class Overlay:
    """The entries of one commit by place. ``get`` looks only in memory; ``load`` reads missing rows."""

    def __init__(self, store: Store, connection: Connection, user_key: str | None = None) -> None:
        self.store, self.connection, self.schema = store, connection, store.schema
        self.user_key = user_key
        """The key of the user whom the commit's author stands for, where the name does not say it."""
        self.rules = rules_of(store.schema)
        self.entries: dict[Place, WorkingRow] = {}
        self.hidden: set[Place] = set()
        """Places of entities that do not exist for the commit's author (see ``warrant.py``)."""
        self.may_reveal: Callable[[Place], bool] = lambda place: True
        """Whether an error may name the entity at a place to the commit's author."""
        self._absent: set[Place] = set()
        self._incoming: dict[Place, dict[tuple[Place, str], None]] = {}
        self._follows = False
        """Whether written references are indexed in ``_incoming``: only deletes need them."""
        self._roots = self.rules.roots
        self._columns = store.layout.positions

    def place(self, identity: Identity) -> Place:
        return (self._roots[identity[0]], identity[1])

    def get(self, identity: Identity) -> WorkingRow | None:
        """The entry, dead or alive; None when there is no such entity."""
        return self.entries.get(self.place(identity))

    def visible(self, identity: Identity) -> WorkingRow | None:
        """The entry, dead or alive; None if there is no such entity, or if it is hidden from the commit's author."""
        place = self.place(identity)
        return None if place in self.hidden else self.entries.get(place)

    def at(self, place: Place) -> WorkingRow | None:
        return self.entries.get(place)

    def touched(self) -> list[WorkingRow]:
        """The entries that this commit creates or changes, and does not delete."""
        return [entry for entry in self.entries.values() if entry.alive and entry.touched]

    def dead(self) -> list[WorkingRow]:
        """The stored entries that this commit deletes."""
        return [entry for entry in self.entries.values() if not entry.alive and entry.row is not None]

    def load(self, places: Iterable[Place], lock: bool = False) -> None:
        """Read the rows of these places that are not loaded yet.

        With ``lock``, rows are locked when they are read, always in the same order, so that commits cannot deadlock.
        """
        wanted: dict[str, dict[str, None]] = {}
        for root, key in places:
            if (root, key) not in self.entries and (root, key) not in self._absent:
                wanted.setdefault(root, {})[key] = None
        for root in sorted(wanted):
            keys = wanted[root]
            self.load_where(root, "id", keys, lock)
            self._absent.update((root, key) for key in keys if (root, key) not in self.entries)

    def load_where(self, root: str, column: str, keys: Iterable[str], lock: bool = False) -> list[WorkingRow]:
        """Read the rows in which a column has one of the keys; returns their entries, loaded ones included.

        If the database runs commits concurrently, rows that this commit will write must be locked.
        """
        lock = lock and self.store.locks
        rows: Iterator[Sequence[Any]] = chain.from_iterable(
            self._rows(root, column, chunk, lock) for chunk in chunks(sorted(keys) if lock else keys, CHUNK)
        )
        return [self._entry(root, row) for row in rows]

    def _rows(self, root: str, column: str, keys: Sequence[str], lock: bool) -> Sequence[Sequence[Any]]:
        table = self.store.tables[root]
        where: Column[Any] = table.c[column]

        def build() -> Select[Any]:
            return select(table).order_by(table.c.id).with_for_update() if lock else select(table)

        return self.store.prepared.by_keys(("rows", root, column, lock), self.connection, build, where, keys)

    def _entry(self, root: str, row: Sequence[Any]) -> WorkingRow:
        columns = self._columns[root]
        key = row[columns["id"]]
        entry = self.entries.get((root, key))
        if entry is None:
            rules = self.rules.of(self.schema, row[columns["_type"]])
            identity = Identity(rules.entity_type.name, key)
            entry = WorkingRow(identity, rules, columns, self.schema, row, previous=row[columns["_commit"]] or None)
            self.entries[root, key] = entry
        return entry

    def take_lock(self, name: str) -> None:
        """Wait until no other commit holds the lock of this name; SQLite has one writer and needs none."""
        if self.store.locks:
            counter = self.store.table("_counter")
            self.connection.execute(update(counter).where(counter.c.name == name).values(value=counter.c.value))

    def create(self, identity: Identity, operation: int) -> WorkingRow:
        rules = self.rules.of(self.schema, identity.entity_type)
        entry = WorkingRow(identity, rules, self._columns[rules.root], self.schema, touched=True, operation=operation)
        self.entries[entry.place] = entry
        # No entity existed at this place, else the create would have been refused.
        self.hidden.discard(entry.place)
        return entry

    def write(self, entry: WorkingRow, name: str, value: Any) -> None:
        """Set an attribute's value, and index the reference."""
        entry.values[name] = value
        entry.adjusted.pop(name, None)
        if self._follows and isinstance(value, Identity):
            self.refer(entry, name, self.place(value))

    def write_all(self, entry: WorkingRow, values: Mapping[str, Any]) -> None:
        """Set the values of several attributes."""
        if self._follows:
            for name, value in values.items():
                self.write(entry, name, value)
        else:
            entry.values.update(values)

    def refer(self, entry: WorkingRow, name: str, target: Place) -> None:
        """Index a reference from an entry to a place."""
        self._incoming.setdefault(target, {})[entry.place, name] = None

    def incoming(self, entry: WorkingRow) -> list[tuple[WorkingRow, str]]:
        """The loaded, living entries that refer to this one, each with the attribute's name."""
        if not self._follows:
            self._follow()
        found = []
        for place, name in self._incoming.get(entry.place, ()):
            other = self.entries[place]
            value = other.get(name) if other.alive else None
            if value is not None and self.place(value) == entry.place:
                found.append((other, name))
        return found

    def _follow(self) -> None:
        """Index all references written so far, and from now on each when it is written."""
        self._follows = True
        for entry in self.entries.values():
            for name, value in entry.values.items():
                if isinstance(value, Identity):
                    self.refer(entry, name, self.place(value))
