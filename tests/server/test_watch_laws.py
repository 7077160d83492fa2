"""Watched answers, as a law: who folds what comes has, at each position, what one gets who asks anew as of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from changing_worlds import DOCUMENT, histories
from databases import new_database
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from studio import open_studio
from test_matches_equals_sql import SETTINGS
from test_measures_equal_python import aggregates
from test_permissions_twin import GRANTS, fill, operations
from watching_desk import Watcher, asked

from callsheet import Session
from callsheet.errors import CallsheetError, QueryError
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Select
from callsheet.model.question import Question
from callsheet.model.record import new_key
from callsheet.server.service import Service
from callsheet.session.connection import over

QUESTIONS = st.lists(aggregates(), min_size=1, max_size=3)
UNDONE = st.lists(st.booleans(), min_size=6, max_size=6)


class Folding(Watcher):
    """A watcher that compares what it has with the answer as of its position, whenever something comes."""

    def take(self) -> Any:
        found = super().take()
        for number, step in found:
            expected = asked(self.service, self.questions[number], at=step.position)
            assert self.rows[number] == expected, f"{self.questions[number]}\n{step}"
        return found


def follow(
    service: Service, history: list[tuple[Operation, ...]], questions: list[Question], undone: list[bool]
) -> None:
    """Watch questions through commits, some of which are undone at once, and compare all the time."""
    last = 0
    with Folding(service, *questions) as eager, Folding(service, *questions) as lazy:
        session = Session(connection=over(service.backend("admin")))
        eager.take()
        lazy.take()
        for number, commit in enumerate(history):
            with suppress(CallsheetError):
                last = service.commit(ChangeSet(new_key(), commit), "admin").position
                if undone[number % len(undone)]:
                    session.undo(session.commits()[-1])
                    last = session.commits()[-1].position
            if number % 2:
                eager.settle(last)
        for watcher in (eager, lazy):
            watcher.settle(last)
            assert watcher.rows == [asked(service, question) for question in questions]


def answerable(service: Service, found: list[Aggregate]) -> list[Question]:
    """Those that can be asked."""
    questions = []
    for aggregate in found:
        with suppress(QueryError):
            asked(service, Question(aggregate))
            questions.append(Question(aggregate))
    assume(questions)
    return questions


@pytest.mark.parametrize("examples", [8, pytest.param(300, marks=pytest.mark.deep)])
def test_folded_changes_are_what_is_asked_anew(examples: int) -> None:
    """At each position that a change is of, after commits and undos, for any questions, quick readers and slow ones."""

    @settings(SETTINGS, max_examples=examples, phases=(Phase.explicit, Phase.generate))
    @given(histories(), QUESTIONS, UNDONE)
    def law(history: Any, found: list[Aggregate], undone: list[bool]) -> None:
        with Service.open("memory:", DOCUMENT) as service:
            follow(service, history, answerable(service, found), undone)

    law()


@pytest.mark.parametrize("kind", ["mirror", "postgres"])
def test_it_is_so_on_every_engine(kind: str, tmp_path: Path) -> None:
    """With a mirror, and on PostgreSQL; the examples follow each other in one database."""
    if kind == "mirror":
        pytest.importorskip("duckdb")
    with (
        new_database("file" if kind == "mirror" else kind, tmp_path) as url,
        Service.open(url, DOCUMENT, analytics=kind == "mirror") as service,
    ):

        @settings(
            SETTINGS, max_examples=4, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
        )
        @given(histories(4), QUESTIONS, UNDONE)
        def examples(history: Any, found: list[Aggregate], undone: list[bool]) -> None:
            follow(service, history, answerable(service, found), undone)

        examples()


@settings(
    deadline=None, max_examples=12, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
@given(st.integers(0, 2**16), GRANTS, GRANTS, st.lists(st.lists(operations(), min_size=1, max_size=3), max_size=4))
def test_an_account_watches_what_it_may_read(
    seed: int, first: list[Any], then: list[Any], commits: list[list[Operation]]
) -> None:
    """Its rows are those that it gets who asks, also after commits and other grants while the watch is open."""
    by_name = Aggregate(Select("Task"), (AggregateFunction("count"),), ("parent.name",), totals=True)
    questions = [Question(by_name), Question(Aggregate(Select("Node"))), Question(Aggregate(Select("Version")))]
    with open_studio() as studio:
        fill(studio, seed)
        service = studio.service
        for role, place in first:
            service.roles.grant("anna", role, place)
        position = 0
        with Watcher(service, *questions, account="anna") as anna, Watcher(service, *questions) as admin:
            for number, batch in enumerate(commits):
                with suppress(CallsheetError):
                    position = service.commit(ChangeSet(f"commit {number}", tuple(batch)), "admin").position
                if number == 1:
                    for role, place in first:
                        service.roles.revoke("anna", role, place)
                    for role, place in then:
                        service.roles.grant("anna", role, place)
                    anna.take()
            for watcher, account in ((anna, "anna"), (admin, "admin")):
                watcher.take()
                watcher.settle(position)
                assert watcher.rows == [asked(service, question, account) for question in questions]
