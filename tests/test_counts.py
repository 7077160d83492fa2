"""What work costs, counted in function calls, requests and bytes: proportional to what is done, and nothing else.

The clock is not asked: counts are the same on every machine.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from callsheet import Session
from callsheet.dialects.protocol import CommitResult
from callsheet.entity.loader import merge_records
from callsheet.entity.peers import Peers
from callsheet.model.language.coercion import coerce
from callsheet.model.record import Records
from callsheet.model.schema import Attribute
from callsheet.session.connection import over
from callsheet.testing import memory_service, session_on


def calls(function: Callable[[], Any]) -> int:
    """How many functions are called, those written in C included."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    function()
    gc.disable()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def wide_session(width: int) -> Session:
    """A session whose one entity type has so many attributes."""
    attributes = {f"a{number}": {"type": "string"} for number in range(width)}
    session: Session = session_on(memory_service({"name": "wide", "types": {"Wide": {"attributes": attributes}}}))
    session.open()
    return session


def merging(session: Session, entity_type: str, attributes: tuple[str, ...], values: list[Any], rows: int) -> int:
    """Calls that merging so many new rows takes."""
    start = iter(range(0, 10_000_000, rows))

    def merge() -> None:
        first = next(start)
        page = [[f"{first + number:08}", 1, *values] for number in range(rows)]
        held.append(merge_records(Records(entity_type, attributes, page), session, session.types, Peers(entity_type)))

    held: list[Any] = []
    return calls(merge)


def per_row(session: Session, entity_type: str, attributes: tuple[str, ...], values: list[Any]) -> float:
    few, many = (merging(session, entity_type, attributes, values, rows) for rows in (100, 1_100))
    return (many - few) / 1_000


def test_a_row_costs_the_same_however_wide_the_schema() -> None:
    """Three attributes of a type of 4 or of 200."""
    costs = {per_row(wide_session(width), "Wide", ("a0", "a1", "a2"), ["x", "y", "z"]) for width in (4, 200)}
    assert len(costs) == 1
    assert costs.pop() <= 4


def test_a_value_costs_no_call() -> None:
    """A row of twenty scalars is merged with the calls of a row of one."""
    session = wide_session(20)
    names = tuple(f"a{number}" for number in range(20))
    assert per_row(session, "Wide", names, ["x"] * 20) == per_row(session, "Wide", names[:1], ["x"])


def test_a_reference_costs_one_call_where_its_target_is_known(callsheet_session: Any) -> None:
    """It is looked up in the identity map."""
    session = callsheet_session
    status = session.create("Status", {"name": "Done"})
    assert status.state == "created"
    plain = per_row(session, "Task", ("name",), ["x"])
    with_status = per_row(session, "Task", ("name", "status"), ["x", status.id])
    assert with_status - plain <= 1


def test_a_recorded_set_costs_a_few_calls(callsheet_session: Any) -> None:
    """Of a text: at most six for each, and five for a value it has already."""
    session = callsheet_session
    tags = [session.create("Tag", {"name": str(number)}) for number in range(1_000)]
    session.commit()
    values = iter("abcdefgh")

    def change(value: str) -> None:
        for tag in tags:
            tag["name"] = value

    assert calls(lambda: change(next(values))) / 1_000 <= 6
    assert calls(lambda: change("same")) / 1_000 <= 5


class Quick:
    """A backend that says yes to every commit, so that only the client's work is counted."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def commit(self, changes: Any) -> CommitResult:
        return CommitResult(changes.commit_id, 1, datetime.now(UTC), [2] * len(changes.operations))


def commit_cost(service: Any, cached: int) -> int:
    """Calls that changing ten entities and committing takes, with so many in memory."""
    session = Session(connection=over(Quick(service.backend("admin"))), window=20_000)
    held = session.query(f"Tag order by name limit {cached}").all()
    assert len(held) == cached
    turn = iter(range(100))

    def change_and_commit() -> None:
        value = f"colour {next(turn)}"
        for tag in held[:10]:
            tag["color"] = value
        session.commit()

    return calls(change_and_commit)


def test_a_commit_costs_what_it_changes_however_much_is_cached(callsheet_service: Any) -> None:
    """Ten changes with 100 or 10,000 entities in memory: the same calls, to one."""
    session = session_on(callsheet_service)
    for number in range(10_000):
        session.create("Tag", {"name": f"{number:05}"})
    session.commit()
    session.close()
    assert commit_cost(callsheet_service, 100) == commit_cost(callsheet_service, 10_000)


class Sent:
    """A backend that notes the change sets it is sent."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.changes: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def commit(self, changes: Any) -> Any:
        self.changes.append(changes)
        return self._backend.commit(changes)


