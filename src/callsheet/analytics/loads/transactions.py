"""A transaction over several tables: what is done in its block is sent as one change when the block ends well."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from callsheet.analytics.loads import sending
from callsheet.errors import StateError
from callsheet.model.table_steps import CreateTable, Step

__all__ = ["AsyncTableTransaction", "TableTransaction", "start_transaction"]


class TransactionSteps:
    """The steps of a transaction so far, and the reports of its loads."""

    def __init__(self, session: Any, nested: bool) -> None:
        self._session, self._nested = session, nested
        self._steps: list[Step] = []
        self._reports: list[Any] = []
        self._begun = 0

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
        if self._nested:
            self._begun = len(self._session._table_block._steps)
        else:
            self._session._table_block = self

    def _leave(self, failed: bool) -> list[Step]:
        """The steps to send: none of a transaction that failed, and those of an inner one are the outer one's."""
        if self._nested:
            if failed:
                del self._session._table_block._steps[self._begun :]
            return []
        self._session._table_block = None
        return [] if failed else self._steps

    def _finished(self, done: Any) -> None:
        for report in self._reports:
            report.position = done["position"]


class TableTransaction(TransactionSteps):
    """A transaction of a session that blocks: ``with session.start_transaction():``."""

    def __enter__(self) -> TableTransaction:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        steps = self._leave(error is not None)
        if steps:
            self._finished(self._session.run(sending.change(self._session, steps)))


class AsyncTableTransaction(TransactionSteps):
    """A transaction of an `AsyncSession`: ``async with session.start_transaction():``."""

    async def __aenter__(self) -> AsyncTableTransaction:
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        steps = self._leave(error is not None)
        if steps:
            self._finished(await self._session.run(sending.change(self._session, steps)))


def start_transaction(session: Any, allow_nested: bool = True) -> Any:
    """The transaction of a session; inside another one it is a part of that one, or refused."""
    session._check_open()
    nested = session._table_block is not None
    if nested and not allow_nested:
        raise StateError("a transaction of tables is open already, and this one may not be nested: end that one first")
    return (AsyncTableTransaction if session._awaits else TableTransaction)(session, nested)
