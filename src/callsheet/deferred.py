"""Calls that have done nothing when they return: of generators, coroutines, and others to be awaited or iterated.

A caller that neither awaits nor iterates the result refuses them: `deferring` checks the function before the call,
`deferred` checks the result after it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from functools import partial
from typing import Any

__all__ = ["abandon", "deferred", "deferring"]

_FUNCTIONS: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (inspect.isasyncgenfunction, "an async generator"),
    (inspect.iscoroutinefunction, "a coroutine"),
    (inspect.isgeneratorfunction, "a generator"),
)
_RESULTS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Coroutine, "a coroutine"),
    (Generator, "a generator"),
    ((AsyncGenerator, AsyncIterator), "an async generator"),
    ((Awaitable, Future), "a result to be awaited"),
    ((map, filter), "an iterator that nobody iterates"),
)


def deferring(function: Callable[..., Any]) -> str:
    """What a call of the function gives instead of doing its work; empty for an ordinary function.

    >>> async def later(): ...
    >>> deferring(later), deferring(partial(later)), deferring(print)
    ('a coroutine', 'a coroutine', '')
    """
    while isinstance(function, partial):
        function = function.func
    called = function if inspect.isroutine(function) else type(function).__call__
    return next((kind for is_kind, kind in _FUNCTIONS if is_kind(called)), "")


def deferred(result: Any) -> str:
    """What a result is, if the work is still to be done; empty for any other.

    >>> deferred(each for each in ()), deferred(None), deferred([1])
    ('a generator', '', '')
    """
    return next((kind for kinds, kind in _RESULTS if isinstance(result, kinds)), "")


def abandon(result: Any) -> None:
    """Close a deferred result that will not be run, so that Python does not warn about it."""
    close = getattr(result, "close", None)
    if close is not None:
        close()
