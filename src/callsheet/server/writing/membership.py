"""Members that join and leave many-to-many collections in a commit.

Both sides of a relation share one table, so what was said last of a pair counts, from whichever side. What
changes nothing (a member that is there already) is left out of the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import define, field
from sqlalchemy import Table, delete, insert, select, tuple_

from callsheet.chunks import chunks
from callsheet.errors import Invalid
from callsheet.model.record import Identity
from callsheet.server.store.store import CHUNK
from callsheet.server.writing.overlay import Overlay, WorkingRow

__all__ = ["Membership"]

Pair = tuple[str, str]
PAIRS = 500


@define
class _Wish:
    """That a pair shall be there, or not; and who said so."""

    entry: WorkingRow
    name: str
    member: Identity
    present: bool
    operation: int


@define
class Membership:
    """The link rows of one commit: wishes while operations apply, rows when they are `settled`."""

    overlay: Overlay
    _wishes: dict[str, dict[Pair, _Wish]] = field(factory=dict)
    _inserted: dict[str, list[Pair]] = field(factory=dict)
    _deleted: dict[str, list[Pair]] = field(factory=dict)
    _near: dict[tuple[str, str], list[str]] = field(factory=dict)

    def change(self, entry: WorkingRow, name: str, members: Iterable[Identity], present: bool, operation: int) -> None:
        """Members join (or leave) a collection of an entity."""
        link = self.overlay.store.link(entry.identity.entity_type, name)
        wishes = self._wishes.setdefault(link.table.name, {})
        for member in members:
            if not present and self.overlay.place(member) in self.overlay.hidden:
                continue
            near, far = entry.identity.key, member.key
            pair = (near, far) if link.near.name == "owner" else (far, near)
            wishes[pair] = _Wish(entry, name, member, present, operation)

    def check(self) -> None:
        """Raise `Invalid` where a member that joins does not exist, or is of another type."""
        for wishes in self._wishes.values():
            for wish in wishes.values():
                if wish.present and wish.entry.alive:
                    self._check_member(wish)

    def _check_member(self, wish: _Wish) -> None:
        found = self.overlay.told(wish.member)
        kind = wish.entry.identity.entity_type
        target = str(wish.entry.rules.entity_type.attributes[wish.name].target)
        if found is None:
            problem = f"there is no {wish.member.entity_type} {wish.member.key}"
        elif not self.overlay.schema.is_a(found.identity.entity_type, target):
            problem = f"{kind}.{wish.name} takes a {target}, not a {found.identity.entity_type}"
        else:
            return
        raise Invalid(
            f"operation {wish.operation}: {problem} to add to {kind}.{wish.name}",
            operation=wish.operation,
            entity=(kind, wish.entry.identity.key),
            attribute=wish.name,
        )

    def settle(self) -> None:
        """Compare with the rows that are there, and note in the entries what really changes."""
        for table_name, wishes in self._wishes.items():
            table = self.overlay.store.layout.metadata.tables[table_name]
            present = self._present(table, list(wishes))
            for pair, wish in wishes.items():
                member = self.overlay.get(wish.member)
                if not wish.entry.alive or (wish.present and (member is None or not member.alive)):
                    continue
                if wish.present and pair not in present:
                    self._inserted.setdefault(table_name, []).append(pair)
                    wish.entry.added.setdefault(wish.name, []).append(wish.member)
                elif not wish.present and pair in present:
                    self._deleted.setdefault(table_name, []).append(pair)
                    wish.entry.removed.setdefault(wish.name, []).append(wish.member)
        self._settle_deletes()

    def _present(self, table: Table, pairs: list[Pair]) -> set[Pair]:
        found: set[Pair] = set()
        for chunk in chunks(pairs, PAIRS):
            statement = select(table.c.owner, table.c.member).where(tuple_(table.c.owner, table.c.member).in_(chunk))
            found.update((owner, member) for owner, member in self.overlay.connection.execute(statement))
        return found

    def _settle_deletes(self) -> None:
        """What is deleted leaves every collection, its own and those of others."""
        for side, entries in self._by_collection(own=True).items():
            for entry, key in self._linked(side, entries, near=True):
                target = str(entry.rules.entity_type.attributes[side[1]].target)
                entry.removed.setdefault(side[1], []).append(Identity(target, key))
        for side, entries in self._by_collection(own=False).items():
            root = self.overlay.schema.types[side[0]].root
            found = self._linked(side, entries, near=False)
            self.overlay.load([(root, key) for _, key in found], lock=True)
            for entry, key in found:
                holder = self.overlay.at((root, key))
                if holder is not None and holder.alive:
                    holder.touch(entry.operation)
                    holder.removed.setdefault(side[1], []).append(entry.identity)

    def _by_collection(self, own: bool) -> dict[tuple[str, str], dict[str, WorkingRow]]:
        found: dict[tuple[str, str], dict[str, WorkingRow]] = {}
        for entry in self.overlay.dead():
            kind = entry.identity.entity_type
            sides = (
                [(kind, name) for name in entry.rules.collections]
                if own
                else [(holder.entity_type, holder.name) for holder in entry.rules.holders]
            )
            for side in sides:
                found.setdefault(side, {})[entry.identity.key] = entry
        return found

    def _linked(
        self, side: tuple[str, str], entries: dict[str, WorkingRow], near: bool
    ) -> list[tuple[WorkingRow, str]]:
        """The rows of dead entities, which are noted for deletion: the entity, and the key at the other end."""
        link = self.overlay.store.link(*side)
        here, there = (link.near, link.far) if near else (link.far, link.near)
        found: list[tuple[WorkingRow, str]] = []
        for chunk in chunks(entries, CHUNK):
            statement = select(here, there).where(here.in_(chunk))
            found += [(entries[row[0]], row[1]) for row in self.overlay.connection.execute(statement)]
        if found:
            keys = {entry.identity.key: None for entry, _ in found}
            self._near.setdefault((link.table.name, here.name), []).extend(keys)
        return found

    def save(self) -> None:
        """Write the rows."""
        tables = self.overlay.store.layout.metadata.tables
        connection = self.overlay.connection
        for name, pairs in self._deleted.items():
            columns = tables[name].c
            for chunk in chunks(pairs, PAIRS):
                connection.execute(delete(tables[name]).where(tuple_(columns.owner, columns.member).in_(chunk)))
        for (name, column), keys in self._near.items():
            for few in chunks(keys, CHUNK):
                connection.execute(delete(tables[name]).where(tables[name].c[column].in_(few)))
        for name, pairs in self._inserted.items():
            rows: list[dict[str, Any]] = [{"owner": owner, "member": member} for owner, member in pairs]
            connection.execute(insert(tables[name]), rows)
