"""Several questions of one request: of which states they are, and how many groups come back.

A view's questions are answered on one connection, of the mirror or of the store, so all see the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from callsheet.errors import Invalid, TooLarge
from callsheet.model.question import Answer, Question
from callsheet.server.context import ServerContext
from callsheet.server.log import commits as log
from callsheet.server.reading.answers import ReadState
from callsheet.server.reading.cost import GROUPS, GROUPS_TOGETHER, QUESTIONS
from callsheet.server.store.store import Store
from callsheet.server.views import ExternalView, MirroredPastView, PastView, ScenarioView, View

__all__ = ["by_state", "check_number", "external_view", "most_groups", "snapshot", "view_of"]

StateKey = tuple[int | None, str | None, str | None]


def check_number(questions: Sequence[Question]) -> None:
    """Raise `TooLarge` for more questions than one request may have."""
    if len(questions) > QUESTIONS:
        raise TooLarge(f"{len(questions):,} questions in one request; the limit is {QUESTIONS}: ask in several")


def by_state(
    questions: Sequence[Question], database_of: Callable[[str], str | None] = lambda _: None
) -> dict[StateKey, list[int]]:
    """The places of the questions of each state; each external database has a state of its own."""
    found: dict[StateKey, list[int]] = {}
    for place, question in enumerate(questions):
        database = database_of(question.aggregate.select.entity_type)
        found.setdefault((question.at, question.scenario, database), []).append(place)
    return found


def view_of(context: ServerContext, view: View, question: Question, account: str) -> View:
    """The state that a question of an account is about, asked through a view, which may be of the past itself."""
    entity_type = question.aggregate.select.entity_type
    database = context.external.database_of(entity_type)
    if database is not None:
        if question.at is not None or question.scenario is not None:
            raise _only_now(entity_type, database)
        return external_view(context, view, entity_type, database)
    if question.scenario is not None:
        if question.at is not None or isinstance(view, PastView):
            raise Invalid("a scenario lies over the present; ask for it without a position")
        return ScenarioView(context, account, question.scenario)
    if question.at is not None:
        return MirroredPastView(context, min(question.at, view.until))
    return view


def external_view(context: ServerContext, view: View, entity_type: str, database: str) -> View:
    """The state of an external table, asked through a view of the present."""
    if isinstance(view, PastView | ScenarioView) and not isinstance(view, ExternalView):
        raise _only_now(entity_type, database)
    return ExternalView(context, database)


def _only_now(entity_type: str, database: str) -> Invalid:
    return Invalid(
        f"{entity_type} is a table of the external database `{database}`, which has no positions or scenarios here: "
        "ask for it as it is now, or load it into a table of this server"
    )


@contextmanager
def snapshot(view: View, store: Store, questions: Iterable[Question]) -> Iterator[ReadState]:
    """One state for all questions: the mirror's where there is one, unless all do no more than count."""
    mirror = view.mirror
    if mirror is not None and (isinstance(view, PastView) or not all(each.aggregate.counts_only for each in questions)):
        with mirror.reading() as state:
            yield ReadState(state.store, state.connection, state.position, state.cells)
        return
    with view.connect(store) as connection:
        if isinstance(view, ExternalView):
            yield ReadState(store, connection, 0)
            return
        yield ReadState(store, connection, log.last_position(store, connection))


def most_groups(answers: Iterable[Answer]) -> int:
    """The most groups of one more answer to a request."""
    left = GROUPS_TOGETHER - sum(len(each.rows) for each in answers)
    if left <= 0:
        raise TooLarge(f"more than {GROUPS_TOGETHER:,} groups in one request; ask in several, or for fewer groups")
    return min(GROUPS, left)
