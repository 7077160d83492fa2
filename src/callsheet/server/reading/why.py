"""Why a cell changed: the commits between two positions that changed it, with its value before and after each.

A state goes back from the present, commit by commit (``rewinding.py``). Where a measure adds up, a commit's effect is
what its touched facts (``reaching.py``) are worth after it, minus what they were worth before it. So the rows that
commits touched, and what these refer to, are enough (``cell_rows.py``), however large the store is. Any other measure
is computed anew of the cell's facts on both sides of a commit. An account that may not read everything gets what it
would see at each position by its present rights; what commits changed that it may not read is one sum without a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, frozen
from sqlalchemy import Connection

from callsheet.errors import Invalid, TooLarge
from callsheet.model.cause import Cause, CellQuestion, NumberChange, minus, ranked
from callsheet.model.history import Commit
from callsheet.model.query import Condition
from callsheet.model.record import Identity
from callsheet.server.access.access import Access
from callsheet.server.deadline import check_deadline
from callsheet.server.log import commits as log
from callsheet.server.log.visible import Visible
from callsheet.server.reading.cell import Keys, ReadCell, changed_keys
from callsheet.server.reading.cell_rows import rows_of_cell
from callsheet.server.reading.rewinding import Rewinding
from callsheet.server.reading.snapshot import ROWS, later_commits
from callsheet.server.store.store import Store

__all__ = ["explain_cell"]

COMMITS = 10_000
"""The most commits that are looked through."""
TOUCHED = 2_000
"""For more changed entities in one commit, the cell is computed anew."""
ENTITIES = 100
"""The most entities that are named of one commit."""


def explain_cell(
    store: Store, connection: Connection, access: Access, question: CellQuestion, until: int, most: int = ROWS
) -> NumberChange:
    """The commits after ``question.since``, up to ``until`` or its own, that changed a cell of a checked aggregate.

    Raises `Invalid` for positions that the log does not have, and `TooLarge` for more than ``most`` rows or changes.
    """
    last = min(log.last_position(store, connection), until)
    until = last if question.until is None else min(question.until, last)
    if not 0 <= question.since <= until:
        raise Invalid(f"`since` is a position from 0 to {until:,}, not {question.since!r:.80}")
    log.check_begun(store, connection, question.since)
    cell = ReadCell.of(store.schema, question)
    if kept := cell.reach.roots & store.user_tables.keys():
        raise Invalid(f"rows of the table `{min(kept)}` have no past, so nothing is known of what changed them")
    commits = _commits(store, connection, question.since)
    now = cell.value(store, connection, access)
    wanted = rows_of_cell(store, connection, cell, commits, most) if access.reads_all and cell.is_partial else None
    with Rewinding.begun(store, connection, wanted, most) as state:
        rights = access if access.reads_all else Access(access.permissions, state.store, access.hidden)
        steps = list(_Replay(cell, state, rights, now).steps(commits))
    meant = [step for step in steps if step.commit.position <= until]
    before = steps[-1].before if steps else now
    after = meant[0].after if meant else before
    visible = Visible(store, connection, access)
    return NumberChange(question.since, until, before, after, cell.adds_up, _causes(visible, meant))


def _commits(store: Store, connection: Connection, since: int) -> list[Commit]:
    """The commits after a position, newest first."""
    found: list[Commit] = []
    for commit in later_commits(store, connection, since):
        check_deadline()
        found.append(commit)
        if len(found) > COMMITS:
            raise TooLarge(f"there are more than {COMMITS:,} commits since position {since}: ask since a later one")
    return found


@frozen
class _ReplayedCommit:
    """One commit, the cell's value before and after it, and the entities by which it changed the cell."""

    commit: Commit
    before: Any
    after: Any
    movers: frozenset[tuple[str, str]]


@define(eq=False)
class _Replay:
    """Goes back commit by commit. ``value`` is the cell's value in the present state of the replay."""

    cell: ReadCell
    state: Rewinding
    access: Access
    value: Any

    def steps(self, commits: list[Commit]) -> Iterator[_ReplayedCommit]:
        for commit in commits:
            check_deadline()
            keys = changed_keys(self.state.store.schema, commit)
            if self.access.reads_all and self.cell.reach.roots.isdisjoint(keys):
                self.state.revert(commit)
                yield _ReplayedCommit(commit, self.value, self.value, frozenset())
                continue
            after = self.value
            movers = self._movers(keys)
            self.value = self._before(commit, self.cell.touched(keys) if self._is_summed(keys) else None)
            movers |= self._movers(keys)
            yield _ReplayedCommit(commit, self.value, after, frozenset(movers))

    def _is_summed(self, keys: Keys) -> bool:
        return self.cell.is_summed and self.access.reads_all and sum(map(len, keys.values())) <= TOUCHED

    def _before(self, commit: Commit, among: Condition | None) -> Any:
        """The value before a commit: what the facts that fulfil a condition (None: all) are worth is exchanged."""
        new = self._worth(among) if self.cell.adds_up else None
        self.state.revert(commit)
        old = self._worth(among)
        return minus(self.value, minus(new, old)) if self.cell.adds_up else old

    def _worth(self, among: Condition | None) -> Any:
        with self.state.store.reading() as connection:
            return self.cell.value(self.state.store, connection, self.access, among)

    def _movers(self, keys: Keys) -> set[tuple[str, str]]:
        with self.state.store.reading() as connection:
            return self.cell.movers(self.state.store, connection, self.access, keys)


def _causes(visible: Visible, steps: list[_ReplayedCommit]) -> tuple[Cause, ...]:
    """The causes that an account may read, and one for all others together."""
    found: list[Cause] = []
    hidden: list[Any] = []
    for step in steps:
        if step.before == step.after:
            continue
        shown = visible.commit(step.commit)
        if shown is None:
            hidden.append(minus(step.after, step.before))
            continue
        movers = [change.identity for change in shown.changes if _place(visible.store, change.identity) in step.movers]
        commit = step.commit
        facts = (commit.position, commit.commit_id, commit.user, commit.time, commit.origin)
        found.append(Cause(*facts, tuple(movers[:ENTITIES]), len(movers), step.before, step.after))
    if hidden:
        numbers = [effect for effect in hidden if effect is not None]
        found.append(Cause(None, "", "", None, "", (), 0, 0, sum(numbers)) if numbers else _UNKNOWN)
    return ranked(found)


_UNKNOWN = Cause(None, "", "", None, "", (), 0, None, None)


def _place(store: Store, identity: Identity) -> tuple[str, str]:
    return store.schema.types[identity.entity_type].root, identity.key
