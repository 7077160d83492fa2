"""Members that are added to and removed from many-to-many collections in a commit.

Both sides of a relation share one table, so the last operation on a pair counts, from either side. An operation
without effect (the member is there already) does not appear in the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import define, field
from sqlalchemy import Table, delete, insert, select, tuple_

from callsheet.chunks import chunks
from callsheet.errors import Invalid
from callsheet.model.record import Identity
from callsheet.server.store.store import CHUNK, Link
from callsheet.server.writing.overlay import Overlay, WorkingRow

__all__ = ["Membership"]

Pair = tuple[str, str]
PAIRS = 500


@define
class _Wanted:
    """Whether a pair must be present after the commit, and the operation that requires it."""

    entry: WorkingRow
    name: str
    member: Identity
    present: bool
    operation: int


@define
class Membership:
    """The link rows of one commit: collected while operations apply, compared with the database by `settle`."""

    overlay: Overlay
    _wanted: dict[str, dict[Pair, _Wanted]] = field(factory=dict)
    _inserted: dict[str, list[Pair]] = field(factory=dict)
    _deleted: dict[str, list[Pair]] = field(factory=dict)
    _near: dict[tuple[str, str], list[str]] = field(factory=dict)
    _links: dict[str, Link] = field(factory=dict)

    def change(self, entry: WorkingRow, name: str, members: Iterable[Identity], present: bool, operation: int) -> None:
        """Add members to a collection of an entity, or remove them."""
        link = self.overlay.store.link(entry.identity.entity_type, name)
        self._links[link.table.name] = link
        wanted = self._wanted.setdefault(link.table.name, {})
        for member in members:
            if not present and self.overlay.place(member) in self.overlay.hidden:
                continue
            near, far = entry.identity.key, member.key
            pair = (near, far) if link.near.name == "owner" else (far, near)
            wanted[pair] = _Wanted(entry, name, member, present, operation)

    def check(self) -> None:
        """Raise `Invalid` if an added member does not exist, or has a type that the collection does not accept."""
        for pairs in self._wanted.values():
            for wanted in pairs.values():
                if wanted.present and wanted.entry.alive:
                    self._check_member(wanted)

    def _check_member(self, wanted: _Wanted) -> None:
        found = self.overlay.visible(wanted.member)
        kind = wanted.entry.identity.entity_type
        target = str(wanted.entry.rules.entity_type.attributes[wanted.name].target)
        if found is None:
            problem = f"there is no {wanted.member.entity_type} {wanted.member.key}"
        elif not self.overlay.schema.is_a(found.identity.entity_type, target):
            problem = f"{kind}.{wanted.name} takes a {target}, not a {found.identity.entity_type}"
        else:
            return
        raise Invalid(
            f"operation {wanted.operation}: {problem} to add to {kind}.{wanted.name}",
            operation=wanted.operation,
            entity=(kind, wanted.entry.identity.key),
            attribute=wanted.name,
        )

    def settle(self) -> None:
        """Compare with the stored rows, and record the real changes in the entries."""
        for table_name, pairs in self._wanted.items():
            present = self._present(self._links[table_name].table, list(pairs))
            for pair, wanted in pairs.items():
                member = self.overlay.get(wanted.member)
                if not wanted.entry.alive or (wanted.present and (member is None or not member.alive)):
                    continue
                if wanted.present and pair not in present:
                    self._inserted.setdefault(table_name, []).append(pair)
                    wanted.entry.added.setdefault(wanted.name, []).append(wanted.member)
                elif not wanted.present and pair in present:
                    self._deleted.setdefault(table_name, []).append(pair)
                    wanted.entry.removed.setdefault(wanted.name, []).append(wanted.member)
        self._settle_deletes()

    def _present(self, table: Table, pairs: list[Pair]) -> set[Pair]:
        found: set[Pair] = set()
        for chunk in chunks(pairs, PAIRS):
            statement = select(table.c.owner, table.c.member).where(tuple_(table.c.owner, table.c.member).in_(chunk))
            found.update((owner, member) for owner, member in self.overlay.connection.execute(statement))
        return found

    def _settle_deletes(self) -> None:
        """Deleted entities are removed from every collection, their own and those of others."""
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
        """The link rows of deleted entities, marked for deletion: pairs of the entity and the key at the other end."""
        link = self.overlay.store.link(*side)
        here, there = (link.near, link.far) if near else (link.far, link.near)
        found: list[tuple[WorkingRow, str]] = []
        for chunk in chunks(entries, CHUNK):
            statement = select(here, there).where(here.in_(chunk))
            found += [(entries[row[0]], row[1]) for row in self.overlay.connection.execute(statement)]
        if found:
            keys = {entry.identity.key: None for entry, _ in found}
            self._links[link.table.name] = link
            self._near.setdefault((link.table.name, here.name), []).extend(keys)
        return found

    def pairs(self) -> dict[str, dict[Pair, bool]]:
        """The pairs that change, by link table: whether each is there after the commit."""
        found: dict[str, dict[Pair, bool]] = {}
        for name, pairs in self._deleted.items():
            found.setdefault(name, {}).update(dict.fromkeys(pairs, False))
        for (name, column), keys in self._near.items():
            table = self._links[name].table
            for few in chunks(keys, CHUNK):
                rows = self.overlay.connection.execute(
                    select(table.c.owner, table.c.member).where(table.c[column].in_(few))
                )
                found.setdefault(name, {}).update(((owner, member), False) for owner, member in rows)
        for name, pairs in self._inserted.items():
            found.setdefault(name, {}).update(dict.fromkeys(pairs, True))
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
