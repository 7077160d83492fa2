"""A project follows a cut with the smallest change."""

from __future__ import annotations

import callsheet
from callsheet.demo.conform import conform, new_show, shot_name
from callsheet.demo.cut import Clip, Cut, revised, sol_levante
from callsheet.demo.reading import read_project
from callsheet.model.operation import Create, Update


def test_a_cut_becomes_a_project(session: callsheet.Session) -> None:
    """Twelve shots make a sequence; a shot has four tasks; one commit holds one create for each."""
    show = new_show(session, sol_levante())
    conform(session, show, sol_levante())
    assert [type(operation) for operation in session.pending] == [Create] * (1 + 6 + 72 + 72 * 4)
    session.commit()
    assert session.query('Task where parent.parent.name is "sq030" and type.name is "Lighting"').count() == 12
    first = session.query("select name, fstart, fend from Shot order by sort").first()
    assert (first["name"], first["fstart"], first["fend"]) == ("sh0010", 1001, 1024)


def test_the_same_cut_again_changes_nothing(session: callsheet.Session) -> None:
    """Writing what is there already leaves nothing to send."""
    show = new_show(session, sol_levante())
    conform(session, show, sol_levante())
    session.commit()
    conform(session, show, sol_levante())
    assert session.pending == ()


def test_a_new_cut_changes_what_differs(session: callsheet.Session) -> None:
    """One shot retimed, one omitted, one new with its tasks: seven operations, and no value more."""
    show = new_show(session, sol_levante())
    conform(session, show, sol_levante())
    session.commit()
    conform(session, show, revised(sol_levante()))
    retimed, omitted = [operation for operation in session.pending if isinstance(operation, Update)]
    created = [operation for operation in session.pending if isinstance(operation, Create)]
    assert dict(retimed.values) == {"fend": 1054, "frame_count": 54, "source_out": 1568}
    assert dict(omitted.values) == {"status": show.statuses["Omitted"].identity}
    assert [operation.values["name"] for operation in created] == [
        "sh0375",
        "layout",
        "animation",
        "lighting",
        "compositing",
    ]


def test_one_by_one_is_no_boast(session: callsheet.Session) -> None:
    """A session that reads one by one takes no fewer requests than are told; one that reads lazily a handful."""
    cut = Cut("tiny", tuple(Clip(number * 10, 0, 24, 24.0) for number in range(1, 15)))
    conform(session, new_show(session, cut), cut)
    session.commit()
    taken, told = {}, {}
    for policy in ("one", "peers"):
        with session.fork() as fresh, fresh.auto_populating(policy):  # type: ignore[arg-type]
            told[policy] = read_project(fresh, "tiny").one_by_one
            taken[policy] = fresh.statistics.requests
    assert told == {"one": 79, "peers": 79}
    assert taken["one"] >= 79
    assert taken["peers"] <= 10


def test_shot_names_leave_room() -> None:
    """Numbers count in tens, at least four digits wide."""
    assert [shot_name(Clip(number, 0, 1, 24.0)) for number in (10, 375, 12340)] == ["sh0010", "sh0375", "sh12340"]
