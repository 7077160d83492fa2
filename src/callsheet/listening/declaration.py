"""What a plugin file says of its durable handlers: ``@callsheet.handler(…)`` marks a function as one."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from callsheet.deferred import deferring
from callsheet.errors import UsageError
from callsheet.events.checking import check_expression
from callsheet.model.language.events import expression_text
from callsheet.model.query import Condition

__all__ = ["Handler", "handler", "handlers_of"]

LONGEST_DELAY = 300.0
NAME = 200
CHAIN = 10
TIMEOUT = 600.0
_MARK = "__callsheet_handlers__"

#: What a handler is: it is called with the event, and a session that is its alone.
Function: TypeAlias = Callable[[Any, Any], Any]
F = TypeVar("F", bound=Callable[[Any, Any], Any])


@frozen
class Handler:
    """A function, the events it is for, and what is done when it fails.

    ``retries`` counts the attempts after the first; before each, ``delay`` seconds double, up to five minutes.
    ``ignore_own`` leaves out events of commits this handler made; ``chain`` is how many handlers may have answered one
    another before it, since such chains can be endless; ``from_start`` begins a handler that the server
    does not know at the first event of its log, and not at the next one. An attempt that takes longer than ``timeout``
    seconds has failed.
    """

    name: str
    expression: str
    function: Function
    ignore_own: bool = False
    retries: int = 5
    delay: float = 1.0
    from_start: bool = False
    chain: int = CHAIN
    timeout: float = TIMEOUT
    file: str = field(default="", eq=False)

    def pause(self, failures: int, jitter: Callable[[], float] = random.random) -> float | None:
        """Seconds until the next attempt after so many failures; None where there is none.

        >>> declared = Handler("x", "topic=*", lambda event, session: None, retries=3)
        >>> [declared.pause(failures, lambda: 0.5) for failures in (1, 2, 3, 4)]
        [1.0, 2.0, 4.0, None]
        """
        return None if failures > self.retries else self.wait(failures, jitter)

    def wait(self, failures: int, jitter: Callable[[], float] = random.random) -> float:
        """Seconds to wait after so many failures: a quarter more or less, so that not all come back at once."""
        seconds = min(LONGEST_DELAY, self.delay * 2.0 ** min(failures - 1, 40))
        return float(seconds * (0.75 + jitter() / 2))


def handler(
    expression: str | Condition,
    *,
    name: str,
    ignore_own: bool = False,
    retries: int = 5,
    delay: float = 1.0,
    from_start: bool = False,
    chain: int = CHAIN,
    timeout: float = TIMEOUT,
) -> Callable[[F], F]:
    """Mark a function in a plugin file as the durable handler ``name``, for the events the expression is true of.

    The function is called as ``function(event, session)``, with a session of its own, whose changes are committed
    after it returns, together with the note that the event is handled. `callsheet listen` runs it; the function
    itself stays what it was. The name is what its place in the log is kept under: keep it when you rewrite the
    function. Raises `QueryError` for an expression that cannot be read, or that no event can fulfil.

    >>> @handler("topic=callsheet.update and changes.status", name="tell")
    ... def tell(event, session):
    ...     print(event.changes["status"]["new"])
    >>> [each.name for each in handlers_of({"tell": tell})]
    ['tell']
    """
    check_expression(expression)
    if not isinstance(name, str) or not 0 < len(name) <= NAME or not name.isprintable():
        raise UsageError(f"the name of a handler has 1 to {NAME} printable characters, not {name!r:.80}")
    _check_numbers(name, retries=retries, chain=chain, delay=delay, timeout=timeout)
    text = expression_text(expression)
    marked = Handler(name, text, _nothing, ignore_own, retries, delay, from_start, chain, timeout)

    def mark(function: F) -> F:
        if not callable(function) or deferring(function):
            given = deferring(function) if callable(function) else repr(function)[:80]
            raise UsageError(
                f"handler `{name}` is an ordinary function, without `async` and `yield`: it runs in a thread, with a "
                f"blocking session, and nobody would run {given}"
            )
        if not _takes_two(function):
            raise UsageError(f"handler `{name}` is called as {getattr(function, '__name__', name)}(event, session)")
        found = [*getattr(function, _MARK, ()), evolve(marked, function=function)]
        setattr(function, _MARK, found)
        return function

    return mark


def _check_numbers(name: str, **numbers: Any) -> None:
    """Raise `UsageError` for a count or a number of seconds that is none."""
    for argument, value in numbers.items():
        counts = argument in ("retries", "chain")
        kinds = int if counts else int | float
        if not isinstance(value, kinds) or isinstance(value, bool) or not (value >= 0 if counts else value > 0):
            wanted = "a number of 0 or more" if counts else "more than 0 seconds"
            raise UsageError(f"handler `{name}`: `{argument}` is {wanted}, not {value!r:.80}")


def handlers_of(namespace: dict[str, Any], file: str = "") -> list[Handler]:
    """The handlers among the values of a module, each once, in the order of the file."""
    found: dict[tuple[str, int], Handler] = {}
    for value in namespace.values():
        for each in getattr(value, _MARK, ()) if inspect.isroutine(value) else ():
            found[each.name, id(each.function)] = evolve(each, file=file)
    return list(found.values())


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function can be called as a handler is; whoever does not tell is believed."""
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _nothing(event: Any, session: Any) -> None:
    """Stands where the function will be."""
