"""Values are made plain exactly, or refused with what to write instead."""

from __future__ import annotations

import enum
from collections import OrderedDict, UserDict
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.errors import QueryError, SchemaError
from callsheet.model.language.checking import check
from callsheet.model.normalisation import item_key, normalised, normalised_key
from callsheet.model.query import Comparison, Path, Select
from callsheet.model.record import same
from callsheet.model.schema import Attribute, Schema
from callsheet.model.values import pack

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
KINDS = ("string", "integer", "number", "boolean", "date", "datetime", "enum", "json")


class Word(str):
    def __str__(self) -> str:
        return "not the value"


class Whole(int):
    pass


class Real(float):
    pass


class Day(date):
    pass


class Moment(datetime):
    pass


class Colour(str, enum.Enum):  # noqa: UP042 - it has another `str()` than `StrEnum`
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Plain(enum.Enum):
    RED = "red"


class Nowhere(tzinfo):
    """A zone that gives no offset."""

    def utcoffset(self, _: datetime | None) -> timedelta | None:
        return None


def attribute(kind: str) -> Attribute:
    return Attribute("it", data_type=kind, choices=("red", "blue") if kind == "enum" else ())


def plain(kind: str, value: Any) -> Any:
    return normalised("Task", attribute(kind), value)


TAKEN: list[tuple[str, Any, Any]] = [
    ("string", Word("a"), "a"),
    ("string", np.str_("a"), "a"),
    ("string", np.array("a"), "a"),
    ("string", Colour.RED, "red"),
    ("string", Plain.RED, "red"),
    ("integer", Whole(3), 3),
    ("integer", Level.HIGH, 3),
    ("integer", 1001.0, 1001),
    ("integer", -0.0, 0),
    ("integer", np.int64(-(2**63)), -(2**63)),
    ("integer", np.uint8(3), 3),
    ("integer", np.float32(2.0), 2),
    ("integer", Decimal("24.000"), 24),
    ("integer", Decimal("9223372036854775807"), 2**63 - 1),
    ("integer", Fraction(6, 2), 3),
    ("number", 3, 3.0),
    ("number", Real(1.5), 1.5),
    ("number", 2**53, 2.0**53),
    ("number", np.float64(1.5), 1.5),
    ("number", pa.scalar(1.5), 1.5),
    ("number", pa.scalar(Decimal("23.5")), 23.5),
    ("integer", pa.scalar(1001), 1001),
    ("integer", pa.scalar(7, pa.uint8()), 7),
    ("string", pa.scalar("x"), "x"),
    ("string", pa.array(["x"]).dictionary_encode()[0], "x"),
    ("string", pa.scalar(None, pa.string()), None),
    ("boolean", pa.scalar(True), True),
    ("date", pa.scalar(date(2026, 1, 31)), date(2026, 1, 31)),
    ("datetime", pa.scalar(NOON, pa.timestamp("ns", "Europe/Berlin")), NOON),
    ("json", pa.scalar({"a": [1, None]}), {"a": [1, None]}),
    ("number", np.float32(0.5), 0.5),
    ("number", np.longdouble(2), 2.0),
    ("number", np.int32(7), 7.0),
    ("number", Decimal("23.976"), 23.976),
    ("number", Decimal("1E+30"), 1e30),
    ("number", Fraction(1, 8), 0.125),
    ("boolean", np.bool_(True), True),
    ("date", Day(2026, 1, 31), date(2026, 1, 31)),
    ("date", "2026-01-31", date(2026, 1, 31)),
    ("date", datetime(2026, 1, 31), date(2026, 1, 31)),
    ("date", pd.Timestamp("2026-01-31"), date(2026, 1, 31)),
    ("date", np.datetime64("2026-01-31"), date(2026, 1, 31)),
    ("date", np.datetime64("2026-01-31", "ns"), date(2026, 1, 31)),
    ("datetime", Moment(2026, 5, 1, 12, tzinfo=UTC), NOON),
    ("datetime", datetime(2026, 5, 1, 14, tzinfo=BERLIN), NOON),
    ("datetime", pd.Timestamp("2026-05-01 14:00", tz="Europe/Berlin"), NOON),
    ("datetime", "2026-05-01T14:00:00+02:00", NOON),
    ("datetime", "2026-05-01 12:00Z", NOON),
    ("datetime", datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ("datetime", datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ("datetime", datetime(1, 1, 1, 14, tzinfo=timezone(timedelta(hours=14))), datetime(1, 1, 1, tzinfo=UTC)),
    ("enum", Colour.RED, "red"),
    ("enum", np.str_("blue"), "blue"),
    ("json", {"a": (np.int64(1), Word("b")), np.str_("c"): Real(0.5)}, {"a": [1, "b"], "c": 0.5}),
    ("json", MappingProxyType({"a": UserDict({Colour.RED: float("nan")})}), {"a": {"red": None}}),
    ("json", OrderedDict(a=[Decimal("1.50"), np.bool_(False), pd.NaT]), {"a": [1.5, False, None]}),
    ("json", np.float64(2), 2.0),
]
EMPTY = (
    float("nan"), Real("nan"), np.float64("nan"), np.float32("nan"), np.datetime64("NaT"), np.datetime64("NaT", "ns"),
    pd.NaT, pd.NA, np.ma.masked, Decimal("NaN"), Decimal("sNaN"),
)  # fmt: skip
REFUSED: list[Any] = [
    ("string", 3, "takes a string, not int: 3"),
    ("string", b"x", "takes a string, not bytes"),
    ("string", np.bytes_(b"x"), "takes a string, not bytes_"),
    ("string", PurePosixPath("a"), "takes a string, not PurePosixPath"),
    ("string", np.str_("a\x00"), "without U.0000"),
    ("string", Word("\ud800"), "half of a surrogate pair"),
    ("string", np.array(["a"]), "takes a string, not ndarray"),
    ("integer", 1.5, r"takes an integer, not float: 1.5; `round\(value\)` gives one"),
    ("integer", Decimal("0.5"), "takes an integer, not Decimal"),
    ("integer", np.True_, "takes an integer, not bool"),
    ("integer", True, "takes an integer, not bool"),
    ("integer", float("inf"), "takes an integer"),
    ("integer", 2.0**63, "64 bits"),
    ("integer", np.uint64(2**63), "64 bits"),
    pytest.param("integer", 10**5000, "an integer of 16,610 bits", id="long"),
    ("integer", Decimal("1E+999999999"), "takes a number that a float of 64 bits holds"),
    ("integer", np.timedelta64(1, "ns"), "takes an integer, not timedelta64"),
    ("number", True, "takes a number, not bool"),
    ("number", np.float32("inf"), "finite"),
    ("number", Decimal("-Infinity"), "finite"),
    ("number", 2**53 + 1, r"a float of 64 bits holds, not int: 9007199254740993; `float\(value\)` rounds it"),
    ("number", Decimal("0.12345678901234567890"), "a float of 64 bits holds"),
    ("number", Fraction(1, 3), "a float of 64 bits holds"),
    ("number", np.longdouble(1) / 3, "a float of 64 bits holds"),
    ("number", 1j, "takes a number, not complex"),
    ("boolean", 1, "takes True or False, not int"),
    ("boolean", np.int8(0), "takes True or False, not int8"),
    ("date", datetime(2026, 1, 31, 1), r"takes a datetime.date, not datetime: .*`value.date\(\)` leaves out"),
    ("date", datetime(2026, 1, 31, tzinfo=UTC), "takes a datetime.date, not datetime"),
    ("date", np.datetime64("2026-01-31T01"), "takes a datetime.date, not datetime64"),
    ("date", "31.1.2026", "no date; dates look like 2026-01-31"),
    ("date", "2026-02-30", "no date: day"),
    ("date", " 2026-01-31", "no date"),
    ("datetime", datetime(2026, 1, 1), r"a datetime with a time zone.*`.astimezone\(\)` adds the local one"),
    ("datetime", datetime(2026, 1, 1, tzinfo=Nowhere()), "a datetime with a time zone"),
    ("datetime", pd.Timestamp("2026-01-01"), "a datetime with a time zone"),
    ("datetime", pa.scalar(NOON.replace(tzinfo=None)), "a datetime with a time zone"),
    ("datetime", pa.scalar(1, pa.timestamp("ns", "UTC")), "whole microseconds"),
    ("string", pa.scalar(b"x"), "a string"),
    ("integer", pa.scalar(1.5), "an integer"),
    ("datetime", np.datetime64("2026-01-01T10"), "a datetime with a time zone"),
    ("datetime", "2026-01-01T10:00", "a datetime with a time zone.*end the text with the offset"),
    ("datetime", date(2026, 1, 1), "takes a datetime.datetime, not date"),
    ("datetime", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "years 1 to 9999"),
    ("datetime", datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))), "years 1 to 9999"),
    ("datetime", pd.Timestamp("2026-01-01 00:00:00.000000001", tz="UTC"), "whole microseconds.*value.floor"),
    ("datetime", np.datetime64("2026-01-01T00:00:00.000000001"), "whole microseconds"),
    ("datetime", np.datetime64(20_000, "Y"), "years 1 to 9999"),
    ("datetime", "2026-01-01T10:00:00.0000001Z", "finer than a microsecond"),
    ("enum", "green", "takes one of 'red', 'blue'"),
    ("enum", Level.HIGH, "takes one of 'red', 'blue', not Level"),
    ("json", {"a": [1, {2: 3}]}, r"Task.it\['a'\]\[1\]\['2'\] takes JSON data whose keys are strings, not int: 2"),
    ("json", {"a": [{"b": float("inf")}]}, r"Task.it\['a'\]\[0\]\['b'\] takes a finite number, not float: inf"),
    ("json", {"a": {1}}, r"Task.it\['a'\] takes JSON data .*not set: \{1\}; `sorted\(value\)` gives a list"),
    ("json", [date(2026, 1, 1)], r"Task.it\[0\] takes JSON data .*`value.isoformat\(\)` is its text"),
    ("json", [np.array([1])], r"Task.it\[0\] takes JSON data .*`value.tolist\(\)` gives a list"),
    ("json", [2**63], r"Task.it\[0\] takes a number of 64 bits"),
    ("json", {"a\ud800": 1}, "half of a surrogate pair"),
    ("json", object(), "Task.it takes JSON data"),
]


