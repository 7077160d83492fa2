"""A handler whose commit is in conflict is called again at once, on what is there now."""

from __future__ import annotations

from typing import Any

from desk import Desk
from test_attempt import Bench

from callsheet.listening import attempt as attempts


def counting(desk: Desk, before: Any = lambda shot: None) -> Any:
    """A handler that counts the changed shots on the shot `total`; ``before`` is called before it writes."""

    def count(event: Any, session: Any) -> None:
        (total,) = session.query("Shot where name is total").all()
        seen = total["count"]
        before(total)
        total["count"] = seen + 1

    return count


def somebody_counts(desk: Desk) -> Any:
    """Somebody else counts on the same number."""

    def change(shot: Any) -> None:
        other = desk.connect()
        other.get("Shot", shot.id)["count"] += 1
        other.commit()

    return change


def total(desk: Desk) -> int:
    with desk.session.fork() as fork:
        return int(fork.query("Shot where name is total").one()["count"])


def test_a_conflict_is_another_try(desk: Desk) -> None:
    """Once in the way, though of the very number that is to be written: both counts are there, nothing failed."""
    change, left = somebody_counts(desk), [1]
    desk.shots("total")
    bench = Bench(desk, counting(desk, lambda shot: left and left.pop() and change(shot)), retries=0)
    desk.shots("a")
    (outcome,) = bench.attempts()
    assert (outcome.kind, outcome.operations) == ("handled", 1)
    assert (total(desk), desk.dead()) == (2, [])


def test_a_text_that_somebody_else_wrote_is_a_conflict_for_a_handler(desk: Desk) -> None:
    """Also where it is what the handler wants: whether it would want it now, only the handler can say."""
    shots: list[Any] = desk.shots("old")
    calls = []

    def rename(event: Any, session: Any) -> None:
        shot = session.get("Shot", shots[0].id)
        calls.append(shot["name"])
        if len(calls) == 1:
            other = desk.connect()
            other.get("Shot", shot.id)["name"] = "new"
            other.commit()
        shot["name"] = "new"

    bench = Bench(desk, rename, ignore_own=True)
    desk.shots("a")
    assert bench.attempts()[0].kind == "handled"
    assert calls == ["old", "new"]


def test_endless_conflicts_are_failures(desk: Desk, monkeypatch: Any) -> None:
    """A handler that is always late fails in the end, and its event is a dead letter after its attempts."""
    monkeypatch.setattr(attempts, "_pause", lambda number: 0)
    desk.shots("total")
    bench = Bench(desk, counting(desk, somebody_counts(desk)), retries=1, delay=1e-9)
    desk.shots("a")
    claimed = [each for each in bench.claim() if each.event.changes["name"]["new"] == "a"]
    assert attempts.attempt(bench.handler, claimed[0], bench.session, bench.queue).kind == "failed"
    assert total(desk) == attempts.CONFLICTS
