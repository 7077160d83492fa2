"""``callsheet scenario``: from the first command to the last, on one server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from click.testing import Result

from callsheet import Session
from callsheet.server.process import Server

Invoke = Callable[..., Result]


def bids(session: Session) -> list[float]:
    """The bids of the layout tasks, as they are now."""
    return sorted(row["bid"] for row in session.query("select bid from Task where name is layout").records())


def test_a_scenario_from_the_first_to_the_last_command(server: Server, invoke: Any) -> None:
    """Made, listed, shown, compared, rebased with a conflict, shared, committed once somebody says so."""
    run: Invoke = invoke
    assert run("scenario", "list").output == "There are no scenarios.\n"
    made = run("scenario", "create", "half", "--description", "half the bids", "--days", "3")
    assert made.output == "The scenario half is made.\n"
    assert "The scenario changes nothing." in run("scenario", "diff", "half").output
    with Session(server.url, "admin", "a key for tests") as session:
        before = bids(session)
        with session.scenario("half") as plan:
            for task in plan.query("Task where name is layout"):
                task["bid"] = task["bid"] / 2
            plan.commit()
        listed = run("scenario", "list").output
        assert "half the bids" in listed
        assert "half" in run("scenario", "show", "half").output
        assert "the base" in run("scenario", "show", "admin/half").output
        shown = run("scenario", "diff", "half").output
        assert shown.count("bid: 3.5 → 1.75") == len(before)
        assert "bid: 3.5 → 1.75" in shown
        task = session.query("Task where name is layout").first()
        task["bid"] = 5.0
        session.commit()
        refused = run("scenario", "rebase", "half")
        assert refused.exit_code == 1
        assert "--conflicts ours or --conflicts theirs decides" in refused.output
        assert "up to date" in run("scenario", "rebase", "half", "--conflicts", "ours").output
        assert "everybody" in run("scenario", "share", "half").output
        assert "nobody else" in run("scenario", "share", "half", "--stop").output
        assert "--yes does it without asking" in run("scenario", "commit", "half").output
        done = run("scenario", "commit", "half", "--yes")
        assert "half is committed into the base: commit" in done.output
        assert bids(session) == [bid / 2 for bid in before]
        session.undo(session.commits()[-1])
        session.commit()


def test_a_scenario_is_deleted_once_somebody_says_so(invoke: Any) -> None:
    """And one that is not there is named, with what was meant."""
    run: Invoke = invoke
    run("scenario", "create", "less")
    missing = run("scenario", "show", "les")
    assert missing.exit_code == 1
    assert "there is no scenario 'les'; did you mean `less`?" in missing.output
    assert "--yes does it without asking" in run("scenario", "delete", "less").output
    assert "The scenario less is deleted." in run("scenario", "delete", "less", "--yes").output
