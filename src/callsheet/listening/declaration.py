"""The declaration of durable handlers in plugin files: ``@callsheet.handler(…)`` marks a function as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from callsheet.events.checking import check_expression
from callsheet.listening.retrying import (
    CHAIN,
    LONGEST_DELAY,
    TIMEOUT,
    Function,
    Retrying,
    check_name,
    check_numbers,
    marked,
    marks,
)
from callsheet.listening.schedule import Schedule
from callsheet.model.event import Event
from callsheet.model.language.events import expression_text
from callsheet.model.query import Condition
from callsheet.model.schema import Schema

__all__ = ["LONGEST_DELAY", "Declared", "Handler", "handler", "handlers_of"]

F = TypeVar("F", bound=Callable[[Any, Any], Any])


@frozen
class Handler(Retrying):
    """A function, its events, and its retries.

    ``retries`` counts the attempts after the first; ``delay`` is the wait in seconds before the first retry, which
    doubles up to five minutes. ``ignore_own`` excludes events of this handler's own commits; ``chain`` limits how many
    handlers may have reacted to each other before it, because such chains can be endless; with ``from_start``, a new
    handler begins at the first event of the log, not at the next one. An attempt that takes longer than ``timeout``
    seconds fails.
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

    def call(self, event: Event, session: Any) -> Any:
        """Handle an event."""
        return self.function(event, session)

    def check(self, schema: Schema | None) -> None:
        """Raise `UsageError` for an expression that no event can fulfil."""
        check_expression(self.expression, schema)


#: What a listener runs: a function for events, or one for times.
Declared: TypeAlias = Handler | Schedule


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
    """Mark a function in a plugin file as the durable handler ``name``, for events that fulfil the expression.

    The function is called as ``function(event, session)``, with a session of its own, whose changes are committed
    after it returns, together with the checkpoint of the event. `callsheet listen` runs it; the function itself is not
    changed. The server stores the handler's position under its name: keep the name when you rewrite the function.
    Raises `QueryError` for an invalid expression, or one that no event can fulfil.

    >>> @handler("topic=callsheet.update and changes.status", name="tell")
    ... def tell(event, session):
    ...     print(event.changes["status"]["new"])
    >>> [each.name for each in handlers_of({"tell": tell})]
    ['tell']
    """
    check_expression(expression)
    check_name(name, "handler")
    whose = f"handler `{name}`"
    check_numbers(whose, retries=retries, chain=chain, delay=delay, timeout=timeout)
    text = expression_text(expression)
    declared = Handler(name, text, _nothing, ignore_own, retries, delay, from_start, chain, timeout)
    return lambda function: marked(function, declared, whose, "event")


def handlers_of(namespace: dict[str, Any], file: str = "") -> list[Declared]:
    """The handlers and schedules of a module, each once, in the order of the file."""
    found: dict[tuple[str, int], Declared] = {}
    for value in namespace.values():
        for each in marks(value):
            found[each.name, id(each.function)] = evolve(each, file=file)
    return list(found.values())


def _nothing(event: Any, session: Any) -> None:
    """A placeholder for the function."""
