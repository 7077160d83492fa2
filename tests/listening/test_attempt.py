"""One attempt: its changes and its checkpoint are there together, once, or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from desk import SHOTS, Desk

from callsheet.dialects.local import LocalDialect
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Disconnected, Invalid
from callsheet.flow import Flow
from callsheet.listening.attempt import Outcome, attempt
from callsheet.listening.declaration import Handler
from callsheet.listening.work import Claimed, WorkQueue
from callsheet.model.operation import ChangeSet
from callsheet.session.blocking import Session
from callsheet.session.connection import ServerConnection
from callsheet.transport.local import LocalTransport


class Bench:
    """A worker without threads: claims, and makes attempts one at a time."""

    def __init__(self, desk: Desk, function: Callable[[Any, Any], Any], session: Session | None = None, **facts: Any):
        self.desk = desk
        self.handler = Handler("h", SHOTS, function, **facts)
        self.session = session or desk.connect()
        self.queue = WorkQueue(self.session, "bench")
        self.queue.claim(self.handler, 1)

    def claim(self) -> list[Claimed]:
        return self.queue.claim(self.handler, 100)

    def attempts(self) -> list[Outcome]:
        return [attempt(self.handler, each, self.session, self.queue) for each in self.claim()]


def note(event: Any, session: Any) -> None:
    session.create("Note", {"text": event.changes["name"]["new"]})


def test_changes_and_checkpoint_are_one_commit(desk: Desk) -> None:
    """The commit tells whose it is, and the event is off the queue."""
    bench = Bench(desk, note)
    desk.shots("a")
    (outcome,) = bench.attempts()
    assert (outcome.kind, outcome.operations) == ("handled", 1)
    assert desk.notes() == ["a"]
    assert desk.status()[0]["leased"] == 0
    last = desk.session.commits()[-1]
    assert (last.commit_id, last.origin) == (outcome.commit_id, "handler:h")


def test_a_handler_that_changes_nothing_settles_its_event(desk: Desk) -> None:
    """There is no commit then."""
    bench = Bench(desk, lambda event, session: None)
    desk.shots("a")
    (outcome,) = bench.attempts()
    assert (outcome.kind, outcome.commit_id) == ("handled", None)
    assert desk.idle()


def test_a_failure_does_nothing_and_is_tried_again(desk: Desk) -> None:
    """What it had created is forgotten with it; the traceback is kept."""

    def fail(event: Any, session: Any) -> None:
        note(event, session)
        raise ValueError("no such luck")

    bench = Bench(desk, fail, retries=1, delay=1e-9)
    desk.shots("a")
    assert [each.kind for each in bench.attempts()] == ["failed"]
    assert [each.kind for each in bench.attempts()] == ["dead"]
    assert bench.attempts() == []
    assert desk.notes() == []
    (dead,) = desk.dead()
    assert (dead["error"], dead["attempt"], dead["failures"]) == ("ValueError: no such luck", 2, 2)
    assert 'raise ValueError("no such luck")' in dead["traceback"]


def test_a_refused_commit_is_a_failure(desk: Desk) -> None:
    """As if the handler had raised."""

    def refer(event: Any, session: Any) -> None:
        session.create("Note", {"shot": session.query("Shot").first()})
        with session.fork() as other:
            other.delete(other.query("Shot").first())
            other.commit()

    bench = Bench(desk, refer)
    desk.shots("a")
    (outcome,) = bench.attempts()
    assert outcome.kind == "failed"
    assert "nothing was committed" in outcome.error


def test_leaving_the_program_is_a_failure_too(desk: Desk) -> None:
    """A handler cannot end its worker."""
    bench = Bench(desk, lambda event, session: sys.exit("enough"))
    desk.shots("a")
    assert [each.kind for each in bench.attempts()] == ["failed"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, BaseException, MemoryError, RecursionError])
def test_whatever_a_handler_raises_is_a_failure(desk: Desk, kind: type[BaseException]) -> None:
    """The attempt failed, nothing of it is done, and the worker goes on."""

    def leave(event: Any, session: Any) -> None:
        note(event, session)
        raise kind("no such luck")

    bench = Bench(desk, leave, retries=0)
    desk.shots("a")
    (outcome,) = bench.attempts()
    assert (outcome.kind, outcome.error) == ("dead", f"{kind.__name__}: no such luck")
    assert desk.notes() == []


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("there is no text")

    __repr__ = __str__


class Odd(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Mute(), "Mute: <its text raised ValueError>"),
        (Odd(), "Odd: <its text raised TypeError>"),
        (FileNotFoundError(2, "No such file", "plate-\udcff.exr"), "FileNotFoundError: [Errno 2] No such file: "),
        (ValueError("plate-\udcff.exr"), "ValueError: plate-\\udcff.exr"),
        (ValueError("a\0b"), "ValueError: a\\x00b"),
        (ValueError("long " * 500_000), "ValueError: long long "),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "UnicodeDecodeError: 'utf-8' codec can't"),
        (SyntaxError("bad", ("x.py", 1, 1, "\udcff", 1, 2)), "SyntaxError: bad (x.py, line 1)"),
        (ExceptionGroup("several", [Mute(), ValueError("\udcff")]), "ExceptionGroup: several (2 sub-exceptions)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_error_can_be_reported(desk: Desk, error: Exception, line: str) -> None:
    """Its text is made one that wires, databases and logs take."""

    def fail(event: Any, session: Any) -> None:
        raise error

    bench = Bench(desk, fail, retries=0)
    desk.shots("a")
    (outcome,) = bench.attempts()
    assert outcome.kind == "dead"
    (dead,) = desk.dead()
    assert dead["error"].startswith(line)
    assert len(dead["error"]) <= 2_000
    assert "\0" not in dead["error"] + dead["traceback"]
    json.dumps(dead["traceback"], ensure_ascii=False).encode()


def test_a_cause_that_leads_back_to_itself_is_reported_too(desk: Desk) -> None:
    """Whoever looks for the cause comes to an end."""

    def fail(event: Any, session: Any) -> None:
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    bench = Bench(desk, fail, retries=0)
    desk.shots("a")
    assert [each.kind for each in bench.attempts()] == ["dead"]


async def coroutine(event: Any, session: Any) -> None:
    note(event, session)


def generator(event: Any, session: Any) -> Any:
    note(event, session)
    yield


async def async_generator(event: Any, session: Any) -> Any:
    note(event, session)
    yield


class Awaitable:
    def __await__(self) -> Any:
        yield


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda event, session: coroutine(event, session), "returned a coroutine"),
        (lambda event, session: generator(event, session), "returned a generator"),
        (lambda event, session: async_generator(event, session), "returned an async generator"),
        (lambda event, session: Awaitable(), "returned a result to be awaited"),
        (lambda event, session: Future(), "returned a result to be awaited"),
        (lambda event, session: map(note, [event], [session]), "returned an iterator that nobody iterates"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_work_that_was_not_done_is_a_failure(desk: Desk, function: Any, told: str) -> None:
    """An event is not handled because a call returned."""
    bench = Bench(desk, function, retries=0)
    desk.shots("a")
    (outcome,) = bench.attempts()
    assert (outcome.kind, desk.notes()) == ("dead", [])
    assert f"the handler {told}, so its work was not done" in outcome.error


class Refusing(WorkQueue):
    """A queue whose server does not take reports."""

    sent: list[str]
    why: Exception

    def fail(self, claimed: Claimed, error: str, traceback: str, delay: float | None) -> bool:
        self.sent.append(error)
        if error.startswith("the attempt failed"):
            return super().fail(claimed, error, traceback, delay)
        raise self.why


def test_a_report_that_is_refused_is_sent_without_its_texts(desk: Desk) -> None:
    """So the event comes to its dead letter, whatever the server has against the text."""

    def fail(event: Any, session: Any) -> None:
        raise ValueError("no")

    bench = Bench(desk, fail, retries=0)
    queue = Refusing(bench.session, "bench")
    queue.sent, queue.why = [], Invalid("not such a text")
    desk.shots("a")
    (claimed,) = bench.claim()
    assert attempt(bench.handler, claimed, bench.session, queue).kind == "dead"
    assert queue.sent == ["ValueError: no", "the attempt failed; the server refused the text of its error"]
    assert desk.dead()[0]["error"] == queue.sent[-1]


def test_a_report_without_an_answer_is_sent_until_the_lease_is_over(desk: Desk) -> None:
    """Ever less often; then the attempt counts as interrupted."""

    def fail(event: Any, session: Any) -> None:
        raise ValueError("no")

    bench = Bench(desk, fail, retries=0)
    queue = Refusing(bench.session, "bench", lease=1.0)
    queue.sent, queue.why = [], Disconnected("the line was cut")
    desk.shots("a")
    (claimed,) = bench.claim()
    assert attempt(bench.handler, claimed, bench.session, queue).kind == "interrupted"
    assert queue.sent == ["ValueError: no"] * 4


def test_a_handler_does_not_commit(desk: Desk) -> None:
    """Its changes are committed once it is done, so that they are all or none."""

    def commit(event: Any, session: Any) -> None:
        note(event, session)
        session.commit()

    bench = Bench(desk, commit)
    desk.shots("a")
    (outcome,) = bench.attempts()
    assert outcome.error.startswith("StateError: what a handler changes is committed for it")
    assert desk.notes() == []


def test_whoever_comes_too_late_does_nothing(desk: Desk) -> None:
    """While it worked, its event became another's."""

    def slow(event: Any, session: Any) -> None:
        note(event, session)
        desk.session.call("handlers.release", handler="h", position=1, index=0, lease=claimed.lease)

    bench = Bench(desk, slow)
    desk.shots("a")
    (claimed,) = bench.claim()
    assert attempt(bench.handler, claimed, bench.session, bench.queue).kind == "overtaken"
    assert desk.notes() == []
    assert desk.status()[0]["ready"] == 1


