"""Values of the scientific stack go in as they are, and a second run finds them in their places."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from callsheet import RowMapping


def test_records_of_a_frame_are_planned_as_they_are(show: Any) -> None:
    """NaN, NaT and NA are empty, integral floats integers, midnights dates; nothing differs the second time."""
    frame = pd.DataFrame(
        {
            "project.name": ["sintel"] * 3,
            "name": pd.Series(["a", "b", "c"], dtype="string"),
            "parent.name": ["sq1"] * 3,
            "fstart": [1001.0, float("nan"), 990.0],
            "fend": pd.Series([1100, None, 1000], dtype="Int64"),
            "due_date": pd.to_datetime(["2026-01-31", None, "2026-02-01"]),
            "description": ["x", None, pd.NA],
        }
    )
    columns = {name: name for name in frame.columns}
    rows = frame.to_dict("records")
    made = show.plan("Shot", rows, ("project.name", "name"), RowMapping(columns))
    assert len(made.refused) == 0
    made.apply()
    found = show.fork().query("select name, fstart, fend, due_date, description from Shot order by name").all()
    values = [tuple(shot[name] for name in ("name", "fstart", "fend", "due_date", "description")) for shot in found]
    assert values == [
        ("a", 1001, 1100, date(2026, 1, 31), "x"),
        ("b", None, None, None, None),
        ("c", 990, 1000, date(2026, 2, 1), None),
    ]
    assert {type(value) for row in values for value in row} == {str, int, date, type(None)}
    assert show.plan("Shot", rows, ("project.name", "name"), RowMapping(columns)).is_empty


def test_a_value_that_loses_something_is_refused_by_row_and_column(show: Any) -> None:
    """With the reason; the other rows go in."""
    rows = [
        {"project.name": "sintel", "parent.name": "sq1", "name": np.str_("a"), "fstart": Decimal("0.5")},
        {"project.name": "sintel", "parent.name": "sq1", "name": np.str_("b"), "fstart": np.int64(7)},
    ]
    columns = {name: name for name in rows[0]}
    made = show.plan("Shot", rows, ("project.name", "name"), RowMapping(columns))
    (refused,) = made.refused
    assert (refused.row, refused.column) == (1, "fstart")
    assert "whole number" in refused.reason
    assert len(made.created) == 1
