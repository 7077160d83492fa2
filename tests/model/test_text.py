"""Texts of queries: what is written is read back as the same."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given, settings

from callsheet.errors import QueryError
from callsheet.model.language.parser import parse, parse_condition, parse_path
from callsheet.model.language.text import condition_text, path_text, select_text
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Order, Path, Sample, Select, Step, Top
from strategies import conditions, paths, selects

A = Comparison(Path.of("a"), "=", 1)
B = Comparison(Path.of("b"), "<", 2.5)
C = Any_(Path.of("c"))


@given(selects())
@settings(max_examples=400, deadline=None)
def test_a_select_survives_its_text(select: Select) -> None:
    """parse∘text is the identity; the types of values are the same, too (True is not 1)."""
    found = parse(select_text(select))
    assert found == select
    assert repr(found) == repr(select) or "tzinfo" in repr(select)


@given(conditions())
@settings(max_examples=300, deadline=None)
def test_a_condition_survives_its_text(condition: Condition) -> None:
    """The tree comes back as it was: parentheses stand where they are needed."""
    assert parse_condition(condition_text(condition)) == condition


@given(paths())
@settings(deadline=None)
def test_a_path_survives_its_text(path: Path) -> None:
    """Names that are no plain words are quoted."""
    assert parse_path(path_text(path)) == path


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (And((A, B)), "a = 1 and b < 2.5"),
        (Or((And((A, B)), C)), "a = 1 and b < 2.5 or c any ()"),
        (And((Or((A, B)), C)), "(a = 1 or b < 2.5) and c any ()"),
        (And((And((A, B)), C)), "(a = 1 and b < 2.5) and c any ()"),
        (Or((Or((A, B)), C)), "(a = 1 or b < 2.5) or c any ()"),
        (Not(And((A, B))), "not (a = 1 and b < 2.5)"),
        (And((Not(A), Not(Not(B)))), "not a = 1 and not not b < 2.5"),
        (Any_(Path.of("c"), Or((A, B)), "has"), "c has (a = 1 or b < 2.5)"),
        (Comparison(Path.of("a"), "in", ("x", None, date(2026, 1, 2))), 'a in ("x", None, 2026-01-02)'),
        (Comparison(Path.of("a"), "not_in", ()), "a not_in ()"),
        (Comparison(Path.of("id"), "in", Select("Task")), "id in (select from Task)"),
        (Comparison(Path.of("id"), "in", Select("Task", where=A)), "id in (Task where a = 1)"),
        (Comparison(Path.of("not"), "=", True), '"not" = True'),
        (Comparison(Path.of("parent"), "like", 'a\\%"\n'), r'parent like "a\\%\"\n"'),
    ],
)
def test_parentheses_and_quotes_stand_where_needed(condition: Condition, text: str) -> None:
    """The text is the shortest of its kind."""
    assert condition_text(condition) == text


def test_a_whole_select_is_written_in_the_order_of_the_language() -> None:
    """Projections, type, condition, order, limit, offset."""
    order = (Order(Path.of("a")), Order(Path.of("parent[Shot].b"), True))
    select = Select("Task", (Path((Step("metadata"), Step("frame rate"))),), A, order, 5, 10)
    assert select_text(select) == (
        'select metadata."frame rate" from Task where a = 1 order by a, parent[Shot].b descending limit 5 offset 10'
    )


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**63, pytest.param(10**5000, id="long"), datetime(2026, 1, 1), b"x"]
)
def test_what_no_query_can_hold_is_refused(value: object) -> None:
    """Not written is better than read as something else."""
    with pytest.raises(QueryError, match="a query cannot hold"):
        condition_text(Comparison(Path.of("a"), "=", value))  # type: ignore[arg-type]


def test_one_condition_needs_no_and_and_none_has_no_text() -> None:
    """An And of one part is its part; one of none is refused."""
    assert condition_text(And((A,))) == "a = 1"
    with pytest.raises(QueryError, match="no conditions"):
        condition_text(Or(()))


@pytest.mark.parametrize(
    ("text", "select"),
    [
        (
            "limit 3 per parent by bid descending",
            Select("Task", top=Top(3, (Order(Path.of("bid"), True),), Path.of("parent"))),
        ),
        ("limit 3 by bid limit 2", Select("Task", limit=2, top=Top(3, (Order(Path.of("bid")),)))),
        ("limit 1 per parent", Select("Task", top=Top(1, per=Path.of("parent")))),
        ("sample 100 by 7", Select("Task", sample=Sample(100, seed=7))),
        ("sample 0.25", Select("Task", sample=Sample(fraction=0.25))),
        ("sample 10 first", Select("Task", sample=Sample(10, method="first"))),
        ("sample 10 per status by 7", Select("Task", sample=Sample(10, None, "stratified", 7, Path.of("status")))),
    ],
)
def test_tops_and_samples_are_clauses(text: str, select: Select) -> None:
    """What follows the condition may keep some entities for each value, or a sample."""
    assert parse(f"Task {text}") == select
    assert select_text(select) == f"Task {text}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Task sample", "expected a whole number, or a fraction, after `sample`, found the end"),
        ("Task sample 1.5", "expected a whole number, or a fraction, after `sample`, found `1.5`"),
        ("Task sample many", "expected a whole number, or a fraction, after `sample`, found `many`"),
        ("Task sample 3 sample 4", "`sample` stands twice"),
        ("Task limit 3 per a limit 4 per b", "`limit` stands twice"),
        ("Task sample 3 by x", "expected a whole number after `by`, found `x`"),
    ],
)
def test_tops_and_samples_are_refused_with_the_place(text: str, message: str) -> None:
    """As every clause is."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_a_type_or_an_attribute_may_be_called_sample() -> None:
    """The word is a clause only where a clause stands."""
    assert parse("select sample from Sample where sample is sample order by sample sample 3") == Select(
        "Sample",
        (Path.of("sample"),),
        Comparison(Path.of("sample"), "=", "sample"),
        (Order(Path.of("sample")),),
        sample=Sample(3),
    )
