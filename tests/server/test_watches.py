"""Watched questions: who reads them has what one gets who asks anew, and nothing is asked that cannot have changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import new_database
from watching_desk import Watcher, asked

from callsheet.dialects.routes import OverQuota
from callsheet.errors import CallsheetError, Closed, Invalid, QueryError
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.query import Select
from callsheet.model.question import Question
from callsheet.model.record import Identity
from callsheet.model.watching import LOST, PAST, ResultChange, Seen, Watch
from callsheet.server.limits import Limits
from callsheet.server.service import Service
from callsheet.server.watching.watches import WorkShare

DOCUMENT: dict[str, Any] = {
    "types": {
        "Dot": {
            "attributes": {
                "name": {"type": "string"},
                "size": {"type": "integer"},
                "owner": {"type": "reference", "target": "Owner"},
            }
        },
        "Owner": {"attributes": {"name": {"type": "string"}}},
        "Line": {"attributes": {"name": {"type": "string"}}},
    }
}
SIZES = Question(Aggregate(Select("Dot"), (AggregateFunction("sum", "size"),), ("name",)))
OWNERS = Question(Aggregate(Select("Dot"), (AggregateFunction("count"),), ("owner.name",)))
LINES = Question(Aggregate(Select("Line")))


def dot(name: str) -> Identity:
    return Identity("Dot", name)


class Committing:
    """Commits one after the other; `position` is that of the last."""

    def __init__(self, service: Service) -> None:
        self.service, self.position = service, 0

    def __call__(self, *operations: Operation) -> int:
        changes = ChangeSet(f"commit {self.position}", operations)
        self.position = self.service.commit(changes, "admin").position
        return self.position


@pytest.fixture(params=["memory", "file", "postgres", "mirror"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A service on each database, and with a mirror."""
    kind = request.param
    if kind == "mirror":
        pytest.importorskip("duckdb")
    with (
        new_database("file" if kind == "mirror" else kind, tmp_path) as url,
        Service.open(url, DOCUMENT, analytics=kind == "mirror") as service,
    ):
        yield service


def test_the_first_result_is_whole_and_then_come_differences(service: Service) -> None:
    """With the position that each is as of, and the one that it continues from."""
    commit = Committing(service)
    first = commit(Create(dot("a"), {"name": "a", "size": 1}), Create(dot("b"), {"name": "b", "size": 2}))
    with Watcher(service, SIZES) as watcher:
        watcher.take()
        assert [(step.whole, step.position, step.rows) for _, step in watcher.steps] == [
            (True, first, [("a", 1), ("b", 2)])
        ]
        second = commit(Update(dot("b"), {"size": 5}), Create(dot("c"), {"name": "c", "size": 3}))
        ((number, step),) = watcher.next()
        assert (number, step.before, step.position) == (0, first, second)
        assert (step.rows, step.places, step.gone) == ([("b", 5), ("c", 3)], [1, 2], [])
        third = commit(Delete(dot("a")), Delete(dot("c")))
        ((_, step),) = watcher.next()
        assert (step.before, step.position, step.rows, step.gone) == (second, third, [], [("a",), ("c",)])
        assert watcher.rows == [[("b", 5)]] == [asked(service, SIZES)]


def test_a_slow_reader_gets_one_difference_for_many_commits(service: Service) -> None:
    """It leads from what the reader has to what is there when it reads; nothing waits in a queue."""
    commit = Committing(service)
    commit(Create(dot("a"), {"name": "a", "size": 0}))
    with Watcher(service, SIZES) as slow, Watcher(service, SIZES) as quick:
        slow.take()
        quick.take()
        for size in range(1, 6):
            commit(Update(dot("a"), {"size": size}))
            quick.settle(commit.position)
        assert quick.rows == [[("a", 5)]]
        ((_, step),) = slow.take()
        assert (step.before, step.position, step.rows) == (1, 6, [("a", 5)])
        assert slow.take() == []


def test_only_commits_that_can_reach_a_question_make_it_asked_again(service: Service) -> None:
    """By the types of what they change, also such that the facts only refer to."""
    commit, counted = Committing(service), service.watches
    commit(Create(Identity("Owner", "o"), {"name": "anna"}), Create(dot("a"), {"owner": Identity("Owner", "o")}))
    with Watcher(service, SIZES) as sizes, Watcher(service, OWNERS) as owners, Watcher(service, LINES) as lines:
        for watcher in (sizes, owners, lines):
            watcher.take()
        before = counted.asked
        commit(Create(Identity("Line", "l"), {"name": "l"}))
        lines.settle(commit.position)
        sizes.settle(commit.position)
        owners.settle(commit.position)
        assert (counted.asked - before, lines.rows) == (1, [[(1,)]])
        commit(Update(Identity("Owner", "o"), {"name": "berta"}))
        for watcher in (sizes, owners, lines):
            watcher.settle(commit.position)
        assert (counted.asked - before, owners.rows) == (2, [[("berta", 1)]])


