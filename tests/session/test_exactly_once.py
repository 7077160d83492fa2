"""A commit is done once: when its answer is lost, when the session is closed, when the journal is read later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from callsheet import CommitError, ConflictError, Session, StateError
from callsheet.errors import Disconnected, Forbidden, StorageError, Unauthorised, Unavailable, WrongThread
from callsheet.session.connection import over
from callsheet.transport.journal import Journal


class Unreliable:
    """A backend that loses answers: ``"before"`` the work is done, or ``"after"``."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.faults: list[str] = []
        self.commits: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def commit(self, changes: Any) -> Any:
        self.commits.append(changes.commit_id)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "before":
            raise Disconnected("the connection was lost")
        if fault == "unauthorised":
            raise Unauthorised("the key has expired")
        if fault == "forbidden":
            raise Forbidden("this address is not let in")
        if fault == "forbidden operation":
            raise Forbidden("operation 0: `admin` may not create Tag", operation=0)
        if fault == "unavailable":
            raise Unavailable("come back later")
        result = self._backend.commit(changes)
        if fault == "after":
            raise Disconnected("the connection was lost")
        return result


@pytest.fixture
def unreliable(callsheet_service: Any) -> Unreliable:
    return Unreliable(callsheet_service.backend("admin"))


@pytest.fixture
def session(unreliable: Unreliable) -> Iterator[Session]:
    with Session(connection=over(unreliable)) as session:
        yield session


def die_in_doubt(unreliable: Unreliable, journal: Path, name: str, fault: str) -> None:
    """A session whose commit of a tag gets no answer, and which ends so."""
    dead: Any = Session(connection=over(unreliable), journal=journal)
    dead.create("Tag", {"name": name})
    unreliable.faults = [fault]
    with pytest.raises(CommitError):
        dead.commit()
    dead.journal.close()


@pytest.mark.parametrize("fault", ["before", "after", "unavailable"])
def test_a_commit_without_an_answer_is_sent_again_under_its_id(
    session: Any, unreliable: Unreliable, fault: str
) -> None:
    """Whether it had been done or not, it is done once."""
    tag = session.create("Tag", {"name": "night"})
    unreliable.faults = [fault, fault]
    for _ in range(2):
        with pytest.raises(CommitError, match="sends the same again"):
            session.commit()
    result = session.commit()
    assert len(set(unreliable.commits)) == 1
    assert result.replayed is (fault == "after")
    assert (tag.state, session.query("Tag").count()) == ("clean", 1)
    tag["color"] = "#000000"
    session.commit()
    assert len(set(unreliable.commits)) == 2


def test_nothing_is_recorded_while_a_commit_is_in_doubt(session: Any, unreliable: Unreliable) -> None:
    """So nothing can be lost between the two; reading goes on."""
    tag = session.create("Tag", {"name": "night"})
    unreliable.faults = ["after"]
    with pytest.raises(CommitError):
        session.commit()
    for attempt in (
        lambda: session.create("Tag", {"name": "x"}),
        lambda: session.delete(tag),
        lambda: tag.__setitem__("color", "c"),
    ):
        with pytest.raises(StateError, match="in doubt"):
            attempt()
    assert tag["name"] == "night"
    session.commit()
    tag["color"] = "#ffffff"
    assert session.pending[0].values == {"color": "#ffffff"}


def test_rollback_gives_a_commit_in_doubt_up(session: Any, unreliable: Unreliable) -> None:
    """What it may have changed is fetched again when read."""
    tag = session.create("Tag", {"name": "night", "color": "old"})
    session.commit()
    tag["color"] = "new"
    unreliable.faults = ["after"]
    with pytest.raises(CommitError):
        session.commit()
    session.rollback()
    assert (session.pending, tag.state, tag["color"]) == ((), "clean", "new")


def test_a_refused_commit_names_the_operation_and_stays_pending(session: Any) -> None:
    """It can be repaired and committed again."""
    session.create("Tag", {"name": "night"})
    session.commit()
    other = session.create("Tag", {"name": "day"})
    twin = session.create("Tag", {"name": "night"})
    with pytest.raises(CommitError, match="must be unique") as caught:
        session.commit()
    assert (caught.value.index, caught.value.entity) == (1, twin.identity)
    assert session.created == [other, twin]
    twin["name"] = "noon"
    session.commit()
    assert session.query("Tag").count() == 3


