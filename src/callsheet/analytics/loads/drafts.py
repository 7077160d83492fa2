"""A table that an open transaction adds: it is written as any other, and read when the transaction has ended."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.asked import AwaitingMember, BlockingMember
from callsheet.analytics.loads.rows import RowVerbs
from callsheet.analytics.loads.sending import LoadReport
from callsheet.model.schema import Schema
from callsheet.model.table_steps import CreateTable
from callsheet.model.user_table import TableColumn, UserTable, type_document, word_of

__all__ = ["AsyncTableDraft", "TableDraft", "draft_of"]


class DraftVerbs(RowVerbs):
    """See `TableDraft`."""

    def __init__(self, core: Any, step: CreateTable, report: LoadReport | None) -> None:
        self._core, self._name, self.report = core, step.table, report
        words: list[str] = []
        for column in step.columns:
            words.append(word_of("column", column.name, words))
        columns = [TableColumn(word, each.type, each.name) for word, each in zip(words, step.columns)]
        keys = tuple(word for word, each in zip(words, step.columns) if each.name in step.keys)
        document = type_document(UserTable("draft", tuple(columns), keys, step.table))
        self._type = Schema({"types": {"draft": document}}).types["draft"]

    @property
    def name(self) -> str:
        """The name that it was given."""
        return self._name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}: added when the transaction ends>"


class TableDraft(BlockingMember, DraftVerbs):
    """A table that a transaction adds; afterwards it is found as ``session.tables[name]``."""


class AsyncTableDraft(AwaitingMember, DraftVerbs):
    """`TableDraft` of an `AsyncSession`."""


def draft_of(core: Any, step: CreateTable, report: LoadReport | None) -> Any:
    """The draft of a new table."""
    return (AsyncTableDraft if core._awaits else TableDraft)(core, step, report)