def test_readers_of_one_question_share_its_answers(service: Service) -> None:
    """Fifty of them cost one answer a commit."""
    commit = Committing(service)
    commit(Create(dot("a"), {"name": "a", "size": 1}))
    watchers = [Watcher(service, SIZES) for _ in range(50)]
    before = service.watches.asked
    for watcher in watchers:
        watcher.take()
    commit(Update(dot("a"), {"size": 2}))
    for watcher in watchers:
        watcher.settle(commit.position)
        assert watcher.rows == [[("a", 2)]]
        watcher.reader.close()
    assert service.watches.asked - before == 1


def test_one_reader_watches_several_questions(service: Service) -> None:
    """Each change has the number of its question."""
    commit = Committing(service)
    with Watcher(service, SIZES, LINES) as watcher:
        assert [(number, step.rows) for number, step in watcher.take()] == [(0, []), (1, [(0,)])]
        commit(Create(Identity("Line", "l"), {}))
        assert [(number, step.rows) for number, step in watcher.next()] == [(1, [(1,)])]


def test_who_comes_back_continues_from_the_result_that_it_has(service: Service) -> None:
    """By its digest; what it missed comes as one difference, or not at all if there was nothing."""
    commit = Committing(service)
    commit(Create(dot("a"), {"name": "a", "size": 1}), Create(dot("b"), {"name": "b", "size": 1}))
    with Watcher(service, SIZES) as watcher:
        ((_, first),) = watcher.take()
        seen = Seen(first.position, first.digest)
        with Watcher(service, SIZES, since=seen, rows=first.rows) as again:
            assert again.take() == []
        commit(Update(dot("a"), {"size": 2}))
        watcher.settle(commit.position)
        with Watcher(service, SIZES, since=seen, rows=first.rows) as again:
            ((_, step),) = again.take()
            assert (step.before, step.rows, again.rows) == (first.position, [("a", 2)], [[("a", 2), ("b", 1)]])


def test_after_a_restart_a_result_is_known_by_the_past_or_sent_whole(service: Service) -> None:
    """With a mirror the earlier answer is asked again and compared; without, the reader is told that all is new."""
    commit = Committing(service)
    commit(Create(dot("a"), {"name": "a", "size": 1}), Create(dot("b"), {"name": "b", "size": 1}))
    with Watcher(service, SIZES) as watcher:
        ((_, first),) = watcher.take()
    commit(Update(dot("a"), {"size": 2}))
    seen = Seen(first.position, first.digest)
    with Watcher(service, SIZES, since=seen, rows=first.rows) as again:
        ((_, step),) = again.take()
        assert again.rows == [[("a", 2), ("b", 1)]]
        if service.mirror is None:
            assert (step.whole, step.reason) == (True, LOST)
        else:
            assert (step.before, step.rows, step.reason) == (first.position, [("a", 2)], "")


@pytest.mark.parametrize("seen", [Seen(1, "another result"), Seen(99, "of a log that is gone")])
def test_a_result_that_is_not_the_one_of_its_position_is_sent_anew(service: Service, seen: Seen) -> None:
    """Such as one that was read with other rights, or before the database was restored."""
    commit = Committing(service)
    commit(Create(dot("a"), {"name": "a", "size": 1}))
    with Watcher(service, SIZES, since=seen, rows=[("z", 9)]) as watcher:
        ((_, step),) = watcher.take()
        assert (step.whole, step.reason, watcher.rows) == (True, LOST, [[("a", 1)]])


def test_who_names_a_position_gets_its_result_and_the_difference(service: Service) -> None:
    """The two are told apart; a position that is not in the log is refused."""
    commit = Committing(service)
    first = commit(Create(dot("a"), {"name": "a", "size": 1}), Create(dot("b"), {"name": "b", "size": 1}))
    commit(Update(dot("a"), {"size": 2}))
    with Watcher(service, SIZES, since=Seen(first)) as watcher:
        (_, past), (_, step) = watcher.take()
        assert (past.whole, past.position, past.reason, past.rows) == (True, first, PAST, [("a", 1), ("b", 1)])
        assert (step.before, step.rows, step.reason) == (first, [("a", 2)], "")
    with Watcher(service, SIZES, since=Seen(commit.position)) as watcher:
        assert [step.reason for _, step in watcher.take()] == [PAST]
    with Watcher(service, SIZES, since=Seen(commit.position + 1)) as watcher, pytest.raises(CallsheetError):
        watcher.take()


