"""Rows read column by column give the cells, and the refusals, that rows read one by one give."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from callsheet import Column, RowMapping
from callsheet.model.schema import Schema
from callsheet.sync.cells import Reader, Row
from callsheet.sync.layout import lay_out

SCHEMA = Schema(
    {
        "types": {
            "Note": {
                "label": "name",
                "attributes": {
                    "id": {"type": "string"},
                    "name": {"type": "string"},
                    "count": {"type": "integer"},
                    "share": {"type": "number"},
                    "open": {"type": "boolean"},
                    "day": {"type": "date"},
                    "data": {"type": "json"},
                    "metadata": {"type": "mapping"},
                },
            }
        }
    }
)
MAPPING = RowMapping(
    {
        "name": Column("name", values={"old": "new"}),
        "count": "count",
        "share": Column("share", default=0.5),
        "open": "open",
        "day": "day",
        "data": "data",
        "lens": "metadata.lens",
    }
)
TEXTS = st.sampled_from(
    ["", " ", "a", "old", "b ", "é", "e\u0301", "a\tb", "x" * 300, "12", "1,5", "yes", "2026-11-30"]
)
VALUES: Any = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 7, 2**63, -(2**63), 2**70, 0.5, 3.0, float("nan"), float("inf"), date(2026, 11, 30)]),
    st.sampled_from([{"a": 1}, [1, "x"], object]),
)
SAME_KIND = st.sampled_from([TEXTS, st.integers(-3, 3), st.floats(-2, 2), st.booleans(), VALUES])


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows whose columns are mostly of one kind; now and then one lacks a column."""
    count = draw(st.integers(1, 6))
    columns = {name: draw(st.lists(draw(SAME_KIND), min_size=count, max_size=count)) for name in MAPPING.columns}
    lacking = draw(st.sets(st.tuples(st.integers(0, count - 1), st.sampled_from(sorted(columns))), max_size=2))
    return [{n: each[row] for n, each in columns.items() if (row, n) not in lacking} for row in range(count)]


def reader() -> Reader:
    return Reader(lay_out(SCHEMA, "Note", MAPPING.targets, ("name",)), MAPPING)


@settings(max_examples=80)
@given(tables())
@example([{"name": "a", "count": 1}, {"name": "b", "count": True}])
@example([{"name": "a", "share": "1"}, {"name": "old", "share": ""}])
def test_columns_and_rows_are_read_alike(table: list[dict[str, Any]]) -> None:
    """Whatever is in them; the types are the same, too."""
    rows = [Row(number, values) for number, values in enumerate(table, 1)]
    together, one_by_one = reader(), reader()
    found = list(together.read(rows))
    expected = [cells for row in rows for cells in one_by_one.read([row, Row(0, {"name": object()})]) if cells.number]
    assert list(map(shown, found)) == list(map(shown, expected))
    assert shown(together.refused) == shown([each for each in one_by_one.refused if each.row])


def shown(found: Any) -> str:
    """A text that also tells types apart, whatever the order of the cells."""
    return repr((*found[::2], sorted(found.values.items()))) if hasattr(found, "values") else repr(found)
