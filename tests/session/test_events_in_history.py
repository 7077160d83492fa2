"""Published events have numbers of the log: a session's history, its undo and its past are not confused by them."""

from __future__ import annotations

from callsheet import Session
from callsheet.model.event import Event
from callsheet.session.connection import over
from happenings import happening


def test_history_undo_and_the_past_pass_published_events_over() -> None:
    """Before, between and after commits; the past may be asked for at the number of an event."""
    with happening() as studio, Session(connection=over(studio.service.backend("anna"))) as session:
        publish = studio.service.backend("berta").publish
        publish(Event("studio.begun"))
        task = session.create("Task", {"name": "t", "bid": 1.0})
        first = session.commit()
        between = publish(Event("studio.between"))
        task["bid"] = 2.0
        second = session.commit()
        publish(Event("studio.after"))
        assert (first.position, between.commit, second.position) == (2, 3, 4)
        assert [commit.position for commit in session.commits()] == [2, 4]
        assert [commit.position for commit in session.commits(after=between.commit)] == [4]
        assert [entry.position for entry in session.history(task)] == [4, 2]
        with session.at(between.commit) as past:
            assert past.get("Task", task.id)["bid"] == 1.0
        session.undo(second.commit_id)
        assert task["bid"] == 1.0
        assert session.commit().position == 6
