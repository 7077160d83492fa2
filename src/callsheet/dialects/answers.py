"""Answers come from strangers: what a dialect cannot read of one is an error of the transport, whatever broke.

The shapes of answers are checked where they are decoded. This is the net below: an answer of the right shape may still
hold a text where a dialect looks for a mapping, and no such accident is to reach a caller as a `KeyError`.
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
"""What reading an odd answer may raise."""


def reads_answers(flow: Callable[P, Flow[T]]) -> Callable[P, Flow[T]]:
    """A flow that turns accidents of reading into a `TransportError`; the accident is its cause."""

    @wraps(flow)
    def read(*arguments: P.args, **named: P.kwargs) -> Flow[T]:
        inner = flow(*arguments, **named)
        answer: Any = None
        thrown: BaseException | None = None
        while True:
            try:
                asked = inner.send(answer) if thrown is None else inner.throw(thrown)
            except StopIteration as done:
                result: T = done.value
                return result
            except ODD as error:
                # What whoever drives the flow has thrown in is not an accident of reading.
                if error is thrown or isinstance(error, CallsheetError):
                    raise
                _unreadable(error)
            answer, thrown = None, None
            try:
                answer = yield asked
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
