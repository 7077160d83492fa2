"""Plans of many rows: what is on disk is what was put there, and memory does not grow with the rows."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import RowMapping, Session
from callsheet.errors import CommitError, ServerError, TransportError
from callsheet.sync import applying, reading, spill
from callsheet.sync.spill import Joined, SortedSpill, SpilledList, joined


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Blocks of three items, so that a few items are several blocks on disk."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spill, "BLOCK", 3)
        patched.setattr(spill, "KEPT", 1)
        yield


@given(st.lists(st.integers()), st.integers(-20, 20), st.slices(12))
def test_a_list_on_disk_is_a_list(items: list[int], index: int, part: slice) -> None:
    """Its length, items, slices, and both ways to read it."""
    found = SpilledList(items)
    found.extend(items)
    expected = items + items
    assert (len(found), list(found), list(reversed(found)), bool(found)) == (
        len(expected), expected, expected[::-1], bool(expected),
    )  # fmt: skip
    assert found[part] == expected[part]
    if -len(expected) <= index < len(expected):
        assert found[index] == expected[index]
    else:
        with pytest.raises(IndexError):
            found[index]
    assert list(Joined([found, items])) == expected + items
    assert joined([tuple(items), tuple(items)]) == tuple(expected)


@given(st.lists(st.tuples(st.tuples(st.text("ab", max_size=2), st.text("ab", max_size=2)), st.integers(0, 9))))
def test_rows_come_out_in_the_order_of_their_keys(items: list[tuple[tuple[str, str], int]]) -> None:
    """Of one key, in the order of their numbers; reading them again gives the same."""
    sorted_items: SortedSpill[str] = SortedSpill(4)
    for key, number in items:
        sorted_items.add(key, number, "item")
    expected = [(key, number, "item") for key, number in sorted(items)]
    assert list(sorted_items) == expected
    assert list(sorted_items) == expected


MAPPING = RowMapping({"name": "name", "number": "sort"}, constants={"parent.name": "p"})


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Rows that nobody keeps."""
    return ({"name": f"f{number:05}", "number": float(number)} for number in range(count))


@pytest.fixture
def folders(callsheet_session: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session on a project; five hundred rows are planned at once."""
    monkeypatch.setattr(reading, "MANY", 500)
    monkeypatch.setattr(spill, "BLOCK", 20)
    callsheet_session.create("Project", {"name": "p"})
    callsheet_session.commit()
    return callsheet_session


def test_memory_does_not_grow_with_unchanged_rows(folders: Session) -> None:
    """Four times the rows take less than twice the memory, and no more requests for each row.

    What grows is what texts were read as, which is bounded; a plan that kept its rows would take ten times as much.
    """

    def planned(count: int) -> tuple[int, int]:
        session = folders.fork()
        before = session.statistics.requests
        tracemalloc.start()
        plan = session.plan("Folder", rows(count), ("parent.name", "name"), MAPPING)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (len(plan.unchanged), plan.is_empty) == (count, True)
        return peak, session.statistics.requests - before

    folders.plan("Folder", rows(6_000), ("parent.name", "name"), MAPPING).apply(atomic=False)
    planned(1_500)
    (little, few), (much, many) = planned(1_500), planned(6_000)
    assert much < little * 2
    assert (few, many) == (4, 13)


def test_a_large_plan_is_sent_from_disk(folders: Session) -> None:
    """In chunks, with a count that is right, whose operations are read one after the other."""
    plan = folders.plan("Folder", rows(1_200), ("parent.name", "name"), MAPPING)
    assert (len(plan.operations), len(list(plan.operations)), plan.created[1_100].key) == (
        1_200,
        1_200,
        ("p", "f01100"),
    )
    told: list[tuple[int, int]] = []
    done = plan.apply(atomic=False, chunk=500, progress=lambda *each: told.append(each))
    assert (done.created, done.changed, len(done.commits)) == (1_200, 0, 3)
    assert told == [(500, 1_200), (1_000, 1_200), (1_200, 1_200)]
    changed = [{**row, "number": 0.5} for row in rows(1_200)]
    again = folders.plan("Folder", changed, ("parent.name", "name"), MAPPING).apply()
    assert (again.created, again.changed, len(again.commits)) == (0, 1_200, 1)


def test_rows_of_different_parts_refer_to_each_other(folders: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of new folders, each below the next row's, is created whole; one bad row takes along what is below it."""
    monkeypatch.setattr(reading, "MANY", 3)
    chain = [{"n": f"c{number}", "p": f"c{number + 1}" if number < 9 else "p", "s": "1"} for number in range(10)]
    mapping = {"n": "name", "p": "parent.name", "s": "sort"}
    bad = [{**row, "s": "x"} if row["n"] == "c4" else row for row in chain]
    plan = folders.plan("Folder", bad, "name", mapping, on_error="skip")
    assert [each.row for each in plan.refused] == [1, 2, 3, 4, 5]
    assert plan.apply(atomic=False).created == 5
    assert folders.plan("Folder", chain, "name", mapping).apply(atomic=False, chunk=2).created == 5
    assert folders.fork().query("select parent.name from Folder where name is c3").one()["parent"]["name"] == "c4"


@pytest.mark.parametrize("lost", [ServerError("the disk is full"), TransportError("no answer")])
def test_what_was_done_before_a_chunk_failed_is_handed_over(
    folders: Session, monkeypatch: pytest.MonkeyPatch, lost: Exception
) -> None:
    """The error has the result of the chunks before it, whether the outcome of its own is known or not."""
    send, sent = applying.send_alone, []

    def failing(core: Any, operations: Any, origin: str, **_: Any) -> Any:
        sent.append(len(operations))
        if len(sent) < 3:
            return (yield from send(core, operations, origin=origin))
        if isinstance(lost, ServerError):
            lost.status = 500
            raise lost
        raise CommitError(f"no answer to commit x: {lost}; it may have been done or not") from lost

    monkeypatch.setattr(applying, "send_alone", failing)
    plan = folders.plan("Folder", rows(5), ("parent.name", "name"), MAPPING)
    with pytest.raises(CommitError) as caught:
        plan.apply(atomic=False, chunk=2)
    assert (caught.value.result.created, len(caught.value.result.commits)) == (4, 2)


MILLION = """
import resource, sys
from callsheet import RowMapping, Session
from callsheet.model.operation import Create
count = int(sys.argv[2])
mapping = RowMapping({"n": "name", "s": "parent.name", "x": "sort", "d": "description"})
def rows():
    return ({"n": f"f{i:07}", "s": f"p{i % 100:02}", "x": float(i), "d": f"the text of {i}"} for i in range(count))
def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with Session("sqlite:///" + sys.argv[1]) as session:
    if not session.query("Project").exists():
        for number in range(100):
            session.create("Project", {"name": f"p{number:02}"})
        session.commit()
    plan = session.plan("Folder", rows(), ("parent.name", "name"), mapping)
    created = len(plan.created)
    if created:
        plan.apply(atomic=False)
    print(created, len(plan.unchanged), int(used()))
"""


@pytest.mark.deep
def test_a_million_rows_take_bounded_memory(tmp_path: Path) -> None:
    """A million rows against a million entities, in a process of its own: at most 300 MB, first and again."""
    for expected in ((1_000_000, 0), (0, 1_000_000)):
        command = [sys.executable, "-c", MILLION, str(tmp_path / "show.db"), "1000000"]
        done = subprocess.run(command, capture_output=True, text=True)
        created, unchanged, memory = map(int, done.stdout.split())
        assert (created, unchanged) == expected
        assert memory <= 300