def exactly(value: Any) -> bool:
    """Whether only plain types are in it."""
    if type(value) is dict:
        return all(type(key) is str and exactly(item) for key, item in value.items())
    if type(value) is list:
        return all(map(exactly, value))
    if type(value) is datetime:
        return value.tzinfo is UTC
    return value is None or type(value) in (str, int, float, bool, date)


@pytest.mark.parametrize(("kind", "value", "expected"), TAKEN)
def test_a_value_becomes_exactly_plain(kind: str, value: Any, expected: Any) -> None:
    """Of the attribute's own type, and none below it."""
    found = plain(kind, value)
    assert same(found, expected)
    assert exactly(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", EMPTY)
def test_what_stands_for_no_value_is_none(kind: str, value: Any) -> None:
    """For every kind of attribute, since a column of a frame is of one type."""
    assert plain(kind, value) is None


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED)
def test_a_refusal_names_attribute_value_and_cure(kind: str, value: Any, message: str) -> None:
    """Type and attribute first; inside JSON data, the place."""
    with pytest.raises(SchemaError, match=message) as caught:
        plain(kind, value)
    assert str(caught.value).startswith("Task.it")


def test_a_value_that_cannot_be_shown_is_refused_all_the_same() -> None:
    """The message does without its text."""

    class Sulky:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(SchemaError, match="not Sulky: a Sulky that cannot be shown"):
        plain("string", Sulky())


