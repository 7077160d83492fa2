"""The two kinds of session are one: same names, same parameters, same words; what differs is listed here."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from callsheet import AsyncQueryResult, AsyncSession, QueryResult, Session

PAIRS = [(Session, AsyncSession), (QueryResult, AsyncQueryResult)]

#: Names that one kind has and the other has not, and why.
ONLY: dict[type, dict[str, str]] = {
    Session: {"__enter__": "`with`", "__exit__": "`with`", "talk": "a lazy read is answered here, refused there"},
    AsyncSession: {"__aenter__": "`async with`", "__aexit__": "`async with`"},
    QueryResult: {
        "__iter__": "`for`",
        "__len__": "fetches",
        "__bool__": "fetches",
        "__getitem__": "fetches: `await result.slice(…)`",
    },
    AsyncQueryResult: {"__aiter__": "`async for`", "slice": "what `result[a:b]` does, awaited"},
}
#: Special methods that every class has.
PLAIN = {"__module__", "__doc__", "__annotations__", "__dict__", "__weakref__", "__firstlineno__"}
PLAIN |= {"__static_attributes__", "__qualname__", "__annotate_func__", "__annotations_cache__"}


def names(cls: type) -> set[str]:
    """What the class itself defines for its users."""
    return {name for name in vars(cls) if name not in PLAIN and (not name.startswith("_") or name.endswith("__"))}


def signature(function: Any) -> list[tuple[str, Any, Any]]:
    function = function.fget if isinstance(function, property) else function
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_the_names_are_the_same(blocking: type, awaiting: type) -> None:
    """But for those listed."""
    assert names(blocking) - names(awaiting) == set(ONLY[blocking])
    assert names(awaiting) - names(blocking) == set(ONLY[awaiting])


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_parameters_and_words_are_the_same(blocking: type, awaiting: type) -> None:
    """Names, kinds and defaults of parameters, and docstrings (but that one says ``async with``)."""
    for name in sorted(names(blocking) & names(awaiting)):
        one, other = vars(blocking)[name], vars(awaiting)[name]
        assert signature(one) == signature(other), name
        if name not in ("__init__", "__repr__"):
            assert inspect.getdoc(one) == (inspect.getdoc(other) or "").replace("async with", "with"), name


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_nothing_blocks_behind_an_await(blocking: type, awaiting: type) -> None:
    """What is a coroutine in one is a plain call in the other, and what makes no request is plain in both."""
    plain = {"fork", "query", "select", "at", "event_hub", "__init__", "__repr__"}
    for name in sorted(names(blocking) & names(awaiting)):
        other = vars(awaiting)[name]
        assert not inspect.iscoroutinefunction(vars(blocking)[name])
        awaited = inspect.iscoroutinefunction(other) or inspect.isasyncgenfunction(other)
        assert awaited == (name not in plain), name


def test_what_needs_no_network_is_shared() -> None:
    """Recording, rolling back and looking at what is pending come from one class."""
    for name in ("create", "delete", "rollback", "pending", "created", "modified", "deleted", "auto_populating"):
        assert inspect.getattr_static(Session, name) is inspect.getattr_static(AsyncSession, name)
    for name in ("where", "order_by", "limit", "offset", "pages_of"):
        assert inspect.getattr_static(QueryResult, name) is inspect.getattr_static(AsyncQueryResult, name)
