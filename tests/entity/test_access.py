"""The written-out way of setting an item agrees with the one that holds for every attribute and value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet.errors import CallsheetError, UnknownAttribute
from callsheet.model.record import NOT_SET
from callsheet.testing import memory_service, session_on

KINDS = {"name": "string", "bid": "number", "count": "integer", "done": "boolean", "due": "date", "data": "json"}
SCHEMA = {"name": "tiny", "types": {"Thing": {"attributes": {name: {"type": kind} for name, kind in KINDS.items()}}}}
VALUES = st.sampled_from([None, "a", "b", "é", "\x00", "\ud800", 1, 0, 2**63, 1.0, 1.5, float("nan"), True, False, [1]])
SETS = st.lists(st.tuples(st.sampled_from([*KINDS, "id", "nmae"]), VALUES), max_size=8)


def told(session: Any, thing: Any, sets: list[tuple[str, Any]], fast: bool) -> list[Any]:
    """What can be seen of a thing and its session after each set."""
    seen: list[Any] = []
    for name, value in sets:
        try:
            if fast:
                thing[name] = value
            else:
                session.unit.assign(thing, name, value)
        except CallsheetError as error:
            seen.append((type(error), str(error)))
        values = [thing.peek(each) for each in KINDS]
        seen += [repr(values), thing.state, repr(session.recorded_operations), repr(session.pending)]
    return seen


@settings(max_examples=300, deadline=None)
@given(SETS, st.booleans(), st.booleans())
def test_both_ways_agree(sets: list[tuple[str, Any]], born: bool, recording: bool) -> None:
    """Values, states, operations and errors are the same, on what is new and on what is known."""
    found = []
    for fast in (True, False):
        session = session_on(SERVICE)
        thing = session.create("Thing", {"id": KEY, "name": "a"}) if born else session.get("Thing", KNOWN)
        with session.operation_recording(recording):
            found.append(told(session, thing, sets, fast))
        session.close()
    assert found[0] == found[1]


def test_a_wrong_name_is_told_alone() -> None:
    """Without the error above it by which we noticed."""
    with session_on(SERVICE) as session:
        thing = session.create("Thing", {"name": "a"})
        with pytest.raises(UnknownAttribute) as caught:
            thing["nmae"] = "b"
    assert caught.value.__context__ is None


def test_setting_what_it_was_makes_clean() -> None:
    """The entity is clean again, and nothing is pending."""
    session = session_on(SERVICE)
    thing = session.get("Thing", KNOWN)
    thing["name"] = "b"
    assert (thing.state, thing.peek("bid")) == ("modified", 1.0)
    thing["name"] = "a"
    assert (thing.state, session.pending, thing.peek("count")) == ("clean", (), None)
    assert thing.peek("name") is not NOT_SET
    session.close()


KNOWN, KEY = "018f0000-0000-7000-8000-000000000001", "018f0000-0000-7000-8000-000000000002"
SERVICE = memory_service(SCHEMA)
with session_on(SERVICE) as first:
    first.create("Thing", {"id": KNOWN, "name": "a", "bid": 1.0})
    first.commit()
