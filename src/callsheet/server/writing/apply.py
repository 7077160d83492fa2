"""A commit, from operations to rows, in one transaction.

The rows that the operations name are locked and read first, in bulk. Operations then apply in order to a working set in
memory (``overlay.py``); deletes cascade (``cascade.py``). The resulting state is checked as a whole
(``constraints.py``), computed attributes are set (``computed.py``), and the rows are written with few statements
(``saving.py``). The commit's row in the log makes it exactly once (``receipts.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, select

from callsheet import collector
from callsheet.chunks import chunks
from callsheet.dialects.protocol import CommitResult, Touched
from callsheet.errors import Invalid, NotFound, ServerError, TooLarge
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.server.access.access import Access
from callsheet.server.log import commits, receipts
from callsheet.server.queues import deliveries
from callsheet.server.store.counter import next_position
from callsheet.server.store.described import check_schema_number
from callsheet.server.store.store import CHUNK, Store
from callsheet.server.tables.changing import TableChange, drop_loads
from callsheet.server.writing.adjusting import adjust
from callsheet.server.writing.cascade import Cascade, load_referrers
from callsheet.server.writing.computed import (
    apply_defaults,
    keep_renamed,
    settle_ancestors,
    settle_authors,
    settle_numbers,
    settle_stamps,
)
from callsheet.server.writing.conflicts import Conflicts
from callsheet.server.writing.constraints import check_references, check_required, check_unique
from callsheet.server.writing.custom_attributes import check_configurations, count_change
from callsheet.server.writing.decisions import check_decisions
from callsheet.server.writing.membership import Membership
from callsheet.server.writing.overlay import Overlay, Place, WorkingRow
from callsheet.server.writing.reach import reach
from callsheet.server.writing.saving import save_log, save_rows
from callsheet.server.writing.validation import checked
from callsheet.server.writing.warrant import Warrant

__all__ = ["OPERATIONS", "JudgedCommit", "apply", "check_commit_id", "hidden_from", "judge"]

OPERATIONS = 200_000
"""Operations in one commit, staged parts included."""


def apply(
    store: Store,
    connection: Connection,
    changes: ChangeSet,
    user: str,
    now: datetime,
    access: Access | None = None,
) -> CommitResult:
    """Apply a change set, or raise and change nothing. If the commit id was applied before, returns its first result.

    ``access`` limits what the user may read and write (None: no limit).

    Raises `Invalid`, `NotFound`, `Conflict` or `TooLarge`, with the index of the operation at fault (operations of
    staged parts count first).
    """
    check_commit_id(changes.commit_id)
    done = receipts.find(store, connection, user, changes)
    if done is None:
        # After the first read of the log, which waits for a change of the schema on PostgreSQL.
        check_schema_number(connection, store.schema_number)
        try:
            with collector.paused():
                return _Commit(store, connection, changes, user, now.astimezone(UTC), access).run()
        except ServerError:
            # With concurrent commits, a retry of this one may have been applied while this one waited for its locks.
            done = None if store.engine_name == "sqlite" else receipts.find(store, connection, user, changes)
            if done is None:
                raise
    if changes.parts:
        receipts.drop_parts(store, connection, user, changes.commit_id)
    drop_loads(store, connection, user, changes.steps)
    return done


@frozen(eq=False)
class JudgedCommit:
    """A change set that was applied to a working set: its operations, checked, and what its result would be.

    ``met`` is what was there, of the values that somebody else had changed (see `Conflicts`).
    """

    overlay: Overlay
    membership: Membership
    operations: Sequence[Operation]
    met: Mapping[tuple[int, str], Any]
    result: CommitResult


def judge(
    store: Store,
    connection: Connection,
    changes: ChangeSet,
    user: str,
    now: datetime,
    access: Access | None,
    position: int,
) -> JudgedCommit:
    """What `apply` would do, with the same checks and errors; no row is written. The result has this position."""
    check_commit_id(changes.commit_id)
    with collector.paused():
        return _Commit(store, connection, changes, user, now.astimezone(UTC), access).judge(position)


def check_commit_id(commit_id: str) -> None:
    if not isinstance(commit_id, str) or not 0 < len(commit_id) <= 255 or not commit_id.isprintable():
        raise Invalid(f"a commit id is a printable string of 1 to 255 characters, not {commit_id!r:.80}")


def hidden_from(store: Store, connection: Connection, access: Access, changes: ChangeSet, user: str) -> list[Identity]:
    """Entities that a change set names, that exist, and that its author may not read: for the audit log only."""
    found: list[Identity] = []
    try:
        operations = checked(store.schema, [*receipts.parts(store, connection, user, changes), *changes.operations])
    except ServerError:
        return []  # The operations are malformed: the commit was refused before it read a row.
    keys: dict[str, list[str]] = {}
    for root, key in reach(store.schema, operations).places:
        keys.setdefault(root, []).append(key)
    for root, named in keys.items():
        seen = access.among("read", connection, root, named)
        table = store.tables[root]
        for chunk in chunks((key for key in named if key not in seen), CHUNK):
            rows = connection.execute(select(table.c._type, table.c.id).where(table.c.id.in_(chunk)))
            found += [Identity(*row) for row in rows]
    return found


class _Commit:
    """One running commit. ``apply`` shows the order of the steps; each is its own function or module."""

    def __init__(
        self,
        store: Store,
        connection: Connection,
        changes: ChangeSet,
        user: str,
        now: datetime,
        access: Access | None = None,
    ) -> None:
        self.store, self.connection, self.changes, self.user, self.now = store, connection, changes, user, now
        self.overlay = Overlay(store, connection, None if access is None else access.user_key)
        self.access = access
        self.warrant: Warrant | None = None
        self.cascade = Cascade(self.overlay)
        self.membership = Membership(self.overlay)
        self.conflicts = Conflicts(
            changes.policy, changes.agree, lambda identity: self.overlay.place(identity) in self.overlay.hidden
        )
        self._explicit: set[Place] = set()
        self._judged: Sequence[Operation] = ()
        self._gone: tuple[Identity, ...] = ()
        self._changed: tuple[Touched, ...] = ()

    def run(self) -> CommitResult:
        """Apply it; an error reveals nothing of entities that are hidden from the author."""
        with self._masked():
            return self._apply_all()

    def judge(self, position: int) -> JudgedCommit:
        """Apply it to the working set only; an error reveals nothing of entities that are hidden from the author."""
        with self._masked():
            self._judge()
        return JudgedCommit(self.overlay, self.membership, self._judged, self.conflicts.met, self._result(position))

    @contextmanager
    def _masked(self) -> Iterator[None]:
        try:
            yield
            return
        except ServerError as error:
            if self.warrant is None or (masked := self.warrant.masked(error)) is error:
                raise
        raise masked from None

    def _judge(self) -> None:
        """Read, apply and check all operations in the working set."""
        operations = self._judged = self._operations()
        self._read(operations)
        for index, operation in enumerate(operations):
            self._apply(index, operation)
        self._settle(operations)
        self._gone = tuple(entry.identity for entry in self.cascade.deleted if entry.place not in self._explicit)
        self._changed = self._touched(operations)
        if self.warrant is not None:
            self._gone = self.warrant.visible(self._gone)
            seen = set(self.warrant.visible(each.identity for each in self._changed))
            self._changed = tuple(each for each in self._changed if each.identity in seen)

    def _apply_all(self) -> CommitResult:
        if self.changes.effect is not None:
            deliveries.take(self.store, self.connection, self.user, self.changes.effect, self.now)
        tables = self._tables()
        self._judge()
        keep_renamed(self.overlay)
        position = next_position(self.store, self.connection)
        save_rows(self.overlay, position)
        self.membership.save()
        count_change(self.overlay)
        if tables is not None:
            tables.apply(self.changes.steps, position)
        result = self._result(position)
        save_log(self.overlay, self.changes, self.user, receipts.digest(self.changes), result, self.now)
        if self.changes.parts:
            receipts.drop_parts(self.store, self.connection, self.user, self.changes.commit_id)
        drop_loads(self.store, self.connection, self.user, self.changes.steps)
        return result

    def _tables(self) -> TableChange | None:
        """The change of user tables that is part of the commit, with what it needs locked."""
        if not self.changes.steps:
            return None
        if self.access is None:
            raise Invalid("user tables are changed with the rights of an account")
        tables = TableChange(self.store, self.connection, self.user, self.access, self.now)
        tables.lock(self.changes.steps)
        return tables

    def _result(self, position: int) -> CommitResult:
        return CommitResult(
            self.changes.commit_id,
            position,
            self.now,
            tuple(self._version(operation) for operation in self._judged),
            tuple(self.conflicts.merged),
            self._gone,
            touched=self._changed,
        )

    def _operations(self) -> Sequence[Operation]:
        staged = receipts.parts(self.store, self.connection, self.user, self.changes)
        operations = [*staged, *self.changes.operations]
        if len(operations) > OPERATIONS:
            raise TooLarge(f"{len(operations):,} operations in one commit; the limit is {OPERATIONS:,}")
        return checked(self.overlay.schema, operations)

    def _read(self, operations: Sequence[Operation]) -> None:
        """Lock and read all entities that the operations name, and those that their deletes may affect."""
        found = reach(self.overlay.schema, operations)
        self.overlay.load(found.places, lock=True)
        if self.access is not None and not self.access.allows(operations):
            self.warrant = Warrant(self.access, self.overlay)
            self.warrant.inspect(operations, found.places)
        if found.deleted:
            entries = (self.overlay.at(place) for place in (*found.deleted, *found.moved))
            load_referrers(self.overlay, [entry for entry in entries if entry is not None])

    def _apply(self, index: int, operation: Operation) -> None:
        if isinstance(operation, Create):
            self._create(index, operation)
        elif isinstance(operation, Update):
            self._update(index, operation)
        else:
            self._delete(index, operation)

    def _create(self, index: int, operation: Create) -> None:
        identity = operation.identity
        if (found := self.overlay.get(identity)) is not None:
            hidden = found.place in self.overlay.hidden
            kind = identity.entity_type if hidden else found.identity.entity_type
            state = "exists already" if found.alive or hidden else "was deleted in this same commit"
            raise Invalid(
                f"operation {index}: {kind} {identity.key} {state}; use a new key",
                operation=index,
                entity=(identity.entity_type, identity.key),
                attribute="id",
            )
        entry = self.overlay.create(identity, index)
        self.overlay.write_all(entry, operation.values)
        apply_defaults(self.overlay, entry, self.now)
        for name, members in operation.added.items():
            self.membership.change(entry, name, members, True, index)

    def _update(self, index: int, operation: Update) -> None:
        entry = self._existing(index, operation.identity)
        kept = self.conflicts.update(index, operation, entry)
        adjust(self.overlay, index, operation, entry)
        if not kept and not operation.added and not operation.removed:
            return
        entry.touch(index)
        for name in kept:
            self.overlay.write(entry, name, operation.values[name])
        for name, members in operation.removed.items():
            self.membership.change(entry, name, members, False, index)
        for name, members in operation.added.items():
            self.membership.change(entry, name, members, True, index)

    def _delete(self, index: int, operation: Delete) -> None:
        found = self.overlay.visible(operation.identity)
        if found is not None and not found.alive and found.place not in self._explicit:
            return
        entry = self._existing(index, operation.identity)
        if self.conflicts.delete(index, operation, entry):
            self._explicit.add(entry.place)
            self.cascade.delete(entry, index)

    def _existing(self, index: int, identity: Identity) -> WorkingRow:
        entry = self.overlay.visible(identity)
        if entry is not None and entry.alive and self._is_a(entry, identity.entity_type):
            return entry
        raise NotFound(
            f"operation {index}: there is no {identity.entity_type} {identity.key}{self._why(entry, identity)}",
            operation=index,
            entity=(identity.entity_type, identity.key),
        )

    def _is_a(self, entry: WorkingRow, type_name: str) -> bool:
        return self.overlay.schema.is_a(entry.identity.entity_type, type_name)

    def _why(self, entry: WorkingRow | None, identity: Identity) -> str:
        if entry is not None:
            return f"; it is a {entry.identity.entity_type}" if entry.alive else "; this commit deletes it"
        tombstone = self.store.table("_tombstone")
        root, key = self.overlay.place(identity)
        if self.access is not None and not self.access.reads_all:
            return ""
        here = (tombstone.c.root == root) & (tombstone.c.key == key)
        position = self.connection.execute(select(tombstone.c.position).where(here)).scalar()
        return "" if position is None else f"; commit {position} deleted it"

    def _last_writer(self, identity: Identity) -> str:
        """The account whose commit changed an entity last, if the log has it."""
        root = self.store.schema.types[identity.entity_type].root
        position = commits.newest(self.store, self.connection, root, [identity.key]).get(identity.key)
        log = self.store.table("_log").c
        found = self.connection.execute(select(log.user_name).where(log.position == position)).scalar()
        return "somebody else" if found is None or found == self.user else str(found)

    def _settle(self, operations: Sequence[Operation]) -> None:
        """Check and complete the state after all operations have been applied."""
        self.conflicts.check(self._last_writer)
        self.membership.check()
        check_references(self.overlay)
        self.cascade.check_restrictions()
        settle_ancestors(self.overlay)
        if self.warrant is not None:
            self.warrant.check_projects(operations)
        settle_authors(self.overlay, self.user)
        if self.access is not None:
            check_decisions(self.overlay, operations, self.access, self.user)
        self.membership.settle()
        settle_numbers(self.overlay)
        settle_stamps(self.overlay, self.user, self.now)
        check_required(self.overlay)
        check_unique(self.overlay)
        check_configurations(self.overlay)

    def _touched(self, operations: Sequence[Operation]) -> tuple[Touched, ...]:
        """Entities that the commit changed without naming them, and named ones whose references it emptied."""
        named = {self.overlay.place(operation.identity) for operation in operations}
        found = []
        for entry in self.overlay.touched():
            lost = self.cascade.emptied.get(entry.place, ())
            emptied = tuple(name for name in lost if entry.get(name) is None)
            if emptied or entry.place not in named:
                found.append(Touched(entry.identity, entry.version + 1, emptied))
        return tuple(found)

    def _version(self, operation: Operation) -> int | None:
        entry = self.overlay.get(operation.identity)
        if entry is None or not entry.alive:
            return None
        return entry.version + 1 if entry.touched else entry.version