def test_data_that_holds_itself_is_refused() -> None:
    """By its depth, not by Python's."""
    data: list[Any] = []
    data.append(data)
    with pytest.raises(SchemaError, match="nested less than 32 deep"):
        plain("json", data)


def test_json_data_is_new_all_the_way_down() -> None:
    """What the caller changes later changes nothing here."""
    given: dict[str, Any] = {"a": [1]}
    found = plain("json", given)
    given["a"].append(2)
    assert found == {"a": [1]}


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates(), st.decimals(),
    st.fractions(),
    st.datetimes(timezones=st.none() | st.just(BERLIN) | st.just(UTC), allow_imaginary=False), st.binary(max_size=3),
    st.integers(-(2**63), 2**63 - 1).map(np.int64), st.floats().map(np.float64), st.booleans().map(np.bool_),
    st.floats(width=32).map(np.float32), st.text(max_size=5).map(np.str_), st.text(max_size=5).map(Word),
    st.sampled_from([*EMPTY, Colour.RED, Level.HIGH, "red", "2026-01-31", "2026-01-31T10:00:00Z"]),
    st.integers(-(10**18), 10**18).map(lambda value: np.datetime64(value, "ns")),
    st.integers(-(10**18), 10**18).map(lambda value: pd.Timestamp(value, tz="UTC")),
)  # fmt: skip
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3).map(np.str_), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(KINDS), DATA)
def test_making_plain_twice_is_making_plain_once(kind: str, value: Any) -> None:
    """Whatever is taken is exactly plain and taken again as it is; all else is a `SchemaError`."""
    try:
        found = plain(kind, value)
    except SchemaError:
        return
    assert exactly(found)
    assert same(plain(kind, found), found)


