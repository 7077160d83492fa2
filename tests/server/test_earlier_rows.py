"""Rows of the log and parts of commits are read as they were written, also those of earlier versions."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studio import Create, Delete, Identity, Studio, Update, task

from callsheet.errors import Invalid
from callsheet.model.adjustment import increment
from callsheet.model.history import EntityChange
from callsheet.model.operation import ChangeSet
from callsheet.model.record import same
from callsheet.server.log import commits, receipts

A, S = Identity("Task", "a"), Identity("Shot", "s")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.sampled_from(["", "2026-05-01"])
KEYS = st.sampled_from(["$date", "$datetime", "$identity", "$json", "$object", "a"])
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2))


@given(st.lists(st.dictionaries(st.sampled_from(["x", "y"]), DATA), min_size=1, max_size=3))
def test_the_log_keeps_any_data_as_it_is(values: list[dict[str, Any]]) -> None:
    """Data in which users write what looks like a tag is read back unchanged, in lists and in objects."""
    changes = tuple(EntityChange(A, "update", 1, each, each, version=2) for each in values)
    written = commits.encode_changes(changes)
    for read in (commits.decode_changes(written), commits.decode_pieces(commits.pieces(written))):
        assert all(same(dict(one.after), each) for one, each in zip(read, values, strict=True))
        assert all(same(dict(one.before), each) for one, each in zip(read, values, strict=True))


def test_the_log_keeps_all_of_a_change() -> None:
    """Moments, dates, references, members and adjustments come back as they were."""
    values = {"due": date(2026, 5, 1), "started": NOON, "parent": S, "bid": 1.0, "note": None}
    change = EntityChange(A, "update", 3, {}, values, {"tags": (S,)}, {"tags": (A,)}, 4, {"bid": increment(2)})
    assert commits.decode_changes(commits.encode_changes([change])) == (change,)


EARLIER_CHANGES = [
    {
        "type": "Task",
        "key": "a",
        "kind": "update",
        "previous": 3,
        "version": 2,
        "before": {"data": {"$json": {"$date": "late"}}, "parent": {"$identity": ["Shot", "s"]}},
        "after": {"data": [{"$date": "late"}, {"$identity": 1}], "due": {"$date": "2026-05-01"}},
        "added": {"tags": [["Shot", "s"]]},
        "adjusted": {"bid": {"by": 1.5, "empty": 1.5}},
    },
    {
        "type": "Task",
        "key": "b",
        "kind": "create",
        "previous": None,
        "version": 1,
        "after": {"at": {"$datetime": "2026-05-01T12:00:00+00:00"}},
    },
]


def test_rows_of_earlier_versions_are_read() -> None:
    """Before 0.3 data in lists were written as they are, so nothing in them was a tag."""
    data = zlib.compress(json.dumps(EARLIER_CHANGES).encode())
    first, second = commits.decode_changes(data)
    assert first == EntityChange(
        A,
        "update",
        3,
        {"data": {"$date": "late"}, "parent": S},
        {"data": [{"$date": "late"}, {"$identity": 1}], "due": date(2026, 5, 1)},
        {"tags": (S,)},
        {},
        2,
        {"bid": increment(1.5)},
    )
    assert second == EntityChange(Identity("Task", "b"), "create", None, {}, {"at": NOON}, version=1)
    assert commits.decode_pieces(commits.pieces(data)[1:]) == (second,)


def test_a_part_that_an_earlier_version_staged_is_committed(studio: Studio) -> None:
    """The parts of a commit may have been staged before the server was updated, and the rest after it."""
    studio.commit(task("a", data={"old": 1}), task("b"))
    before = [
        ["update", ["Task", "a"], {"data": [{"$date": "late"}]}, {"data": {"$json": {"old": 1}}}, {}, {}, 1],
        ["create", ["Task", "c"], {"name": "c", "due": {"$date": "2026-05-01"}}, {}],
        ["delete", ["Task", "b"], 1],
    ]
    after = receipts.part_content([Create(Identity("Task", "d"), {"name": "d", "data": [{"$object": {}}]})])
    for number, content in enumerate((json.dumps(before).encode(), after)):
        part = receipts.StagedPart("anna", "c", number, content, NOON)
        studio.store.write(lambda connection, part=part: receipts.stage(studio.store, connection, part, 2**20))
    with studio.store.reading() as connection:
        found = receipts.parts(studio.store, connection, "anna", ChangeSet("c", (), 2))
    assert found == [
        Update(A, {"data": [{"$date": "late"}]}, {"data": {"old": 1}}, version=1),
        Create(Identity("Task", "c"), {"name": "c", "due": date(2026, 5, 1)}),
        Delete(Identity("Task", "b"), 1),
        Create(Identity("Task", "d"), {"name": "d", "data": [{"$object": {}}]}),
    ]


def test_a_part_with_what_json_does_not_hold_is_refused() -> None:
    """An embedded session may stage any object; it is refused before anything is kept."""
    with pytest.raises(Invalid, match="cannot be sent"):
        receipts.part_content([Create(A, {"name": object()})])