def test_a_conflict_tells_base_ours_and_theirs(session: Any, callsheet_connect: Any) -> None:
    """Different attributes merge; the same attribute is a conflict, settled by policy."""
    tag = session.create("Tag", {"name": "night", "color": "black"})
    session.commit()
    other = callsheet_connect()
    theirs = other.get("Tag", tag.id)
    theirs["color"] = "blue"
    other.commit()
    tag["name"] = "late night"
    result = session.commit()
    assert list(result.merged) == [0]
    assert (tag["name"], tag["color"]) == ("late night", "blue")
    theirs["color"] = "green"
    other.commit()
    tag["color"] = "red"
    with pytest.raises(ConflictError) as caught:
        session.commit()
    (change,) = caught.value.conflicts
    assert (change.identity, change.attribute) == (tag.identity, "color")
    assert (change.base, change.ours, change.theirs) == ("blue", "red", "green")
    session.commit(conflicts="theirs")
    assert tag["color"] == "green"
    theirs["color"] = "white"
    other.commit()
    tag["color"] = "red"
    session.commit(conflicts="ours")
    assert callsheet_connect().get("Tag", tag.id)["color"] == "red"


def test_a_refresh_settles_a_conflict(session: Any, callsheet_connect: Any) -> None:
    """Having seen their value, ours may replace it."""
    tag = session.create("Tag", {"name": "night", "color": "black"})
    session.commit()
    other = callsheet_connect()
    other.get("Tag", tag.id)["color"] = "blue"
    other.commit()
    tag["color"] = "red"
    with pytest.raises(ConflictError):
        session.commit()
    session.refresh(tag)
    session.commit()
    assert callsheet_connect().get("Tag", tag.id)["color"] == "red"


def test_a_journal_finishes_what_a_dead_session_began(
    callsheet_service: Any, unreliable: Unreliable, tmp_path: Path
) -> None:
    """Whether the server had done it or not; and the next session does not commit before that."""
    for number, fault in enumerate(("after", "before")):
        die_in_doubt(unreliable, tmp_path / f"{fault}.journal", f"tag {number}", fault)
    for fault, outcome in (("after", "had finished"), ("before", "finished now")):
        with Session(connection=over(unreliable), journal=tmp_path / f"{fault}.journal") as session:
            session.create("Tag", {"name": f"new {fault}"})
            with pytest.raises(StateError, match=r"session.resume\(\)"):
                session.commit()
            assert [resumed.outcome for resumed in session.resume()] == [outcome]
            assert session.resume() == []
            session.commit()
            assert session.journal.unfinished() == []
    with Session(connection=over(callsheet_service.backend("admin"))) as reader:
        assert sorted(tag["name"] for tag in reader.query("Tag")) == ["new after", "new before", "tag 0", "tag 1"]


def test_a_refused_entry_stays_in_the_journal_with_its_reason(
    callsheet_service: Any, unreliable: Unreliable, tmp_path: Path
) -> None:
    """It is shown, and not sent again."""
    die_in_doubt(unreliable, tmp_path / "j", "night", "before")
    with Session(connection=over(callsheet_service.backend("admin"))) as other:
        other.create("Tag", {"name": "night"})
        other.commit()
    with Session(connection=over(unreliable), journal=tmp_path / "j") as session:
        (resumed,) = session.resume()
        assert (resumed.outcome, "must be unique" in resumed.reason) == ("refused", True)
        assert session.resume() == []
        assert [entry.refusal is not None for entry in session.journal.entries()] == [True]


def test_a_journal_that_cannot_be_written_stops_the_commit(unreliable: Unreliable, tmp_path: Path) -> None:
    """Nothing is sent, nothing is lost."""
    with Session(connection=over(unreliable), journal=tmp_path / "missing" / "j") as session:
        session.create("Tag", {"name": "night"})
        with pytest.raises(StorageError, match="pending changes stay pending"):
            session.commit()
        assert (unreliable.commits, len(session.pending)) == ([], 1)
        (tmp_path / "missing").mkdir()
        session.commit()
        assert (len(unreliable.commits), session.journal.entries()) == (1, [])


def test_the_journal_holds_the_change_set_before_it_is_sent(callsheet_service: Any, tmp_path: Path) -> None:
    """At the moment of sending, what is on the disk is what is sent."""
    seen: list[Any] = []

    class Watching(Unreliable):
        def commit(self, changes: Any) -> Any:
            with closing(Journal(tmp_path / "j")) as journal:
                seen.append((changes, journal.entries()[0].changes))
            return super().commit(changes)

    with Session(connection=over(Watching(callsheet_service.backend("admin"))), journal=tmp_path / "j") as session:
        session.create("Tag", {"name": "night"})
        session.commit()
    ((sent, kept),) = seen
    assert sent == kept


