"""Progress of commits and plans, and a commit that is too large is refused before anything is sent."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve
from rich.console import Console
from tests.dialects.stepwise import StepwiseBackend, StepwiseDialect

import callsheet.core.meter as meters
from callsheet import AsyncSession, CommitError, Features, Session, UsageError
from callsheet.core.meter import ProgressLines
from callsheet.core.progress_bar import ProgressBar
from callsheet.dialects.local import LocalDialect
from callsheet.dialects.protocol import Description
from callsheet.session.connection import ServerConnection
from callsheet.transport.journal import Journal
from callsheet.transport.local import LocalTransport


class NarrowBackend:
    """A server that takes two operations in a request, and six in a commit; it counts what comes."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in ("stage", "commit"):
            self.calls.append(name)
        return getattr(self._backend, name)

    def describe(self, known_hash: str = "") -> Description:
        described: Description = self._backend.describe(known_hash)
        return evolve(described, features=evolve(described.features, operations=2, commit_operations=6))


@pytest.fixture
def backend(callsheet_service: Any) -> NarrowBackend:
    return NarrowBackend(callsheet_service.backend("admin"))


@pytest.fixture
def session(backend: NarrowBackend) -> Iterator[Any]:
    with Session(connection=ServerConnection(LocalDialect(backend), LocalTransport(), None)) as opened:
        yield opened


def tags(session: Any, count: int) -> None:
    for number in range(count):
        session.create("Tag", {"name": f"tag {number}"})


