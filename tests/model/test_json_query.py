"""Queries as JSON: a third spelling of the same `Select`, beside its text and its builder."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from callsheet.errors import QueryError
from callsheet.model.language.json_query import read_query
from callsheet.model.language.json_text import condition_json, select_json
from callsheet.model.language.parser import parse, parse_condition
from callsheet.model.language.text import select_text
from callsheet.model.query import Select
from callsheet.model.relative_time import RelativeTime, now
from strategies import selects


@given(selects())
@settings(max_examples=400, deadline=None)
def test_a_select_survives_its_json(select: Select) -> None:
    """What is written is read back as the same, with the same types of values, also through the text of the JSON."""
    written = select_json(select)
    found = read_query(written).select
    assert found == select
    assert repr(found) == repr(select) or "tzinfo" in repr(select)
    assert read_query(json.loads(json.dumps(written, allow_nan=False))).select == select


@given(selects())
@settings(max_examples=200, deadline=None)
def test_text_and_json_convert_into_each_other(select: Select) -> None:
    """Text → select → JSON → select → text: nothing is lost on the way."""
    text = select_text(select)
    assert select_text(read_query(select_json(parse(text))).select) == text


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, "Item"),
        ({"a": 1}, "Item where a = 1"),
        ({"a": None, "b": True, "c": 1.5}, "Item where a = None and b = True and c = 1.5"),
        ({"a": ["x", "y"]}, 'Item where a in ("x", "y")'),
        ({"a": []}, "Item where a in ()"),
        ({"a": {"__not__": "x"}}, 'Item where a != "x"'),
        ({"a": {"__not__": ["x", None]}}, 'Item where a not_in ("x", None)'),
        ({"a": {"__not__": {"__like__": "x%"}}}, 'Item where a not_like "x%"'),
        ({"a": {"__not__": {"__gt__": 3}}}, "Item where not a > 3"),
        ({"a": {"__gt__": 110, "__lt__": 115}}, "Item where a > 110 and a < 115"),
        ({"a": {"__between__": [1, 2]}}, "Item where a >= 1 and a <= 2"),
        ({"a": {"__is_null__": True}, "b": {"__is_null__": False}}, "Item where a = None and b != None"),
        ({"a": {"__contains__": '50%\\"'}}, 'Item where a like "%50\\\\%\\\\\\\\\\"%"'),
        ({"a": {"__starts_with__": "x", "__ends_with__": "y"}}, 'Item where a like "x%" and a like "%y"'),
        ({"a": {"__matches__": "x*y"}}, 'Item where a like "x%y"'),
        ({"a": {"__query__": {"b": {"query": {"c": 1}}}}}, "Item where a any (b any (c = 1))"),
        ({"a": {"__has__": {}}}, "Item where a has ()"),
        ({"a": {"__not__": {"__query__": {"b": 1}}}}, "Item where not a any (b = 1)"),
        ({"a.b": 1, "c[Shot].d": 2}, "Item where a.b = 1 and c[Shot].d = 2"),
        ({'m."frame rate"': 24}, 'Item where m."frame rate" = 24'),
        ({"__or__": [{"a": 1}, {"a": 2, "b": 3}]}, "Item where a = 1 or a = 2 and b = 3"),
        ({"__and__": [{"a": 1}, {"a": 2}], "__not__": {"b": 1}}, "Item where (a = 1 and a = 2) and not b = 1"),
        ({"a": {"__time__": {"__days__": -7}}}, "Item where a >= now(-7 days)"),
        ({"a": {"__time__": {"__hours__": 2}}}, "Item where a <= now(2 hours)"),
        ({"a": {"__time__": {"__start__": "week", "__zone__": "UTC"}}}, 'Item where a >= now(start of week, in "UTC")'),
        ({"a": {"__lt__": {"__time__": {"__weeks__": -1, "__days__": 1}}}}, "Item where a < now(-1 week, 1 day)"),
        ({"a": {"__not__": {"__time__": {"__days__": -7}}}}, "Item where not a >= now(-7 days)"),
        ({"a": {"__date__": "2026-01-31"}}, "Item where a = 2026-01-31"),
        ({"a": [{"__time__": {"__days__": 0}}, None]}, "Item where a in (now(), None)"),
        (
            {"id": {"__in__": {"__model__": "Part", "__query__": {"row": 0}, "__return__": "item_id"}}},
            "Item where id in (select item_id from Part where row = 0)",
        ),
    ],
)
def test_every_form_has_its_meaning(query: dict[str, Any], text: str) -> None:
    """Each form of a condition is the condition of this text; `query` is another spelling of `__query__`."""
    assert select_text(read_query({"__model__": "Item", "__query__": query}).select) == text
    assert select_text(read_query({"__model__": "Item", "query": query}).select) == text


def test_what_belongs_to_the_whole_query() -> None:
    """Options and projections stand at the top, or beside the conditions; a description is for people."""
    options = {"limit": 1, "offset": 2, "order": ["name", "created_at descending"], "page_size": 50}
    returned = ["name", {"sample": ["name", {"sample_type": []}]}]
    text = (
        "select name, sample.name, sample.sample_type from Item order by name, created_at descending limit 1 offset 2"
    )
    outside = read_query({"__model__": "Item", "__description__": "x", "__options__": options, "__return__": returned})
    inside = read_query({"__model__": "Item", "query": {"__options__": options, "__return__": returned}})
    assert outside == inside
    assert (select_text(outside.select), outside.page_size, outside.plain) == (text, 50, False)
    several = {"__model__": "Item", "__options__": {"order": "name, id desc"}, "__json__": True}
    assert select_text(read_query(several).select) == "Item order by name, id descending"
    assert read_query(several).plain
    assert not read_query({"__model__": "Item", "__json__": False}).plain


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "__model__: a query names its type"),
        ({"__model__": 3}, "__model__: a type is named by a text, not 3"),
        ([], "takes an object, not []"),
        ({"__model__": "Item", "__querry__": {}}, "__querry__: there is no such word; did you mean `__query__`"),
        ({"__model__": "Item", "__query__": {}, "query": {}}, "query: `query` is another spelling"),
        ({"__model__": "Item", "__query__": [1]}, "__query__: conditions stand in an object, not [1]"),
        ({"__model__": "Item", "__description__": 3}, "__description__: a description is a text"),
        ({"__model__": "Item", "__json__": "yes"}, "__json__: takes true or false, not 'yes'"),
        (
            {"__model__": "Item", "__options__": {"limt": 1}},
            "__options__.limt: there is no such word; did you mean `limit`",
        ),
        ({"__model__": "Item", "__options__": {"limit": -1}}, "__options__.limit: takes a whole number from 0, not -1"),
        ({"__model__": "Item", "__options__": {"limit": True}}, "__options__.limit: takes a whole number"),
        ({"__model__": "Item", "__options__": {"page_size": 0}}, "__options__.page_size: a page has from 1 to 10,000"),
        ({"__model__": "Item", "__options__": {"order": ["a b"]}}, "__options__.order[0]: `b` is not expected here"),
        ({"__model__": "Item", "__return__": 3}, "__return__: projections are texts, not 3"),
        (
            {"__model__": "Item", "__options__": {}, "query": {"__options__": {}}},
            "query.__options__: `__options__` stands",
        ),
    ],
)
def test_wrong_wholes_have_their_place(data: Any, message: str) -> None:
    """The error names the place in the query, and what was meant."""
    with pytest.raises(QueryError) as caught:
        read_query(data)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"a": {"__time__": {"__dayz__": -7}}}, "a.__time__.__dayz__: there is no such word; did you mean `__days__`"),
        ({"a": {"__time__": {"__days__": 1.5}}}, "a.__time__.__days__: days is a whole number"),
        ({"a": {"__time__": {}}}, "a.__time__: a time says how far from now it is"),
        ({"a": {"__time__": {"__zone__": "UTC"}}}, "a.__time__: a zone alone is no time"),
        ({"a": {"__time__": {"__days__": 0}}}, "a: it is not plain whether this time is past or to come"),
        ({"a": {"__time__": {"__days__": 1, "__hours__": -1}}}, "a: it is not plain whether"),
        (
            {"a": {"__gt__": {"__time__": {"__zone__": "Mars/X", "__days__": 1}}}},
            "a.__gt__.__time__.__zone__: there is no",
        ),
        ({"a": {"__time__": {"__days__": -1}, "__lt__": 3}}, "a.__lt__: nothing stands beside `__time__`"),
        ({"a": {"__gte__": 3}}, "a.__gte__: there is no such word; did you mean `__gt__` or `__ge__`"),
        ({"a": {}}, "a: there is no condition in this object"),
        ({"a": {"name": "Primer"}}, "a.name: `name` is no word of a condition"),
        ({"a": [{"__gt__": 3}]}, "a[0]: an object is no value"),
        ({"a": [[1]]}, "a[0]: takes one value, not a list"),
        ({"a": {"__in__": 3}}, "a.__in__: takes a list of values, or a query, not 3"),
        ({"a": {"__between__": [1]}}, "a.__between__: takes a list of two values"),
        ({"a": {"__matches__": "a?"}}, "a.__matches__: `?` is no wildcard here"),
        ({"a": float("nan")}, "a: nan is no number of JSON"),
        ({"a": 2**64}, "a: a number has at most 64 bits"),
        ({"a": {"__query__": 3}}, "a.__query__: conditions stand in an object, not 3"),
        ({"a": {"__query__": {"__options__": {"limit": 1}}}}, "a.__query__.__options__: belongs to the whole query"),
        ({"__or__": [{"a": 1}, {}]}, "__or__[1]: there is no condition in this object"),
        ({"__or__": []}, "__or__: takes a list of objects"),
        ({"__nor__": []}, "__nor__: there is no such word; did you mean `__or__`"),
        ({"a b": 1}, "a b: `b` is not expected here"),
        ({3: 1}, "3: the names of attributes are texts"),
        ({"id": {"__in__": {"__model__": "Part", "__json__": True}}}, "id.__in__.__json__: belongs to the whole query"),
        (
            {"id": {"__in__": {"__model__": "P", "__return__": ["a", "b"]}}},
            "id.__in__.__return__: a query within a query",
        ),
    ],
)
def test_wrong_conditions_have_their_place(query: Any, message: str) -> None:
    """However deep it is; nothing is guessed, and no operator is left out silently."""
    with pytest.raises(QueryError) as caught:
        read_query({"__model__": "Item", "__query__": query})
    assert str(caught.value).startswith(f"__query__.{message}")
    assert caught.value.place.startswith("__query__.")


def test_nesting_has_an_end() -> None:
    """What is nested too deep is refused, whatever it is nested by; Python's own limit is never met."""
    for wrap in (
        lambda inner: {"a": {"__query__": inner}},
        lambda inner: {"__not__": inner},
        lambda inner: {"__or__": [inner, {"b": 1}]},
        lambda inner: {"id": {"__in__": {"__model__": "Item", "__query__": inner}}},
    ):
        query: dict[str, Any] = {"a": 1}
        for _ in range(900):
            query = wrap(query)
        with pytest.raises(QueryError, match="nested more than 32 deep"):
            read_query({"__model__": "Item", "__query__": query})
    negated: Any = "x"
    for _ in range(900):
        negated = {"__not__": negated}
    with pytest.raises(QueryError, match="nested more than 32 deep"):
        read_query({"__model__": "Item", "__query__": {"a": negated}})


