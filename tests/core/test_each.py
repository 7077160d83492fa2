"""A server without transactions: each operation has an outcome, none is lost or doubled, and doubt can be ended."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.dialects.stepwise import StepwiseBackend, StepwiseDialect

from callsheet import CommitError, Session, StateError, UsageError
from callsheet.dialects.local import LocalDialect
from callsheet.errors import ServerError, TransportError
from callsheet.session.connection import ServerConnection, over
from callsheet.testing import memory_service, session_on
from callsheet.transport.journal import Journal
from callsheet.transport.local import LocalTransport


def connect(backend: StepwiseBackend, tells: bool = True, **options: Any) -> Any:
    """A session on the toy; ``tells`` says whether what became of an operation can be looked up."""
    dialect = StepwiseDialect(backend) if tells else LocalDialect(backend)
    return Session(connection=ServerConnection(dialect, LocalTransport(), None), **options)


@pytest.fixture
def backend(callsheet_service: Any) -> StepwiseBackend:
    return StepwiseBackend(callsheet_service.backend("admin"))


@pytest.fixture
def session(backend: StepwiseBackend) -> Iterator[Any]:
    with connect(backend) as session:
        yield session


def three_tags(session: Any) -> list[Any]:
    return [session.create("Tag", {"name": name}) for name in ("a", "b", "c")]


def states(error: CommitError) -> list[str]:
    return [outcome.state for outcome in error.outcomes]


def test_a_refusal_in_the_middle_says_what_was_done(session: Any, backend: StepwiseBackend) -> None:
    """What was done is settled; the refused operation and those after it stay pending, and go with the next commit."""
    tags = three_tags(session)
    backend.faults = ["", "refused"]
    with pytest.raises(CommitError, match="1 of 3 operations were done") as caught:
        session.commit()
    assert states(caught.value) == ["done", "refused", "not sent"]
    assert (caught.value.index, caught.value.entity) == (1, tags[1].identity)
    assert [tag.state for tag in tags] == ["clean", "created", "created"]
    assert [operation.identity for operation in session.pending] == [tags[1].identity, tags[2].identity]
    tags[1]["name"] = "repaired"
    session.commit()
    assert sorted(tag["name"] for tag in session.query("select name from Tag")) == ["a", "c", "repaired"]
    assert len(backend.applied) == 3


def test_nothing_is_said_to_be_done_where_the_first_is_refused(session: Any, backend: StepwiseBackend) -> None:
    """The message is that of any refused commit."""
    tags = three_tags(session)
    backend.faults = ["refused"]
    with pytest.raises(CommitError, match="nothing was committed") as caught:
        session.commit()
    assert states(caught.value) == ["refused", "not sent", "not sent"]
    assert session.created == tags


@pytest.mark.parametrize("fault", ["lost", "cut", "fault"])
def test_a_missing_answer_concerns_one_operation(session: Any, backend: StepwiseBackend, fault: str) -> None:
    """It is looked up, sent again where it was not done, and the rest follows: each is done once."""
    tags = three_tags(session)
    backend.faults = ["", fault]
    with pytest.raises(CommitError, match="1 done, 1 unknown, 1 not sent") as caught:
        session.commit()
    assert states(caught.value) == ["done", "unknown", "not sent"]
    with pytest.raises(StateError, match="in doubt"):
        tags[0]["name"] = "x"
    session.commit()
    assert [operation.identity for operation in backend.applied] == [tag.identity for tag in tags]
    assert [tag.state for tag in tags] == ["clean"] * 3


def test_what_cannot_be_looked_up_is_never_sent_again(backend: StepwiseBackend) -> None:
    """The error names the operation; a decision ends it, and what is not known to be done is pending again."""
    with connect(backend, tells=False) as session:
        tags = three_tags(session)
        backend.faults = ["", "lost"]
        for _ in range(2):
            with pytest.raises(CommitError) as caught:
                session.commit()
            assert states(caught.value) == ["done", "unknown", "not sent"]
        assert (caught.value.index, caught.value.entity) == (1, tags[1].identity)
        with pytest.raises(UsageError, match="cannot tell"):
            session.settle()
        ended = session.abandon(reason="I looked: b is there")
        assert (ended.outcome, [each.state for each in ended.outcomes]) == (
            "abandoned",
            ["done", "unknown", "not sent"],
        )
        assert [tag.state for tag in tags] == ["clean", "created", "created"]
    assert len(backend.applied) == 2


def test_an_entity_whose_create_is_done_can_have_its_update_refused(session: Any, backend: StepwiseBackend) -> None:
    """It is modified then, with only what was refused pending; a rollback leaves what the server has."""
    project = session.create("Project", {"name": "sintel"})
    session.commit()
    shot = session.create("Shot", {"name": "a", "parent": project})
    project["full_name"] = "Sintel"
    tag = session.create("Tag", {"name": "night"})
    project["tags"].append(tag)
    backend.faults = ["", "", "refused"]
    with pytest.raises(CommitError) as caught:
        session.commit()
    assert states(caught.value).count("done") == 2
    assert shot.state == "clean" or tag.state == "clean"
    assert list(project["tags"]) == [tag]
    session.commit()
    assert (session.pending, project.state) == ((), "clean")
    with session.fork() as fresh:
        found = fresh.get("Project", project.id)
        assert (found["full_name"], [each["name"] for each in found["tags"]]) == ("Sintel", ["night"])


def test_a_journal_keeps_the_outcome_of_each_operation(backend: StepwiseBackend, tmp_path: Path) -> None:
    """A session that dies in the middle is finished by another one, without doing anything twice."""
    dead = connect(backend, journal=tmp_path / "journal")
    tags = three_tags(dead)
    backend.faults = ["", "lost"]
    with pytest.raises(CommitError):
        dead.commit()
    dead.journal.close()
    with connect(backend, journal=tmp_path / "journal") as session:
        (resumed,) = session.resume()
        assert [each.state for each in resumed.outcomes] == ["done"] * 3
    assert [operation.identity for operation in backend.applied] == [tag.identity for tag in tags]
    assert Journal(tmp_path / "journal").entries() == []


def test_a_journal_says_what_cannot_be_known(backend: StepwiseBackend, tmp_path: Path) -> None:
    """The entry is not sent again; abandoning it keeps it in the journal, with the reason."""
    dead = connect(backend, tells=False, journal=tmp_path / "journal")
    three_tags(dead)
    backend.faults = ["lost"]
    with pytest.raises(CommitError):
        dead.commit()
    dead.journal.close()
    with connect(backend, tells=False, journal=tmp_path / "journal") as session:
        (resumed,) = session.resume()
        assert resumed.outcome == "unknown"
        session.create("Tag", {"name": "later"})
        with pytest.raises(StateError, match="did not finish"):
            session.commit()
        ended = session.abandon(resumed.commit_id, "checked by hand")
        assert ended.reason == "abandoned (checked by hand): 1 unknown, 2 not sent"
        session.commit()
        (entry,) = session.journal.entries()
        assert entry.refusal == ended.reason
    assert len(backend.applied) == 2


class Failing:
    """A backend with transactions whose commits are faults for ever, ``done`` or not."""

    def __init__(self, backend: Any, done: bool) -> None:
        self._backend, self._done = backend, done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def commit(self, changes: Any) -> Any:
        if self._done:
            self._backend.commit(changes)
        raise ServerError("the server failed")


@pytest.mark.parametrize("done", [True, False])
def test_a_lasting_fault_is_ended_by_looking_it_up(callsheet_service: Any, tmp_path: Path, done: bool) -> None:
    """The log of the server tells: the work is settled if it is there, else it is pending again."""
    failing = Failing(callsheet_service.backend("admin"), done)
    with Session(connection=over(failing), journal=tmp_path / "journal") as session:
        tag = session.create("Tag", {"name": "night"})
        for _ in range(2):
            with pytest.raises(CommitError, match="may have been done or not"):
                session.commit()
        ended = session.settle()
        assert (ended.outcome, tag.state) == (("had finished", "clean") if done else ("not done", "created"))
        kept = [entry.refusal for entry in session.journal.entries()]
        assert kept == ([] if done else ["looked up: not done"])
        assert session.query("Tag").count() == done


def test_a_lasting_fault_is_ended_by_decision(callsheet_service: Any, tmp_path: Path) -> None:
    """Its work is pending again, and the journal keeps what was given up."""
    failing = Failing(callsheet_service.backend("admin"), False)
    with Session(connection=over(failing), journal=tmp_path / "journal") as session:
        tag = session.create("Tag", {"name": "night"})
        with pytest.raises(CommitError):
            session.commit()
        assert session.abandon(reason="poison").outcome == "abandoned"
        assert session.created == [tag]
        with pytest.raises(StateError, match="no commit of this session is in doubt"):
            session.abandon()
        assert [entry.refusal for entry in session.journal.entries()] == ["abandoned (poison): outcome unknown"]


class StepwiseMachine(RuleBasedStateMachine):
    """Sessions that lose replies, are refused and die; each operation is done once, or is said to be pending."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.service = memory_service()
        self.backend = StepwiseBackend(self.service.backend("admin"))
        self.made: dict[str, str] = {}
        self.dropped: set[str] = set()
        self.session = self.open()

    def open(self) -> Any:
        session = connect(self.backend, journal=Path(self.folder.name) / "journal")
        session.resume()
        return session

    @rule(names=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4))
    def create(self, names: list[str]) -> None:
        if self.session.unit.doubtful is None:
            for name in names:
                tag = self.session.create("Tag", {"name": f"{name}{len(self.made)}"})
                self.made[tag.id] = tag["name"]

    @rule(colour=st.sampled_from(["red", "green", "blue"]))
    def change(self, colour: str) -> None:
        if self.session.unit.doubtful is None:
            for tag in self.session.live("Tag"):
                if tag.state in ("clean", "created", "modified"):
                    tag["color"] = colour

    @rule(faults=st.lists(st.sampled_from(["", "", "lost", "cut", "fault", "refused"]), max_size=6))
    def commit(self, faults: list[str]) -> None:
        self.backend.faults = faults
        try:
            self.session.commit()
        except CommitError as error:
            done = [each.operation.identity for each in error.outcomes if each.state == "done"]
            there = {operation.identity for operation in self.backend.applied}
            assert there.issuperset(done)
        self.backend.faults = []

    @rule()
    def settle(self) -> None:
        if self.session.unit.doubtful is not None:
            self.session.settle()

    @rule()
    def die_and_resume(self) -> None:
        """What was never committed is lost with its session; what was sent is finished."""
        doubtful = self.session.unit.doubtful
        sent = {each.identity.key for each in doubtful.operations} if doubtful is not None else set()
        pending = {tag.id for tag in self.session.created}
        self.dropped |= pending - sent
        self.session.journal.close()
        try:
            self.session = self.open()
        except (ServerError, TransportError):
            raise AssertionError("no fault was due") from None

    @invariant()
    def no_operation_is_doubled(self) -> None:
        creates = [each.identity for each in self.backend.applied if type(each).__name__ == "Create"]
        assert len(creates) == len(set(creates))

    def teardown(self) -> None:
        self.backend.faults = []
        self.session.commit()
        assert self.session.pending == ()
        with session_on(self.service) as other:
            there = {tag.id: tag["name"] for tag in other.query("select name from Tag")}
            assert there == {key: name for key, name in self.made.items() if key not in self.dropped}
            for tag in self.session.live("Tag"):
                assert other.get("Tag", tag.id)["color"] == tag["color"]
        self.session.journal.close()
        self.service.close()
        self.folder.cleanup()


TestStepwise = StepwiseMachine.TestCase
TestStepwise.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
