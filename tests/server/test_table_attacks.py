"""Bytes and names from outside: whatever is sent to user tables, the server refuses it or loads it, and goes on."""

from __future__ import annotations

import io
import random
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import Session
from callsheet.errors import CallsheetError, Invalid, TooLarge
from callsheet.server.tables.arrow_columns import batches
from callsheet.server.tables.loading import random_ids

TABLE = pyarrow.table(
    {
        "s": ["a", "bc", None, "dé"] * 5,
        "i": pyarrow.array([1, None, 3, 4] * 5),
        "f": [1.5, None, 2.0, 3.0] * 5,
        "b": [True, None, False, True] * 5,
        "d": pyarrow.array([1, 2, None, 4] * 5, pyarrow.int32()).cast(pyarrow.date32()),
        "t": pyarrow.array([1, 2, None, 4] * 5, pyarrow.timestamp("us", "UTC")),
    }
)
STEPS = ("create", "remove", "load", "drop", "join", "share")
NASTY = st.sampled_from(
    ["", "Task", "T", "_table", "'; drop table _log; --", "\0", "a" * 400, "ä\u0301", "T.n", 5, None, [], {}]
)


def stream(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema, options=pyarrow.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_damaged_rows_are_refused() -> None:
    """Any changed bytes of a stream are an error, or rows; never a crash."""
    good, chance = stream(TABLE), random.Random(7)
    for _ in range(1_500):
        damaged = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            for batch in batches(bytes(damaged)):
                for _, values in batch.columns.values():
                    values()
        except (Invalid, TooLarge):
            continue
    for end in range(0, len(good), 37):
        try:
            list(batches(good[:end]))
        except (Invalid, TooLarge):
            continue


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (stream(TABLE, compression="zstd"), "compressed"),
        (stream(TABLE, compression="lz4"), "compressed"),
        (stream(pyarrow.table({"s": pyarrow.array(["a"]).dictionary_encode()})), "no column takes that"),
        (stream(pyarrow.table({"s": [[1]]})), "no column takes that"),
        (stream(pyarrow.table({"s": pyarrow.nulls(300_000)})), "at most"),
        (stream(pyarrow.table([[1], [2]], names=["n", "n"])), "two columns"),
        (b"", "cannot be read"),
        (b"\xff" * 100, "cannot be read"),
    ],
)
def test_what_could_fill_the_memory_is_refused(data: bytes, problem: str) -> None:
    """Compression, dictionaries, nested types, and rows without data."""
    with pytest.raises((Invalid, TooLarge), match=problem):
        list(batches(data))


@pytest.fixture(scope="module")
def attacked() -> Any:
    with Session("memory:") as session:
        session.create_table("T", {"n": "integer", "s": "text"}, keys=["n"])
        yield session


def test_no_step_breaks_the_server(attacked: Any) -> None:
    """Steps with any names and values are refused as the caller's mistake, or done."""
    backend = attacked._connection.service.backend("admin")
    names = NASTY
    fields = st.fixed_dictionaries(
        {"do": st.sampled_from(STEPS), "table": names},
        optional={
            "columns": NASTY
            | st.lists(st.fixed_dictionaries({"name": names, "type": st.sampled_from(["integer", "x"])})),
            "keys": NASTY | st.lists(names, max_size=2),
            "load": names,
            "parts": st.integers(-1, 2) | names,
            "where": names
            | st.sampled_from(["n > 1", "n > 'x'", "s like '%'", "id is 5", "1 = 1", "n in (select n from T)"]),
            "target": names,
            "name": names,
            "account": names,
            "writes": st.booleans() | names,
        },
    )

    @settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.lists(fields, max_size=2), st.text(max_size=8) | names)
    def holds(steps: Any, identifier: Any) -> None:
        try:
            backend.call("tables.change", {"id": identifier, "steps": steps})
        except CallsheetError as error:
            if getattr(error, "status", 400) >= 500:
                faults.append(error)

    faults: list[CallsheetError] = []
    holds()
    assert faults == []
    assert attacked.query("Project").all() == []


def test_parts_are_bounded(attacked: Any) -> None:
    """A part has a number, a size and an account's share; one that is missing is named."""
    backend = attacked._connection.service.backend("admin")
    with pytest.raises(Invalid, match="number of a part"):
        backend.stage_rows("x", -1, b"")
    with pytest.raises(TooLarge, match="at most"):
        backend.stage_rows("x", 0, b"\0" * (17 * 2**20))
    with pytest.raises(Invalid, match="printable"):
        backend.stage_rows("a\nb", 0, b"")
    with pytest.raises(Invalid, match="part 0 of the load was not staged"):
        backend.call("tables.change", {"id": "p", "steps": [{"do": "load", "table": "T", "load": "none", "parts": 1}]})


def test_a_change_is_done_once(attacked: Any) -> None:
    """The same change again gives the first answer; its id is not taken for another one."""
    table = attacked.create_table("Once", {"n": "integer"})
    backend = attacked._connection.service.backend("admin")
    backend.stage_rows("l1", 0, stream(pyarrow.table({"n": [1, 2]})))
    change = {"id": "once", "steps": [{"do": "load", "table": "Once", "load": "l1", "parts": 1}]}
    first = backend.call("tables.change", change)
    assert backend.call("tables.change", change) == first
    assert table.row_count == 2
    with pytest.raises(Invalid, match="used for something else"):
        backend.call("tables.change", {"id": "once", "steps": [{"do": "drop", "table": "Once"}]})


def test_random_ids_sort_in_their_order() -> None:
    """Rows without keys are read in the order in which they were loaded."""
    found = [*random_ids(1_000)]
    assert found == sorted(found)
    assert len({*found}) == 1_000
