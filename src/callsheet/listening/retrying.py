"""The common part of handlers and schedules: a function in a plugin file that is retried when it fails."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from attrs import evolve

from callsheet.deferred import deferring
from callsheet.errors import UsageError

__all__ = [
    "CHAIN",
    "LONGEST_DELAY",
    "TIMEOUT",
    "Function",
    "Retrying",
    "check_name",
    "check_numbers",
    "marked",
    "marks",
]

LONGEST_DELAY = 300.0
NAME = 200
CHAIN = 10
TIMEOUT = 600.0
_MARK = "__callsheet_handlers__"

#: Called with the event or the tick, and a session of its own.
Function: TypeAlias = Callable[[Any, Any], Any]
F = TypeVar("F", bound=Callable[[Any, Any], Any])


class Retrying:
    """The retries of a failed attempt: after ``delay`` seconds, doubled each time, at most ``retries`` times."""

    __slots__ = ()
    retries: int
    delay: float

    def pause(self, failures: int, jitter: Callable[[], float] = random.random) -> float | None:
        """Seconds until the next attempt after this many failures; None if there is none.

        >>> from callsheet.listening.declaration import Handler
        >>> declared = Handler("x", "topic=*", lambda event, session: None, retries=3)
        >>> [declared.pause(failures, lambda: 0.5) for failures in (1, 2, 3, 4)]
        [1.0, 2.0, 4.0, None]
        """
        return None if failures > self.retries else self.wait(failures, jitter)

    def wait(self, failures: int, jitter: Callable[[], float] = random.random) -> float:
        """Seconds to wait after this many failures, plus or minus a quarter, so that not all retry at once."""
        seconds = min(LONGEST_DELAY, self.delay * 2.0 ** min(failures - 1, 40))
        return float(seconds * (0.75 + jitter() / 2))


def check_name(name: Any, kind: str) -> None:
    """Raise `UsageError` for an invalid name of a handler or a schedule."""
    if not isinstance(name, str) or not 0 < len(name) <= NAME or not name.isprintable():
        raise UsageError(f"the name of a {kind} has 1 to {NAME} printable characters, not {name!r:.80}")


def check_numbers(whose: str, **numbers: Any) -> None:
    """Raise `UsageError` for an invalid count or number of seconds."""
    for argument, value in numbers.items():
        counts = argument in ("retries", "chain")
        kinds = int if counts else int | float
        if not isinstance(value, kinds) or isinstance(value, bool) or not (value >= 0 if counts else value > 0):
            wanted = "a number of 0 or more" if counts else "more than 0 seconds"
            raise UsageError(f"{whose}: `{argument}` is {wanted}, not {value!r:.80}")


def marked(function: F, declared: Any, whose: str, called_with: str) -> F:
    """The function, marked with its declaration. Raises `UsageError` if it cannot be called with two arguments."""
    if not callable(function) or deferring(function):
        given = deferring(function) if callable(function) else repr(function)[:80]
        raise UsageError(
            f"{whose} must be an ordinary function, without `async` and `yield`: it runs in a thread, with a "
            f"blocking session, and {given} would not be run"
        )
    if not _takes_two(function):
        raise UsageError(f"{whose} is called as {getattr(function, '__name__', declared.name)}({called_with}, session)")
    setattr(function, _MARK, [*getattr(function, _MARK, ()), evolve(declared, function=function)])
    return function


def marks(value: Any) -> tuple[Any, ...]:
    """The declarations that a value of a module is marked with."""
    return tuple(getattr(value, _MARK, ())) if inspect.isroutine(value) else ()


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with two arguments; callables without a signature are accepted."""
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
