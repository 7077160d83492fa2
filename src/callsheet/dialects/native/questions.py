"""Questions and answers are converted from the model to the shapes of the wire, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callsheet.dialects.native.measures import aggregate_in, aggregate_out, rows_in, rows_out
from callsheet.dialects.native.shapes import AnswersReply, QuestionsBody, WireAnswer, WireQuestion
from callsheet.model.question import Answer, Question
from callsheet.model.values import pack, unpack

__all__ = ["answers_in", "answers_out", "questions_in", "questions_out"]


def questions_out(questions: Sequence[Question]) -> QuestionsBody:
    return QuestionsBody(
        [WireQuestion(aggregate_out(each.aggregate), each.at, each.scenario, each.explain) for each in questions]
    )


def questions_in(wire: QuestionsBody) -> list[Question]:
    return [Question(aggregate_in(each.aggregate), each.at, each.scenario, each.explain) for each in wire.questions]


def answers_out(questions: Sequence[Question], answers: Sequence[Answer]) -> AnswersReply:
    return AnswersReply([_answer_out(question, answer) for question, answer in zip(questions, answers)])


def answers_in(wire: AnswersReply) -> list[Answer]:
    return [_answer_in(each) for each in wire.answers]


def _answer_out(question: Question, answer: Answer) -> WireAnswer:
    groups = rows_out(answer.rows, len(question.aggregate.group))
    plan = None if answer.plan is None else pack(dict(answer.plan))
    return WireAnswer(groups.rows, groups.totals, answer.position, answer.truncated, plan)


def _answer_in(wire: WireAnswer) -> Answer:
    rows: Any = unpack(wire.rows)
    return Answer(rows_in(rows, wire.totals), wire.position, wire.truncated, unpack(wire.plan))