def test_a_name_that_looks_like_a_word_is_quoted() -> None:
    """An attribute called `__or__` is written in quotes."""
    condition = parse_condition("__or__ = 1 and x = 2")
    written = condition_json(condition)
    assert written == {'"__or__"': 1, "x": 2}
    assert read_query({"__model__": "T", "__query__": written}).select.where == condition


# -- times relative to now -----------------------------------------------------------------------------------

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (now(), "2026-03-29T12:00:00+00:00"),
        (now(days=-7), "2026-03-22T12:00:00+00:00"),
        (now(weeks=1, hours=-1, minutes=1, seconds=5), "2026-04-05T11:01:05+00:00"),
        (now(months=-1), "2026-02-28T12:00:00+00:00"),
        (now(years=1, months=-13), "2026-02-28T12:00:00+00:00"),
        (now(years=-2, months=-1), "2024-02-29T12:00:00+00:00"),
        (now(start="day"), "2026-03-29T00:00:00+00:00"),
        (now(start="week"), "2026-03-23T00:00:00+00:00"),
        (now(start="month", months=-1), "2026-02-01T00:00:00+00:00"),
        (now(start="year"), "2026-01-01T00:00:00+00:00"),
        (now(start="hour", minutes=-1), "2026-03-29T11:59:00+00:00"),
        # The clocks of Berlin went forward this morning: midnight was at 23:00 UTC, noon yesterday at 11:00 UTC.
        (now(start="day", zone="Europe/Berlin"), "2026-03-28T23:00:00+00:00"),
        (now(days=-1, zone="Europe/Berlin"), "2026-03-28T13:00:00+00:00"),
        (now(hours=-24, zone="Europe/Berlin"), "2026-03-28T12:00:00+00:00"),
        (now(start="day", zone="Pacific/Auckland"), "2026-03-29T11:00:00+00:00"),
        (now(years=9_000), "9999-12-30T00:00:00+00:00"),
        (now(years=-9_000), "0001-01-02T00:00:00+00:00"),
        (now(weeks=-10_000_000_000), "0001-01-02T00:00:00+00:00"),
    ],
)
def test_a_relative_time_counts_on_the_calendar_of_its_zone(time: RelativeTime, expected: str) -> None:
    """Days and longer units keep the hour of the zone; hours and shorter ones are exact; nothing overflows."""
    found = time.at(NOON)
    assert isinstance(found, datetime)
    assert found.isoformat() == expected