def test_what_is_watched_is_of_the_present(service: Service) -> None:
    """Not of the past, of a scenario, or of the inside of a transaction; and it has to be a question."""
    commit = Committing(service)
    commit(Create(dot("a"), {}))
    backend = service.backend("admin")
    for question in (Question(SIZES.aggregate, at=1), Question(SIZES.aggregate, scenario="x")):
        with pytest.raises(Invalid, match="of the present"):
            backend.watch([Watch(question)])
    with pytest.raises(Invalid, match="of the present"):
        backend.at(1).watch([Watch(SIZES)])
    with pytest.raises(QueryError):
        backend.watch([Watch(Question(Aggregate(Select("Dot"), (AggregateFunction("sum", "sice"),))))])
    assert service.watches._watched == {}


def test_an_account_watches_so_many_questions(service: Service) -> None:
    """One more is refused with what to do, and those that are closed count no more."""
    service.watches._limits = Limits(account_watches=2)
    watchers = [Watcher(service, SIZES), Watcher(service, LINES)]
    with pytest.raises(OverQuota, match="close a watch first"):
        Watcher(service, SIZES)
    watchers.pop().reader.close()
    Watcher(service, OWNERS).reader.close()
    watchers.pop().reader.close()


def test_who_may_read_less_watches_less(service: Service) -> None:
    """Rows are those of the account, and leave its results when its rights do."""
    commit = Committing(service)
    service.accounts.add("gina", "guest")
    service.roles.add("dots", ["read:Dot"])
    service.roles.add("lines", ["read:Line"])
    service.roles.grant("gina", "lines")
    commit(Create(dot("a"), {"name": "a", "size": 1}))
    with Watcher(service, SIZES, account="gina") as gina, Watcher(service, SIZES) as admin:
        gina.take()
        admin.take()
        assert (gina.rows, admin.rows) == ([[]], [[("a", 1)]])
        service.roles.grant("gina", "dots")
        gina.take()
        assert gina.rows == [[("a", 1)]]
        commit(Update(dot("a"), {"size": 4}))
        gina.settle(commit.position)
        assert gina.rows == [[("a", 4)]]
        service.roles.revoke("gina", "dots")
        ((_, step),) = gina.take()
        assert (step.gone, gina.rows) == ([("a",)], [[]])
        commit(Create(dot("b"), {"name": "b", "size": 1}))
        gina.settle(commit.position)
        admin.settle(commit.position)
        assert (gina.rows, admin.rows) == ([[]], [[("a", 4), ("b", 1)]])


def test_the_thread_ends_when_nothing_is_watched_and_when_the_service_closes(tmp_path: Path) -> None:
    """A reader of a closed service gets an error that says so."""
    with Service.open("memory:", DOCUMENT) as service:
        watcher = Watcher(service, SIZES)
        watcher.take()
        thread = service.watches._thread
        assert thread is not None
        watcher.reader.close()
        thread.join(20)
        assert not thread.is_alive()
        again = Watcher(service, SIZES)
        again.take()
        Committing(service)(Create(dot("a"), {"name": "a", "size": 1}))
        again.next()
        assert again.rows == [[("a", 1)]]
        thread = service.watches._thread
        assert thread is not None
    assert not thread.is_alive()
    with pytest.raises(Closed):
        again.reader.wait(0.1)


def test_a_question_that_cannot_be_asked_any_more_ends_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its readers get the error; others go on."""
    with (
        Service.open("memory:", DOCUMENT) as service,
        Watcher(service, SIZES) as sizes,
        Watcher(service, LINES) as lines,
    ):
        sizes.take()
        lines.take()

        def fails(question: Question) -> Any:
            raise Invalid("no more of this")

        monkeypatch.setattr(sizes.reader, "answer", fails)
        commit = Committing(service)
        commit(Create(dot("a"), {"name": "a", "size": 1}), Create(Identity("Line", "l"), {}))
        lines.settle(commit.position)
        with pytest.raises(Invalid, match="no more of this"):
            sizes.next()


def test_the_thread_leaves_the_processor_to_others() -> None:
    """It may work for half a second at once, and for half of the time in the long run."""
    budget = WorkShare(0.0)
    budget.spend(0.4, 0.4)
    assert budget.wait(0.4) == 0.0
    budget.spend(0.8, 0.4)
    assert budget.wait(0.8) == pytest.approx(0.6)
    assert budget.wait(1.4) == pytest.approx(0.0)


def test_a_change_says_whether_it_is_whole() -> None:
    """By whether it continues from an earlier position; zero is one."""
    assert ResultChange(4, [], "").whole
    assert not ResultChange(4, [], "", 0).whole
