"""Several questions of one request: of which states they are, and how many groups come back.

A view's questions are answered on one connection, of the mirror or of the store, so all see the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from callsheet.errors import Invalid, TooLarge
from callsheet.model.question import Answer, Question
from callsheet.server.context import ServerContext
from callsheet.server.log import commits as log
from callsheet.server.reading.answers import ReadState
from callsheet.server.reading.cost import GROUPS, GROUPS_TOGETHER, QUESTIONS
from callsheet.server.store.store import Store
from callsheet.server.views import PastView, ScenarioView, View

__all__ = ["by_state", "check_number", "most_groups", "snapshot", "view_of"]

StateKey = tuple[int | None, str | None]


def check_number(questions: Sequence[Question]) -> None:
    """Raise `TooLarge` for more questions than one request may have."""
    if len(questions) > QUESTIONS:
        raise TooLarge(f"{len(questions):,} questions in one request; the limit is {QUESTIONS}: ask in several")


def by_state(questions: Sequence[Question]) -> dict[StateKey, list[int]]:
    """The places of the questions of each state."""
    found: dict[StateKey, list[int]] = {}
    for place, question in enumerate(questions):
        found.setdefault((question.at, question.scenario), []).append(place)
    return found


def view_of(context: ServerContext, view: View, question: Question, account: str) -> View:
    """The state that a question of an account is about, asked through a view, which may be of the past itself."""
    if question.scenario is not None:
        if question.at is not None or isinstance(view, PastView):
            raise Invalid("a scenario lies over the present; ask for it without a position")
        return ScenarioView(context, account, question.scenario)
    if question.at is not None:
        return PastView(context, min(question.at, view.until))
    return view


@contextmanager
def snapshot(view: View, store: Store, questions: Iterable[Question]) -> Iterator[ReadState]:
    """One state for all questions: the mirror's where there is one, unless all do no more than count."""
    mirror = view.mirror
    if mirror is not None and not all(each.aggregate.counts_only for each in questions):
        with mirror.reading() as state:
            yield ReadState(state.store, state.connection, state.position)
        return
    with view.connect(store) as connection:
        yield ReadState(store, connection, log.last_position(store, connection))


def most_groups(answers: Iterable[Answer]) -> int:
    """The most groups of one more answer to a request."""
    left = GROUPS_TOGETHER - sum(len(each.rows) for each in answers)
    if left <= 0:
        raise TooLarge(f"more than {GROUPS_TOGETHER:,} groups in one request; ask in several, or for fewer groups")
    return min(GROUPS, left)
