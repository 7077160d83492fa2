"""Commits that run side by side in PostgreSQL: as if one had come after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from attrs import evolve
from databases import postgres_database
from studio import Create, Delete, Identity, Studio, Update, open_studio, project, shot, status, task, update

from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Conflict, Invalid, NotFound, ServerError
from callsheet.model.adjustment import increment
from callsheet.model.operation import ChangeSet, Operation

A, B, S = Identity("Task", "a"), Identity("Task", "b"), Identity("Shot", "s")
DONE = Identity("Status", "done")


@pytest.fixture(scope="module")
def opened() -> Iterator[Studio]:
    with postgres_database() as url, open_studio(url) as studio:
        yield studio


@pytest.fixture
def studio(opened: Studio) -> Studio:
    """The studio, empty again."""
    with opened.store.reading() as connection:
        keys = connection.exec_driver_sql('SELECT id, _type FROM "Node" WHERE parent IS NULL').all()
    opened.commit(*[Delete(Identity(kind, key)) for key, kind in keys])
    return opened


def at_once(*functions: Callable[[], object]) -> list[object]:
    """What the functions return or raise, started together."""
    barrier = Barrier(len(functions))

    def run(function: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return function()
        except ServerError as error:
            return error

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def sending(studio: Studio, commit_id: str, *operations: Operation) -> Callable[[], object]:
    backend = studio.service.backend("admin")
    return lambda: backend.commit(ChangeSet(commit_id, operations))


def test_the_rules_hold_there_too(studio: Studio) -> None:
    """Values, cascades, swaps and ancestors, as on SQLite."""
    studio.commit(project("p"), shot("s", Identity("Project", "p")), task("a", S, data={"k": [1, None]}))
    assert studio.value(A, "data") == {"k": [1, None]}
    assert studio.value(A, "project") == "p"
    studio.commit(task("b", S), update(A, name="x"))
    studio.commit(update(A, name="b"), update(B, name="x"))
    assert set(studio.commit(Delete(Identity("Project", "p"))).deleted) == {S, A, B}


def assert_once(answers: list[object]) -> None:
    """One answer is the first, the other the same again."""
    results = [answer for answer in answers if isinstance(answer, CommitResult)]
    assert sorted(result.replayed for result in results) == [False, True]
    assert evolve(results[0], replayed=False) == evolve(results[1], replayed=False)


def test_increments_side_by_side_add_up(studio: Studio) -> None:
    """None is lost, none is refused, and the history knows each step."""
    studio.commit(task("a", bid=1))
    adding = [Update(A, adjusted={"bid": increment(2.0)}, version=1) for _ in range(6)]
    answers = at_once(*(sending(studio, f"add-{number}", each) for number, each in enumerate(adding)))
    assert all(isinstance(answer, CommitResult) for answer in answers)
    assert studio.value(A, "bid") == 13.0
    positions = sorted(answer.position for answer in answers if isinstance(answer, CommitResult))
    steps = [studio.changes(position)[A] for position in positions]
    assert [step.after["bid"] - step.before["bid"] for step in steps] == [2.0] * 6
    assert [step.before["bid"] for step in steps] == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]


def test_the_same_commit_twice_at_once(studio: Studio) -> None:
    """Both senders get the same answer, and it is done once."""
    for number in range(10):
        create = task(f"n{number}", None, bid=1)
        assert_once(at_once(*[sending(studio, f"twice-{number}", create)] * 2))
        change = update(create.identity, 1, {"bid": 1}, bid=2)
        assert_once(at_once(*[sending(studio, f"again-{number}", change)] * 2))
        assert studio.value(create.identity, "_version") == 2


def test_no_change_is_lost(studio: Studio) -> None:
    """What several threads append to one text, each to what it has read, is all there."""
    studio.commit(task("a", note=""))

    def work(name: str) -> Callable[[], object]:
        def append() -> None:
            done = 0
            while done < 5:
                note = studio.value(A, "note")
                change = update(A, None, {"note": note}, note=f"{note}{name}{done} ")
                try:
                    sending(studio, f"append {name}{done} {len(note)} {hash(note)}", change)()
                except Conflict:
                    continue
                done += 1

        return append

    assert at_once(*[work(name) for name in "wxyz"]) == [None] * 4
    assert sorted(studio.value(A, "note").split()) == [f"{name}{number}" for name in "wxyz" for number in range(5)]
    assert studio.value(A, "_version") == 21


def test_one_of_two_equal_names(studio: Studio) -> None:
    """Of two who want a unique value at once, one gets it; also beside siblings without a parent."""
    studio.commit(shot("s"))
    for number in range(5):
        for parent in (S, None):
            name, place = f"same{number}", "in" if parent else "out"
            answers = at_once(
                *[
                    sending(studio, f"{place}{name}{one}", task(f"{place}{name}{one}", parent, name=name))
                    for one in range(3)
                ]
            )
            assert sorted(type(answer).__name__ for answer in answers) == ["CommitResult", "Invalid", "Invalid"]


def test_numbers_without_gaps_or_doubles(studio: Studio) -> None:
    """Versions made at once count up one by one."""
    studio.commit(task("a"))
    created = [Create(Identity("Version", f"v{number}"), {"task": A}) for number in range(8)]
    at_once(*[sending(studio, f"version-{each.identity.key}", each) for each in created])
    assert sorted(studio.value(each.identity, "number") for each in created) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_delete_and_who_refers_to_it(studio: Studio) -> None:
    """Either the reference comes first and the delete sees it, or the delete does and the reference is refused."""
    for number in range(10):
        marked, done = task(f"m{number}", None, status=DONE), status("done")
        if studio.row(DONE) is None:
            studio.commit(done)
        refer, delete = at_once(
            sending(studio, f"refer-{number}", marked), sending(studio, f"delete-{number}", Delete(DONE))
        )
        assert isinstance(refer, Invalid) != isinstance(delete, Invalid)
        assert (studio.row(marked.identity) is None) == (studio.row(DONE) is None)
        if studio.row(marked.identity) is not None:
            studio.commit(Delete(marked.identity))


def test_a_cascade_and_a_change_below_it(studio: Studio) -> None:
    """What goes by cascade while somebody changes it is gone, and who came late hears so."""
    for number in range(10):
        top, below = shot(f"top{number}"), task(f"below{number}", Identity("Shot", f"top{number}"))
        late = task(f"late{number}", below.identity)
        studio.commit(top, below)
        answers = at_once(
            sending(studio, f"go-{number}", Delete(top.identity)),
            sending(studio, f"change-{number}", update(below.identity, bid=1)),
            sending(studio, f"late-{number}", late),
        )
        assert not isinstance(answers[0], ServerError)
        assert not isinstance(answers[1], ServerError) or isinstance(answers[1], NotFound)
        assert not isinstance(answers[2], ServerError) or isinstance(answers[2], Invalid)
        assert [studio.row(each.identity) for each in (top, below, late)] == [None, None, None]


def test_two_moves_make_no_circle(studio: Studio) -> None:
    """Of two moves that would close a circle together, one is refused."""
    for number in range(5):
        a, b, c, d = (Identity("Task", f"{name}{number}") for name in "abcd")
        studio.commit(task(a.key), task(b.key, a), task(c.key), task(d.key, c))
        answers = at_once(
            sending(studio, f"left-{number}", update(a, parent=d)),
            sending(studio, f"right-{number}", update(c, parent=b)),
        )
        assert sum(isinstance(answer, Invalid) for answer in answers) == 1
        studio.commit(*[Delete(each) for each in (a, c) if studio.value(each, "parent") is None])