SCHEMA = Schema(
    {
        "types": {
            "Dot": {"attributes": {"name": {}, "size": {"type": "number"}, "count": {"type": "integer"}}},
            "Link": {"key": ["dot_id", "number"], "attributes": {
                "dot": {"type": "reference", "target": "Dot"}, "number": {"type": "integer"}}},
        }
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("name", "=", np.str_("a"), "a"),
        ("name", "like", Word("a%"), "a%"),
        ("size", ">", np.float32(0.5), 0.5),
        ("size", "=", Decimal("2"), 2.0),
        ("size", "=", float("nan"), None),
        ("count", "in", [np.int64(1), 2.0, pd.NA], (1, 2, None)),
        ("count", ">", Decimal("1.5"), 1.5),
    ],
)
def test_a_condition_compares_with_plain_values(name: str, operator: str, value: Any, expected: Any) -> None:
    """By the same rules, so that what was set is found."""
    found = check(Select("Dot", where=Comparison(Path.of(name), operator, value)), SCHEMA).where
    assert isinstance(found, Comparison)
    assert found.value == expected
    values = found.value if isinstance(found.value, tuple) else (found.value,)
    assert all(map(exactly, values))


def test_a_condition_refuses_what_it_cannot_hold() -> None:
    """An order has no place for what stands for no value."""
    for operator, value, message in (("<", float("nan"), "needs a value"), ("=", Fraction(1, 3), "64 bits")):
        with pytest.raises(QueryError, match=message):
            check(Select("Dot", where=Comparison(Path.of("size"), operator, value)), SCHEMA)


def test_keys_are_plain_too() -> None:
    """Of entities, in all their parts, and of items."""
    assert same(normalised_key(SCHEMA.types["Dot"], np.str_("a")), "a")
    parts = normalised_key(SCHEMA.types["Link"], (Word("a"), np.int64(2)))
    assert list(map(type, parts)) == [str, int]
    assert same(item_key("Dot", "metadata", Colour.RED), "red")
    for key in ("", "x" * 256, 3, None, float("nan"), "\x00", "\ud800"):
        with pytest.raises(SchemaError, match=r"Dot\.id"):
            normalised_key(SCHEMA.types["Dot"], key)
        with pytest.raises(SchemaError, match="as its key"):
            item_key("Dot", "metadata", key)
    with pytest.raises(SchemaError, match=r"the key of a Link is \(dot_id, number\)"):
        normalised_key(SCHEMA.types["Link"], "a")


def test_data_that_travels_is_plain() -> None:
    """Arguments of calls and the data of events; what no wire can carry is refused."""
    found = pack({np.str_("a"): [np.int64(1), Colour.RED, Real(0.5), pd.Timestamp("2026-01-01", tz="UTC")]})
    assert same(found, {"a": [1, "red", 0.5, {"$datetime": "2026-01-01T00:00:00+00:00"}]})
    for value in (np.float64("nan"), pd.NaT, pd.NA, np.array([1]), Fraction(1, 3)):
        with pytest.raises(SchemaError, match="cannot be sent"):
            pack([value])
