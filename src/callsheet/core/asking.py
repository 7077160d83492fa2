"""Several questions by one request, answered in one snapshot; one after the other where the server cannot do that."""

from __future__ import annotations

from collections.abc import Sequence

from callsheet.core.aggregating import aggregate
from callsheet.core.core import Core
from callsheet.dialects.protocol import AskingDialect
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.question import Answer, Question

__all__ = ["ask"]


def ask(core: Core, questions: Sequence[Question]) -> Flow[list[Answer]]:
    """An answer for each question. A server without questions answers plain ones as aggregates, without a position."""
    dialect = core._dialect
    if not questions:
        return []
    if core.features.questions and isinstance(dialect, AskingDialect):
        core.statistics.count("ask")
        return (yield from dialect.ask(questions))
    for question in questions:
        _check_plain(question)
    answers = []
    for question in questions:
        answers.append(Answer((yield from aggregate(core, question.aggregate))))
    return answers


def _check_plain(question: Question) -> None:
    """Raise for what only servers with questions have."""
    wanted = {
        "an earlier position": question.at is not None,
        "a scenario": question.scenario is not None,
        "an explanation": question.explain,
    }
    for name, is_wanted in wanted.items():
        if is_wanted:
            raise UsageError(f"this server answers no questions with {name}; ask without it")
