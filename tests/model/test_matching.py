"""Conditions read by Python, with the meaning told in ``model/query.py``."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.errors import QueryError
from callsheet.model.language.matching import like, matches
from callsheet.model.language.parser import parse_condition
from callsheet.model.query import Comparison, Condition, Not, Path
from callsheet.model.schema import Schema
from strategies import conditions, paths

SHOT: dict[str, Any] = {
    "@type": "Shot",
    "name": "SH010",
    "fps": 24.0,
    "frames": None,
    "omitted": False,
    "due": date(2026, 3, 1),
    "start": datetime(2026, 1, 1, 10, tzinfo=UTC),
    "status": {"@type": "Status", "name": "Done"},
    "parent": {"@type": "Sequence", "name": "SQ1", "parent": None, "children": []},
    "assignee": None,
    "children": [
        {"@type": "Task", "name": "anim", "bid": 2, "status": {"name": "Done"}, "logs": [{"hours": 1}, {"hours": 5}]},
        {"@type": "Task", "name": "comp", "bid": None, "status": None, "logs": []},
        {"@type": "Asset", "name": "car", "logs": []},
    ],
    "versions": [],
    "metadata": {"colour": "red", "frame rate": "25"},
    "link": [],
}


@pytest.mark.parametrize(
    "text",
    [
        "name is SH010",
        "name is_not sh010",
        "fps = 24 and fps >= 24 and fps <= 24 and not fps > 24",
        "omitted is False",
        "status.name in (Done, Final)",
        "status.name not_in ()",
        "due before 2026-03-02 and due after 2026-02-28",
        "start after 2026-01-01T09:59:59Z",
        'metadata."frame rate" is "25"',
        "metadata.size is None",
        "unheard.of is None",
        # None
        "frames is None",
        "frames in (1, None)",
        "frames is_not 3",
        "not frames < 3 and not frames >= 3 and not frames like '%'",
        "frames not_like '%'",
        "frames not_in (1, 2)",
        "assignee.name is None",
        "parent.parent.name is None",
        "parent.parent.children.name is None",
        # casts
        "parent[Sequence].name is SQ1",
        "parent[Shot].name is None",
        "not parent[Shot] has ()",
        # collections
        "children.name is comp",
        "children.name is_not comp",
        "not children.name is lighting",
        "children.logs.hours > 4",
        "children.status.name is None",
        "children[Asset].name is car",
        "children[Asset].name is None",
        "not versions.name is None and not versions.name is_not x",
        "parent.children.name != x or not parent.children any ()",
        # any, has
        "children any ()",
        "not versions any ()",
        "children any (name is anim and bid is 2)",
        "not children any (name is anim and bid is None)",
        "children[Task] any (name is comp)",
        "not children[Asset] any (name is comp)",
        "not children[Sequence] any ()",
        "children.logs any (hours is 5)",
        "parent has (name is SQ1)",
        "not assignee has ()",
        "not assignee has (name is None)",
        # a list that is JSON data
        "link is_not None",
        "not link is None",
    ],
)
def test_the_shot_fulfils(text: str) -> None:
    """Each condition holds, and its complement does not."""
    condition = parse_condition(text)
    assert matches(condition, SHOT) is True
    assert matches(Not(condition), SHOT) is False


@pytest.mark.parametrize(
    "text", ["omitted = 0", "fps = True", "fps = '24.0'", "due < 2026-03-02T00:00:00Z", "name > 3", "omitted < True"]
)
def test_values_of_different_kinds_neither_equal_nor_order(text: str) -> None:
    """Nothing is converted, and nothing raises."""
    assert matches(parse_condition(text), SHOT) is False


def test_a_schema_lets_casts_hold_for_subtypes() -> None:
    """Without one, a cast looks for the very type."""
    schema = Schema({"types": {"Context": {"abstract": True}, "Sequence": {"extends": "Context"}}})
    condition = parse_condition("parent[Context].name is SQ1")
    assert matches(condition, SHOT, schema) is True
    assert matches(condition, SHOT) is False


def test_a_query_inside_needs_a_server() -> None:
    """One record cannot say what other entities are."""
    with pytest.raises(QueryError, match="cannot be answered from one record"):
        matches(parse_condition("id in (select shot_id from Task)"), SHOT)


def test_an_operator_must_be_known() -> None:
    """A tree made by hand may hold anything."""
    with pytest.raises(QueryError, match="no operator `=~`"):
        matches(Comparison(Path.of("name"), "=~", "x"), SHOT)


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("SH010", "sh%", True),
        ("SH010", "%01%", True),
        ("SH010", "%", True),
        ("", "%", True),
        ("", "", True),
        ("SH010", "SH01", False),
        ("SH010", "S%H%0", True),
        ("aba", "ab%ba", False),
        ("a_b", "a_b", True),
        ("axb", "a_b", False),
        ("50%", r"50\%", True),
        ("50 of", r"50\%", False),
        ("a\\b", r"a\\b", True),
        ("a\\b", r"a\b", True),
        ("a\\", "a\\", True),
        ("a\nb", "a%b", True),
        ("É", "é", False),
        ("\N{KELVIN SIGN}", "k", False),
        (None, "%", False),
        (3, "%", False),
    ],
)
def test_patterns(value: Any, pattern: str, expected: bool) -> None:
    """The whole text, percent signs and escapes, ASCII letters in either case, all else exactly."""
    assert like(value, pattern) is expected


@given(st.text("aAb%\\é", max_size=8), st.text("aB%\\É", max_size=6))
def test_patterns_mean_the_same_as_regular_expressions(value: str, pattern: str) -> None:
    """A second reading of the rules, by another machine."""
    pieces = re.findall(r"\\[%\\]|.", pattern)
    expression = "".join(".*" if piece == "%" else re.escape(piece[-1]) for piece in pieces)
    expected = re.fullmatch(expression, value, re.DOTALL | re.IGNORECASE | re.ASCII) is not None
    assert like(value, pattern) is expected


@given(
    conditions(paths(plain=True), queries=False),
    st.recursive(
        st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.integers(), st.text(max_size=3))),
        lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(inner, st.lists(inner, max_size=3))),
        max_leaves=5,
    ),
)
def test_every_condition_is_true_or_false(condition: Condition, record: dict[str, Any]) -> None:
    """Never unknown, never an error; ``not`` is the complement."""
    assert matches(Not(condition), record) is not matches(condition, record)