@pytest.mark.parametrize("done", [True, False])
def test_a_commit_without_an_answer_is_sent_until_there_is_one(desk: Desk, done: bool) -> None:
    """Whether it had been done or not, it is done once."""

    class Lossy(LocalDialect):
        lost = 0

        def commit(self, changes: ChangeSet) -> Flow[CommitResult]:
            if Lossy.lost < 3:
                Lossy.lost += 1
                if done:
                    yield from super().commit(changes)
                raise Disconnected("the line was cut")
            return (yield from super().commit(changes))

    dialect = Lossy(desk.service.backend("admin"))
    session = Session(connection=ServerConnection(dialect, LocalTransport(), None), plugin_paths=False)
    session.open()
    desk.sessions.append(session)
    bench = Bench(desk, note, session)
    desk.shots("a")
    assert [each.kind for each in bench.attempts()] == ["handled"]
    assert Lossy.lost == 3
    assert desk.notes() == ["a"]
    assert desk.status()[0]["leased"] == 0


def test_the_absence_of_the_server_never_ends_an_event(desk: Desk) -> None:
    """Attempts that fail for it are repeated as often as it takes."""

    def cut_off(event: Any, session: Any) -> None:
        raise Disconnected("the line was cut")

    bench = Bench(desk, cut_off, retries=0, delay=1e-9)
    desk.shots("a")
    assert [each.kind for _ in range(5) for each in bench.attempts()] == ["failed"] * 5
    assert desk.dead() == []
