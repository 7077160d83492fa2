"""Any exception while a dialect reads a server's answer becomes a `TransportError`.

The structure of answers is checked when they are decoded. This is the last safeguard: an answer of the right structure
may still have a text where a dialect expects a mapping, and a caller must not get a `KeyError` for that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

from callsheet.errors import CallsheetError, TransportError
from callsheet.flow import Flow

__all__ = ["reads_answer", "reads_answers"]

P = ParamSpec("P")
T = TypeVar("T")
ODD = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""Exceptions that reading an unexpected answer may raise."""


def reads_answers(flow: Callable[P, Flow[T]]) -> Callable[P, Flow[T]]:
    """A flow that raises `TransportError` for exceptions of reading; the exception is its cause."""

    @wraps(flow)
    def read(*arguments: P.args, **named: P.kwargs) -> Flow[T]:
        inner = flow(*arguments, **named)
        answer: Any = None
        thrown: BaseException | None = None
        while True:
            try:
                request = inner.send(answer) if thrown is None else inner.throw(thrown)
            except StopIteration as done:
                result: T = done.value
                return result
            except ODD as error:
                # An exception that the driver has thrown into the flow is not one of reading.
                if error is thrown or isinstance(error, CallsheetError):
                    raise
                _unreadable(error)
            answer, thrown = None, None
            try:
                answer = yield request
            except BaseException as error:
                thrown = error

    return read


def reads_answer(function: Callable[P, T]) -> Callable[P, T]:
    """The same for a function that reads one answer."""

    @wraps(function)
    def read(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return function(*arguments, **named)
        except CallsheetError:
            raise
        except ODD as error:
            _unreadable(error)

    return read


def _unreadable(error: Exception) -> NoReturn:
    words = f"{type(error).__name__}: {error!s:.120}"
    raise TransportError(f"the server's answer cannot be read ({words})") from error
