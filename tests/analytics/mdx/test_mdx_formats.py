"""Values become text as Visual Basic formats them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from callsheet.analytics.mdx.formats import format_value
from callsheet.analytics.mdx.values import as_text


@pytest.mark.parametrize(
    ("value", "pattern", "text"),
    [
        (266773, "Standard", "266,773"),
        (2.5, "Standard", "3"),
        (-2.5, "#,##0", "-3"),
        (0, "Standard", "0"),
        (1234567.891, "#,###.00", "1,234,567.89"),
        (0.5, "#,###.00", ".50"),
        (0, "#,###", ""),
        (Decimal("565238.1300"), "#,###.00", "565,238.13"),
        (0.123, "0.0%", "12.3%"),
        (1234.5, "$#,##0.00", "$1,234.50"),
        (-5, "$#,##0.00;($#,##0.00)", "($5.00)"),
        (0, "0;-0;zero", "zero"),
        (None, "0;0;0;none", "none"),
        (None, "0.00", ""),
        (1_234_567, "#,##0,", "1,235"),
        (1_234_567, "0.0,,", "1.2"),
        (1e6, "0.00e+00", "1.00e+06"),
        (0.00123, "0.0E-00", "1.2E-03"),
        (12.3, '"abc"0.0', "abc12.3"),
        (3, r"\a0\%", "a3%"),
        (7, "000", "007"),
        (1.5, "##.0#", "1.5"),
        (float("inf"), "Standard", "Infinity"),
        (float("-inf"), "0.0%", "-Infinity"),
        (float("nan"), "Standard", "NaN"),
        (1, "Yes/No", "Yes"),
        (0, "Yes/No", "No"),
        (-1234.5, "Currency", "($1,234.50)"),
        (0.12345, "Percent", "12.35%"),
        (3.0, "General Number", "3"),
        ("text", "0.00", "text"),
        ("text", ">", "TEXT"),
        (True, "0", "true"),
        (45, "|#,##0.00|style=red", "|45.00|style=red"),
        (dt.date(1997, 3, 5), "yyyy-mm-dd", "1997-03-05"),
        (dt.datetime(1997, 3, 5, 14, 7), "d mmm yyyy hh:nn AM/PM", "5 Mar 1997 02:07 PM"),
        (dt.datetime(1997, 3, 5, 14, 7), "hh:mm", "14:07"),
    ],
)
def test_a_value_is_formatted(value: Any, pattern: str, text: str) -> None:
    """Sections, digits, groups, scales, literals and names."""
    assert format_value(value, pattern) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3.0"), (3, "3"), (0.1, "0.1"), (1e10, "1.0E10"), (1.5e-5, "1.5E-5"), (None, ""), (False, "false")],
)
def test_a_value_in_a_text_is_written_in_full(value: Any, text: str) -> None:
    """A double has a point, a large one an exponent."""
    assert as_text(value) == text