def test_a_date_is_that_of_the_zone() -> None:
    """For an attribute without a time of day, the day in the zone is meant."""
    late = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    assert now(zone="Europe/Berlin").for_dates().at(late) == date(2026, 3, 29)
    assert now().for_dates().at(late) == date(2026, 3, 28)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a > now(-7 dayz)", "did you mean `days`"),
        ("a > now(7)", "one of years"),
        ("a > now(days)", "like `now(-7 days)`"),
        ("a > now(1.5 days)", "like `now(-7 days)`"),
        ("a > now(-7 days", "expected `,` or `)`, found the end"),
        ("a > now(-7 days 3 hours)", "expected `,` or `)`"),
        ("a > now(1 day, 2 days)", "`days` stands twice"),
        ("a > now(start of eternity)", "one of year"),
        ('a > now(in "Mars/Olympus")', "there is no time zone 'Mars/Olympus'"),
        ("a > now(in)", "expected a time zone"),
        ("a > now(99999999999 days)", "at most 10,000,000,000"),
    ],
)
def test_a_relative_time_that_is_wrong_says_how_it_is_written(text: str, hint: str) -> None:
    """As everywhere in a query's text."""
    with pytest.raises(QueryError) as caught:
        parse_condition(text)
    assert hint in str(caught.value)


def test_now_is_a_word_like_others_where_no_parenthesis_follows() -> None:
    """Texts that older versions read keep their meaning."""
    assert parse_condition("name is now and kind in (now, then)") == parse_condition(
        'name is "now" and kind in ("now", "then")'
    )
