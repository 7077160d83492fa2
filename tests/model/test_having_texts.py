"""Conditions on measures as texts: what they stand for, and errors with their places."""

from __future__ import annotations

import pytest

from callsheet.errors import QueryError
from callsheet.measures import count, quantile, total
from callsheet.model.language.having import parse_having
from callsheet.model.measure import Having, HavingAll, HavingAny, HavingNot

BIDS = total("bid")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("count > 3", count() > 3),
        ("count is 3", count().equals(3)),
        ("sum(bid) is_not none", BIDS.differs(None)),
        ("Total( parent.bid ) <= 1.5", total("parent.bid") <= 1.5),
        ('sum(metadata."a (b")>=2', total('metadata."a (b"') >= 2),
        ("quantile(bid, 0.9) < 3", quantile("bid", 0.9) < 3),
        ("not count > 3", HavingNot(count() > 3)),
        ("count > 3 and BIDS > 2", HavingAll((count() > 3, BIDS > 2))),
        ("count > 3 or 'my bids' > 2 and count < 9", HavingAny((count() > 3, HavingAll((BIDS > 2, count() < 9))))),
        ("(count > 3 or BIDS > 2) and count < 9", HavingAll((HavingAny((count() > 3, BIDS > 2)), count() < 9))),
        ("count(bid) > 3", count("bid") > 3),
    ],
)
def test_a_text_stands_for_a_condition(text: str, meant: Having) -> None:
    """Functions, names of measures in quotes or without, `not` before `and` before `or`."""
    assert parse_having(text, {"BIDS": BIDS, "my bids": BIDS}) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is nothing to read"),
        ("summ(bid) > 3", "there is no measure `summ`; did you mean `sum`"),
        ("BID > 3", "there is no measure `BID`; did you mean `BIDS`"),
        ("sum(bid)", "expected a comparison, found the end"),
        ("sum(bid) in (3)", "expected a comparison, found `in`"),
        ("sum(bid > 3", r"expected `\)`"),
        ("sum(bid) > ", "value"),
        ("sum(bid) > 3 count > 2", "`count` is not expected here"),
        ("> 3", "expected a measure"),
        ("quantile(bid, 9) > 3", "is not a quantile"),
        ("not " * 40 + "count > 3", "nested more than"),
        ("count > 3 and" + " " * 70_000, "the text has 70"),
    ],
)
def test_what_is_no_condition_on_measures_is_an_error(text: str, message: str) -> None:
    """With what was meant."""
    with pytest.raises(QueryError, match=message):
        parse_having(text, {"BIDS": BIDS})
