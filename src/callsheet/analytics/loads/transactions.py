"""A transaction over user tables and entities: what is done in its block is sent as one commit when it ends well.

What is written to tables are steps; what is done to cubes, measures and other entities is recorded. A block without
entities is one change of tables, and leaves alone what was pending before. Otherwise its end is a commit of all that is
pending, with the steps, in one transaction of the server. If the block or the commit fails, neither the steps nor what
the block recorded remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from callsheet.analytics.loads import sending
from callsheet.core.commit import commit_with
from callsheet.entity.saved_state import SavedState
from callsheet.errors import StateError
from callsheet.flow import Flow
from callsheet.model.table_steps import CreateTable, Step

__all__ = ["AsyncTableTransaction", "TableTransaction", "start_transaction"]


class TransactionSteps:
    """The steps of a transaction so far, and the reports of its loads."""

    def __init__(self, session: Any, nested: bool) -> None:
        self._session, self._nested = session, nested
        self._steps: list[Step] = []
        self._reports: list[Any] = []
        self._begun = 0
        self._saved: SavedState | None = None
        self._recorded = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._steps)} steps>"

    def add(self, *steps: Step) -> None:
        """Let steps be part of the change."""
        self._steps += steps

    def reported(self, report: Any) -> None:
        """Let a report get the position of the change, once it has one."""
        self._reports.append(report)

    def created(self, step: CreateTable, steps: Sequence[Step], report: Any) -> Any:
        """A table that the transaction adds; what is loaded into it is part of the transaction."""
        from callsheet.analytics.loads.drafts import draft_of

        self.add(*steps)
        if report is not None:
            self.reported(report)
        return draft_of(self._session, step, report)

    def _enter(self) -> None:
        unit = self._session.unit
        self._saved = SavedState(unit)
        self._recorded = len(self._session.recorded_operations)
        unit.savepoints += 1
        if self._nested:
            self._begun = len(self._session._table_block._steps)
        else:
            self._session._table_block = self

    def _leave(self, failed: bool) -> Flow[None]:
        """Send what was done; nothing of a transaction that failed, and an inner one is a part of the outer one."""
        unit = self._session.unit
        unit.savepoints -= 1
        if not self._nested:
            self._session._table_block = None
        elif failed:
            del self._session._table_block._steps[self._begun :]
        if failed:
            self._restore()
        elif not self._nested:
            try:
                yield from self._sent()
            except Exception:
                # In doubt it may have been done: the next commit sends the same again, steps included.
                if unit.doubtful is None:
                    self._restore()
                raise

    def _restore(self) -> None:
        if self._saved is not None:
            self._saved.restore(self._session.unit)

    def _sent(self) -> Flow[None]:
        session = self._session
        if len(session.recorded_operations) == self._recorded:
            if self._steps:
                done = yield from sending.change(session, self._steps)
                self._finished(done["position"])
            return
        if self._steps:
            sending.check_tables(session)
        result = yield from commit_with(session, self._steps)
        if self._steps:
            yield from sending.forget(session, [step.table for step in self._steps])
        if result is not None:
            self._finished(result.position)

    def _finished(self, position: int) -> None:
        for report in self._reports:
            report.position = position


class TableTransaction(TransactionSteps):
    """A transaction of a session that blocks: ``with session.start_transaction():``."""

    def __enter__(self) -> TableTransaction:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.run(self._leave(error is not None))


class AsyncTableTransaction(TransactionSteps):
    """A transaction of an `AsyncSession`: ``async with session.start_transaction():``."""

    async def __aenter__(self) -> AsyncTableTransaction:
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.run(self._leave(error is not None))


def start_transaction(session: Any, allow_nested: bool = True) -> Any:
    """The transaction of a session; inside another one it is a part of that one, or refused."""
    session._check_open()
    nested = session._table_block is not None
    if nested and not allow_nested:
        raise StateError("a transaction is open already, and this one may not be nested: end that one first")
    return (AsyncTableTransaction if session._awaits else TableTransaction)(session, nested)
