"""The working set of a commit: the rows it touches, in memory, with what has been written over them so far.

Rows are loaded in bulk, before they are needed; operations then change entries here and nothing else. An
entry gives an attribute's value as it is *now* (`WorkingRow.get`) or as the database holds it (`WorkingRow.original`);
a reference's value is an `Identity` with the type the client told or the database holds.
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
        """The version in the database; 0 for what is not there yet."""
        return 0 if self.row is None else int(self.row[self.columns["_version"]])

    @property
    def created(self) -> bool:
        return self.row is None

    def get(self, name: str) -> Any:
        """The value as it is now."""
        if name in self.values:
            return self.values[name]
        return self.original(name)

    def original(self, name: str) -> Any:
        """The value the database holds."""
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
        """What a mapping holds in the database; read once, however many of its items are asked for."""
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
        """The names whose value now differs from the database's."""
        if self.row is None:
            return [name for name, value in self.values.items() if value is not None]
        return [name for name, value in self.values.items() if not equal(value, self.original(name))]

    def touch(self, operation: int) -> None:
        self.touched, self.operation = True, operation


def _item(attribute: Attribute | None, held: Any) -> Any:
    """An item of a mapping, where dates are kept as ISO text; what is no date any more is told as it is."""
    if attribute is not None and isinstance(held, str) and attribute.data_type in _READERS:
        try:
            return _READERS[attribute.data_type](held)
        except ValueError:
            return held
    return held


_READERS: dict[str, Callable[[str], date]] = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}


class Overlay:
    """The entries of one commit by place. ``get`` answers from memory only; ``load`` reads what is missing."""

    def __init__(self, store: Store, connection: Connection, user_key: str | None = None) -> None:
        self.store, self.connection, self.schema = store, connection, store.schema
        self.user_key = user_key
        """The key of the user whom the commit's author stands for, where the name does not say it."""
        self.rules = rules_of(store.schema)
        self.entries: dict[Place, WorkingRow] = {}
        self.hidden: set[Place] = set()
        """What is there, but as if it were not for the commit's author (see ``warrant.py``)."""
        self.tells: Callable[[Place], bool] = lambda place: True
        """Whether an error may tell the author of what is at a place."""
        self._absent: set[Place] = set()
        self._incoming: dict[Place, dict[tuple[Place, str], None]] = {}
        self._follows = False
        """Whether the references that were written are among the incoming: only deletes ask for them."""
        self._roots = self.rules.roots
        self._columns = store.layout.positions

    def place(self, identity: Identity) -> Place:
        return (self._roots[identity[0]], identity[1])

    def get(self, identity: Identity) -> WorkingRow | None:
        """The entry, dead or alive; None when there is no such entity."""
        return self.entries.get(self.place(identity))

    def told(self, identity: Identity) -> WorkingRow | None:
        """The entity that the author of the commit names; None also where it is hidden."""
        place = self.place(identity)
        return None if place in self.hidden else self.entries.get(place)

    def at(self, place: Place) -> WorkingRow | None:
        return self.entries.get(place)

    def touched(self) -> list[WorkingRow]:
        """What this commit creates or changes, and does not delete."""
        return [entry for entry in self.entries.values() if entry.alive and entry.touched]

    def dead(self) -> list[WorkingRow]:
        """What this commit deletes from the database."""
        return [entry for entry in self.entries.values() if not entry.alive and entry.row is not None]

    def load(self, places: Iterable[Place], lock: bool = False) -> None:
        """Read the rows of these places, as far as they are not known.

        Locked ones are locked as they are read, always in the same order, so that writers cannot deadlock.
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
        """Read the rows where a column holds one of the keys; their entries, known ones included.

        What this commit will write to must be locked, where the database lets commits run side by side.
        """
        lock = lock and self.store.engine_name != "sqlite"
        rows: Iterator[Sequence[Any]] = chain.from_iterable(
            self._rows(root, column, chunk, lock) for chunk in chunks(sorted(keys) if lock else keys, CHUNK)
        )
        return [self._know(root, row) for row in rows]

    def _rows(self, root: str, column: str, keys: Sequence[str], lock: bool) -> Sequence[Sequence[Any]]:
        table = self.store.tables[root]
        where: Column[Any] = table.c[column]

        def build() -> Select[Any]:
            return select(table).order_by(table.c.id).with_for_update() if lock else select(table)

        return self.store.prepared.by_keys(("rows", root, column, lock), self.connection, build, where, keys)

    def _know(self, root: str, row: Sequence[Any]) -> WorkingRow:
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
        if self.store.engine_name != "sqlite":
            counter = self.store.table("_counter")
            self.connection.execute(update(counter).where(counter.c.name == name).values(value=counter.c.value))

    def create(self, identity: Identity, operation: int) -> WorkingRow:
        rules = self.rules.of(self.schema, identity.entity_type)
        entry = WorkingRow(identity, rules, self._columns[rules.root], self.schema, touched=True, operation=operation)
        self.entries[entry.place] = entry
        # There was nothing there, or it could not have been created.
        self.hidden.discard(entry.place)
        return entry

    def write(self, entry: WorkingRow, name: str, value: Any) -> None:
        """Give an attribute its new value, and remember whom it now refers to."""
        entry.values[name] = value
        entry.adjusted.pop(name, None)
        if self._follows and isinstance(value, Identity):
            self.refer(entry, name, self.place(value))

    def write_all(self, entry: WorkingRow, values: Mapping[str, Any]) -> None:
        """Give several attributes their new values."""
        if self._follows:
            for name, value in values.items():
                self.write(entry, name, value)
        else:
            entry.values.update(values)

    def refer(self, entry: WorkingRow, name: str, target: Place) -> None:
        """Remember that a row of the database refers to a place."""
        self._incoming.setdefault(target, {})[entry.place, name] = None

    def incoming(self, entry: WorkingRow) -> list[tuple[WorkingRow, str]]:
        """The living entities that now refer to this one, and by which attribute; of the loaded ones."""
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
        """From now on what is written is among the incoming; what was written until now is put there."""
        self._follows = True
        for entry in self.entries.values():
            for name, value in entry.values.items():
                if isinstance(value, Identity):
                    self.refer(entry, name, self.place(value))