def test_the_order_of_setting_makes_no_difference(callsheet_service: Any) -> None:
    """The same operations and the same bytes, whatever order attributes are set in."""
    from callsheet.model.converter import operations_to_plain
    from callsheet.model.plain import encode

    backend = Sent(callsheet_service.backend("admin"))
    session = Session(connection=over(backend))
    project = session.create("Project", {"name": "p"})
    session.commit()
    shot = session.create("Shot", {"name": "s", "parent": project, "fstart": 0, "fend": 0, "description": "0"})
    session.commit()
    values = {"fstart": 1, "fend": 2, "description": "three"}
    seen = set()
    for order in permutations(values):
        for name in order:
            shot[name] = values[name]
        (update,) = session.pending
        assert list(update.values.items()) == [("description", "three"), ("fend", 2), ("fstart", 1)]
        seen.add(encode(operations_to_plain([update])))
        session.rollback()
    assert len(seen) == 1


@pytest.mark.parametrize("touch", ["parent", "status", "metadata", "children", "name"])
def test_a_thousand_entities_touching_one_attribute_cost_three_requests(callsheet_service: Any, touch: str) -> None:
    """Whatever its kind: a page or two, and one load."""
    session = session_on(callsheet_service)
    project = session.create("Project", {"name": "p"})
    state = session.create("State", {"name": "Any", "short": "any"})
    status = session.create("Status", {"name": "Ready", "state": state})
    for number in range(1_000):
        session.create("Folder", {"name": f"f{number}", "parent": project, "status": status})
    session.commit()
    fresh = session.fork()
    count = 0
    for folder in fresh.query("select id from Folder"):
        value = folder[touch]
        count += len(value) + 1 if touch in ("children", "metadata") else bool(value)
    assert count == 1_000
    assert fresh.statistics.requests <= 3


def test_going_through_a_reference_costs_one_request_a_step(callsheet_service: Any) -> None:
    """A thousand notes on a thousand folders: the notes, their folders, no more."""
    session = session_on(callsheet_service)
    project = session.create("Project", {"name": "p"})
    for number in range(1_000):
        folder = session.create("Folder", {"name": f"f{number}", "parent": project})
        session.create("Note", {"content": "n", "parent": folder})
    session.commit()
    fresh = session.fork()
    names = {note["parent"]["name"] for note in fresh.query("Note", page_size=1_000)}
    assert len(names) == 1_000
    assert fresh.statistics.requests <= 3


def test_a_number_in_a_list_costs_the_same_whether_its_attribute_is_indexed() -> None:
    """The limit of indexed texts is none of numbers: no description of the attribute is made for each of them."""
    plain, indexed = Attribute("n", data_type="integer"), Attribute("n", data_type="integer", unique=True, indexed=True)
    costs = [
        calls(lambda each=each: [coerce("Shot", each, number) for number in range(100)]) for each in (plain, indexed)
    ]
    assert costs[0] == costs[1]


def test_a_short_text_in_a_list_costs_nearly_the_same_whether_its_attribute_is_indexed() -> None:
    """Its length is looked at: seven calls more for each; no description of the attribute is made for it."""
    plain, indexed = Attribute("n"), Attribute("n", unique=True, indexed=True)
    texts = [f"sh{number:03}" for number in range(100)]
    costs = [calls(lambda each=each: [coerce("Shot", each, text) for text in texts]) for each in (plain, indexed)]
    assert costs[1] - costs[0] <= 700


def test_a_text_in_a_list_may_be_longer_than_an_index_takes() -> None:
    """It is compared and not found."""
    text = "x" * 10_000
    assert coerce("Shot", Attribute("name", unique=True, indexed=True), text) == text
