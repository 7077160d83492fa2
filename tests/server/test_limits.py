"""The limits of a server are settings: each has a name, a default, and a row in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import fields

from callsheet.errors import UsageError
from callsheet.server.limits import Limits, limits_of, limits_read
from callsheet.server.process import serve

PAGE = Path(__file__).parents[2] / "docs/reference/limits.md"
NUMBERS = {each.name: each.default for each in fields(Limits) if each.name != "hosts"}


def test_each_limit_is_in_the_reference() -> None:
    """With its default, and no other is."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d,.]+) \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert {name: float(value.replace(",", "")) for name, value in rows} == NUMBERS


def test_limits_are_set_by_name() -> None:
    """Those that are not named keep their defaults; a number of bytes or things is whole."""
    limits = limits_of({"requests": 7.0, "body_seconds": 2}, {"localhost"})
    assert (limits.requests, limits.body_seconds, limits.hosts) == (7, 2.0, frozenset({"localhost"}))
    assert isinstance(limits.requests, int)
    assert limits.body_bytes == Limits().body_bytes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"body_byte": 1}, "did you mean `body_bytes`"),
        ({"hosts": 1}, "there is no limit `hosts`"),
        ({"requests": 0}, "greater than 0"),
        ({"requests": -1}, "greater than 0"),
        ({"requests": 1.5}, "whole number"),
        ({"body_seconds": float("nan")}, "greater than 0"),
        ({"body_seconds": float("inf")}, "greater than 0"),
        ({"requests": True}, "greater than 0"),
        ({"requests": "7"}, "greater than 0"),
    ],
)
def test_what_is_no_limit(given: dict[str, float], message: str) -> None:
    """A name that is none, and a number that bounds nothing, are errors before anything starts."""
    with pytest.raises(UsageError, match=message):
        limits_of(given)
    with pytest.raises(UsageError, match=message):
        serve(limits=given)


def test_limits_on_the_command_line() -> None:
    """NAME=NUMBER; anything else is an error that shows how."""
    assert limits_read(["requests = 200", "body_bytes=1_000"]) == {"requests": 200.0, "body_bytes": 1000.0}
    with pytest.raises(UsageError, match="NAME=NUMBER"):
        limits_read(["requests"])
