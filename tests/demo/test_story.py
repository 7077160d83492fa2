"""The demo's project follows its cut with the smallest change."""

from __future__ import annotations

from attrs import evolve

import callsheet
from callsheet.conform.edit import Clip, Edit
from callsheet.conform.show import load_show
from callsheet.conform.writing import TASKS, write_edit
from callsheet.demo.cut import revised, sol_levante
from callsheet.demo.reading import read_project
from callsheet.model.operation import Create, Update


def test_a_cut_becomes_a_project(session: callsheet.Session) -> None:
    """Twelve shots make a sequence; a shot has four tasks; one commit holds one create for each."""
    write_edit(session, load_show(session, "sol_levante", TASKS), sol_levante())
    assert [type(operation) for operation in session.pending] == [Create] * (1 + 6 + 72 + 72 * 4)
    session.commit()
    assert session.query('Task where parent.parent.name is "sq030" and type.name is "Lighting"').count() == 12
    first = session.query("select name, fstart, fend from Shot order by cut_order").first()
    assert (first["name"], first["fstart"], first["fend"]) == ("sh0010", 1001, 1024)


def test_the_same_cut_again_changes_nothing(session: callsheet.Session) -> None:
    """Writing what is there already leaves nothing to send."""
    show = load_show(session, "sol_levante", TASKS)
    write_edit(session, show, sol_levante())
    session.commit()
    write_edit(session, show, sol_levante())
    assert session.pending == ()


def test_a_new_cut_changes_what_differs(session: callsheet.Session) -> None:
    """One shot retimed, one omitted, one new with its tasks: seven operations, and no value more."""
    show = load_show(session, "sol_levante", TASKS)
    write_edit(session, show, sol_levante())
    session.commit()
    write_edit(session, show, revised(sol_levante()))
    retimed, omitted = [operation for operation in session.pending if isinstance(operation, Update)]
    created = [operation for operation in session.pending if isinstance(operation, Create)]
    assert dict(retimed.values) == {"fend": 1054, "frame_count": 54, "source_out": 1568}
    assert dict(omitted.values) == {"status": show.omitted.identity}
    assert [operation.values["name"] for operation in created] == [
        "sh0375",
        "layout",
        "animation",
        "lighting",
        "compositing",
    ]


def test_one_by_one_is_no_boast(session: callsheet.Session) -> None:
    """A session that reads one by one takes no fewer requests than are told; one that reads lazily a handful."""
    clip = Clip("sh", 0, 24, 24.0, sequence="sq010", last=23)
    clips = (evolve(clip, shot=f"sh{number}", place=number, sequence=f"sq{number // 12}") for number in range(14))
    write_edit(session, load_show(session, "tiny", TASKS), Edit("tiny", tuple(clips)))
    session.commit()
    taken, told = {}, {}
    for policy in ("one", "peers"):
        with session.fork() as fresh, fresh.auto_populating(policy):  # type: ignore[arg-type]
            told[policy] = read_project(fresh, "tiny").one_by_one
            taken[policy] = fresh.statistics.requests
    assert told == {"one": 78, "peers": 78}
    assert taken["one"] >= 78
    assert taken["peers"] <= 10