def test_a_commit_in_parts_tells_how_far_it_is(session: Any) -> None:
    """After each part that the server has; the whole number comes with the answer."""
    seen: list[tuple[int, int]] = []
    tags(session, 5)
    session.commit(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_a_small_commit_tells_that_it_is_done(session: Any) -> None:
    """Once; and one without changes tells nothing."""
    seen: list[tuple[int, int]] = []
    tags(session, 2)
    for _ in range(2):
        session.commit(progress=lambda *numbers: seen.append(numbers))
    assert seen == [(2, 2)]


def test_a_server_without_transactions_tells_of_each_operation(callsheet_service: Any) -> None:
    """They go one after the other."""
    seen: list[tuple[int, int]] = []
    dialect = StepwiseDialect(StepwiseBackend(callsheet_service.backend("admin")))
    with Session(connection=ServerConnection(dialect, LocalTransport(), None)) as session:
        tags(session, 3)
        session.commit(progress=lambda *numbers: seen.append(numbers))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_awaiting_session_awaits_the_function(backend: NarrowBackend) -> None:
    """An ordinary function is called; one with ``async`` is awaited."""
    seen: list[tuple[int, int]] = []

    async def note(done: int, total: int) -> None:
        seen.append((done, total))

    async def main() -> None:
        connection: Any = ServerConnection(LocalDialect(backend), LocalTransport(), None)
        async with AsyncSession(connection=connection) as session:
            tags(session, 3)
            await session.commit(progress=note)

    asyncio.run(main())
    assert seen == [(2, 3), (3, 3)]


async def _later(done: int, total: int) -> None: ...


def _fail(done: int, total: int) -> None:
    raise ValueError("no such window")


@pytest.mark.parametrize("function", [_fail, _later])
def test_what_shows_progress_ends_no_commit(
    session: Any, function: Callable[[int, int], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A function that raises, or whose result nobody would await, is logged once; the commit is done."""
    tags(session, 5)
    with caplog.at_level(logging.ERROR, "callsheet.progress"):
        assert session.commit(progress=function) is not None
    assert [record.message for record in caplog.records] == ["progress is not shown any more; the commit goes on"]
    assert len(session.query("Tag").all()) == 5
    assert session.pending == ()


def test_progress_is_a_function_or_true(session: Any, backend: NarrowBackend) -> None:
    """Anything else is refused before the commit begins."""
    tags(session, 1)
    with pytest.raises(UsageError, match=r"progress is a function of two numbers \(done, total\), or True, not 'bar'"):
        session.commit(progress="bar")
    assert (backend.calls, len(session.pending)) == ([], 1)
    session.commit()
    assert backend.calls == ["commit"]


def test_without_a_terminal_lines_of_the_log_say_how_far_it_is(session: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With their numbers as facts, for logs that machines read."""
    tags(session, 5)
    with caplog.at_level(logging.INFO, "callsheet.progress"):
        session.commit(progress=True)
    first, sent, last = caplog.records
    assert sent.message == "commit: 5 operations are sent, the server applies them"
    assert (first.message.split(",")[0], last.message) == ("commit: 2 of 5 operations", "commit: 5 of 5 operations")
    facts: Any = last
    assert (facts.facts["what"], facts.facts["done"], facts.facts["total"]) == ("commit", 5, 5)


@define
class Watch:
    """A clock that is moved by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """The first, one in five seconds, and the last; rate and time left are of the whole."""
    watch = Watch()
    lines = ProgressLines("sync", watch)
    with caplog.at_level(logging.INFO, "callsheet.progress"):
        for second in range(1, 11):
            watch.now = float(second)
            lines.show(second * 100, 1_000)
    assert [record.message for record in caplog.records] == [
        "sync: 100 of 1,000 operations, 100 a second, 9 s left",
        "sync: 600 of 1,000 operations, 100 a second, 4 s left",
        "sync: 1,000 of 1,000 operations",
    ]


def test_a_bar_shows_number_rate_and_time_left(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; it stays as it was at the end."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    monkeypatch.setattr(meters, "_on_terminal", lambda: True)
    monkeypatch.setattr(meters, "_bar", lambda what, total: ProgressBar(what, total, console))
    tags(session, 5)
    session.commit(progress=True)
    assert "commit: applying" in output.getvalue()
    assert "5/5" in output.getvalue()
    assert "/s" in output.getvalue()


def test_a_plan_shows_the_same(session: Any) -> None:
    """As one commit in parts, and in chunks."""
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        seen.append((done, total))

    session.plan("Tag", [{"name": f"a{number}"} for number in range(5)], key="name").apply(progress=note)
    assert seen == [(2, 5), (4, 5), (5, 5)]
    seen.clear()
    plan = session.plan("Tag", [{"name": f"b{number}"} for number in range(5)], key="name")
    plan.apply(atomic=False, chunk=3, progress=note)
    assert seen == [(3, 5), (5, 5)]


def test_a_commit_that_is_too_large_is_refused_before_it_is_sent(
    session: Any, backend: NarrowBackend, tmp_path: Path
) -> None:
    """Nothing is sent, nothing is in the journal, all stays pending, and the message says what to do."""
    session.journal = journal = Journal(tmp_path / "journal")
    tags(session, 7)
    wanted = (
        "this commit has 7 operations, and the server does 6 in one transaction; nothing was sent. Commit more often"
    )
    with pytest.raises(CommitError, match=wanted):
        session.commit()
    assert backend.calls == []
    assert journal.left_behind() == []
    assert len(session.pending) == 7
    session.delete(session.recorded_operations and next(iter(session.created)))
    assert session.commit() is not None
    assert backend.calls == ["stage", "stage", "stage", "commit"]


def test_a_plan_that_is_too_large_goes_in_chunks(session: Any, backend: NarrowBackend) -> None:
    """As the refusal says."""
    plan = session.plan("Tag", [{"name": f"a{number}"} for number in range(8)], key="name")
    with pytest.raises(CommitError, match=r"8 operations, .* `plan.apply\(atomic=False\)`"):
        plan.apply()
    assert backend.calls == []
    assert plan.apply(atomic=False, chunk=6).created == 8


def test_the_server_says_how_much_a_commit_may_hold(callsheet_session: Any) -> None:
    """In what it says of itself; of one that says nothing it is what servers before it took."""
    assert callsheet_session.features.commit_operations == 200_000
    assert Features().commit_operations == 200_000
