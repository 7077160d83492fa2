"""`callsheet.handler` marks functions, and refuses at once what could never run."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import callsheet
from callsheet.errors import QueryError, UsageError
from callsheet.listening.declaration import LONGEST_DELAY, Handler, handlers_of


def nothing(event: Any, session: Any) -> None: ...


def test_a_marked_function_stays_what_it_was() -> None:
    """It can be called, and imported elsewhere, like any other."""

    @callsheet.handler("topic=*", name="double")
    def double(event: Any, session: Any) -> int:
        return 2 * event

    assert double(21, None) == 42
    assert [(each.name, each.expression) for each in handlers_of({"double": double, "same": double})] == [
        ("double", "topic=*")
    ]


def test_a_function_may_be_two_handlers() -> None:
    """Each has a place of its own in the log."""
    marked = callsheet.handler("topic=a", name="a")(callsheet.handler("topic=b", name="b")(lambda event, session: None))
    assert [each.name for each in handlers_of({"marked": marked})] == ["b", "a"]


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"expression": "topic ==== x", "name": "x"}, QueryError, "topic"),
        ({"expression": "chnges.status", "name": "x"}, QueryError, "no event has `chnges`; did you mean `changes`"),
        ({"expression": "topic=x", "name": ""}, UsageError, "the name of a handler has 1 to 200 printable characters"),
        (
            {"expression": "topic=x", "name": "x", "retries": -1},
            UsageError,
            "`retries` is a number of 0 or more, not -1",
        ),
        ({"expression": "topic=x", "name": "x", "retries": "3"}, UsageError, "`retries` is a number .*, not '3'"),
        ({"expression": "topic=x", "name": "x", "chain": True}, UsageError, "`chain` is a number"),
        ({"expression": "topic=x", "name": "x", "delay": 0}, UsageError, "`delay` is more than 0 seconds"),
        ({"expression": "topic=x", "name": "x", "timeout": 0}, UsageError, "`timeout` is more than 0 seconds, not 0"),
        ({"expression": "topic=x", "name": "x", "timeout": None}, UsageError, "`timeout` is more than 0 seconds"),
    ],
)
def test_what_is_wrong_is_refused_when_the_file_is_run(arguments: Any, error: type[Exception], told: str) -> None:
    """Not when the first event comes."""
    with pytest.raises(error, match=told):
        callsheet.handler(**arguments)


async def coroutine(event: Any, session: Any) -> None: ...


def generator(event: Any, session: Any) -> Any:
    yield


async def async_generator(event: Any, session: Any) -> Any:
    yield


class Caller:
    async def __call__(self, event: Any, session: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (coroutine, "a coroutine"),
        (generator, "a generator"),
        (async_generator, "an async generator"),
        (partial(coroutine), "a coroutine"),
        (Caller(), "a coroutine"),
        ("not a function", "'not a function'"),
    ],
)
def test_what_would_not_run_is_no_handler(function: Any, given: str) -> None:
    """A coroutine or a generator does nothing when it is called, and nobody would run it."""
    with pytest.raises(UsageError, match=f"`x` must be an ordinary function, .* {given} would not be run"):
        callsheet.handler("topic=x", name="x")(function)


def test_a_handler_takes_an_event_and_a_session() -> None:
    """Else each of its events would become a dead letter."""

    def alone(event: Any) -> None: ...

    with pytest.raises(UsageError, match=r"handler `x` is called as alone\(event, session\)"):
        callsheet.handler("topic=x", name="x")(alone)


def test_waits_double_up_to_five_minutes() -> None:
    """A quarter more or less, so that not all come back together."""
    told = Handler("x", "topic=*", nothing, retries=100)
    assert [told.pause(failures, lambda: 0.5) for failures in (1, 2, 9, 10, 101)] == [1.0, 2.0, 256.0, 300.0, None]
    assert told.wait(1_000, lambda: 0.0) == 0.75 * LONGEST_DELAY
    assert told.wait(1_000, lambda: 1.0) == 1.25 * LONGEST_DELAY