@pytest.mark.parametrize("refusal", ["unauthorised", "forbidden"])
def test_a_key_that_is_refused_meanwhile_leaves_a_commit_in_doubt(
    session: Any, unreliable: Unreliable, refusal: str
) -> None:
    """Who may not ask does not hear what became of it; nothing is forgotten."""
    session.create("Tag", {"name": "night"})
    unreliable.faults = ["after", refusal]
    for _ in range(2):
        with pytest.raises(CommitError, match="sends the same again"):
            session.commit()
    assert session.commit().replayed
    assert session.query("Tag").count() == 1


@pytest.mark.parametrize("refusal", ["unauthorised", "forbidden"])
def test_a_key_that_is_refused_when_a_journal_is_resumed_leaves_all_in_it(
    unreliable: Unreliable, tmp_path: Path, refusal: str
) -> None:
    """Nothing was said of the commit; with the right key it is found to be done."""
    die_in_doubt(unreliable, tmp_path / "j", "night", "after")
    with Session(connection=over(unreliable), journal=tmp_path / "j") as session:
        unreliable.faults = [refusal]
        with pytest.raises((Unauthorised, Forbidden)):
            session.resume()
        assert len(session.journal.unfinished()) == 1
        assert [resumed.outcome for resumed in session.resume()] == ["had finished"]
        assert session.journal.entries() == []


@pytest.mark.parametrize("again", [False, True])
def test_an_operation_that_is_forbidden_is_refused_for_good(
    session: Any, unreliable: Unreliable, tmp_path: Path, again: bool
) -> None:
    """The server has looked for the commit before it judges an operation, so it was not done."""
    session.create("Tag", {"name": "night"})
    unreliable.faults = ["before", "forbidden operation"] if again else ["forbidden operation"]
    if again:
        with pytest.raises(CommitError, match="sends the same again"):
            session.commit()
    with pytest.raises(CommitError, match="nothing was committed"):
        session.commit()
    assert len(session.pending) == 1
    session.rollback()


def test_a_forbidden_operation_in_a_journal_is_refused_for_good(unreliable: Unreliable, tmp_path: Path) -> None:
    """As any other refusal: it stays in the journal with the reason."""
    die_in_doubt(unreliable, tmp_path / "j", "night", "before")
    with Session(connection=over(unreliable), journal=tmp_path / "j") as session:
        unreliable.faults = ["forbidden operation"]
        (resumed,) = session.resume()
        assert (resumed.outcome, "may not create Tag" in resumed.reason) == ("refused", True)
        assert session.journal.unfinished() == []


def test_a_fork_belongs_to_the_thread_that_uses_it_first(session: Any) -> None:
    """So that it can be made here and used there."""
    from threading import Thread

    fork = session.fork()
    thread = Thread(target=lambda: (fork.create("Tag", {"name": "there"}), fork.commit()))
    thread.start()
    thread.join()
    assert session.query("Tag where name is there").count() == 1
    with pytest.raises(WrongThread):
        fork.create("Tag", {"name": "here"})


def test_a_fork_does_not_take_a_commit_under_way_for_one_left_behind(
    session: Any, unreliable: Unreliable, tmp_path: Path
) -> None:
    """What this process wrote into the journal itself is no dead session's."""
    with Session(connection=over(unreliable), journal=tmp_path / "j") as first:
        fork = first.fork()
        first.create("Tag", {"name": "in doubt"})
        unreliable.faults = ["before"]
        with pytest.raises(CommitError, match="sends the same again"):
            first.commit()
        fork.create("Tag", {"name": "other"})
        fork.commit()
        first.commit()
        assert first.journal.entries() == []
    assert session.query("Tag").count() == 2


def test_a_commit_in_doubt_that_is_given_up_leaves_the_journal(unreliable: Unreliable, tmp_path: Path) -> None:
    """So that no later session sends what nobody wants any more."""
    with Session(connection=over(unreliable), journal=tmp_path / "j") as session:
        session.create("Tag", {"name": "night"})
        unreliable.faults = ["before"]
        with pytest.raises(CommitError):
            session.commit()
        assert len(session.journal.unfinished()) == 1
        session.rollback()
        assert session.journal.entries() == []
    with Session(connection=over(unreliable), journal=tmp_path / "j") as session:
        assert session.resume() == []
        assert session.query("Tag").count() == 0
