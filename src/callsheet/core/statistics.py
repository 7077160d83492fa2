"""The cost of a session: its requests, bytes and entities."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Statistics", "talking"]

_INSIDE = __name__.partition(".")[0] + "."


class Statistics:
    """Counts since the session was opened, or since ``reset()``.

    ``requests`` counts the requests to the server, ``retries`` those that were repeated; bytes are those of the
    bodies, as sent and received. ``entities`` counts the rows received. Inside ``tracing()``, ``call_sites`` counts
    the requests by the line of your code that caused them.
    """

    def __init__(self) -> None:
        self.tracing_calls = False
        self.reset()

    def reset(self) -> None:
        """Set all counts to zero."""
        self.requests = 0
        self.retries = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self.entities = 0
        self.commits = 0
        self.operations = 0
        self.by_verb: Counter[str] = Counter()
        self.call_sites: Counter[str] = Counter()

    def __repr__(self) -> str:
        return (
            f"<Statistics: {self.requests} requests, {self.bytes_sent} bytes sent, "
            f"{self.bytes_received} received, {self.entities} entities>"
        )

    def count(self, verb: str) -> None:
        """Count a request."""
        self.requests += 1
        self.by_verb[verb] += 1
        if self.tracing_calls:
            self.call_sites[_call_site()] += 1

    @contextmanager
    def tracing(self) -> Iterator[Statistics]:
        """Note which lines cause requests, inside the block."""
        before, self.tracing_calls = self.tracing_calls, True
        try:
            yield self
        finally:
            self.tracing_calls = before


def _call_site() -> str:
    """``file:line in function`` of the nearest frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if not f"{module}.".startswith(_INSIDE) and not module.startswith(("anyio", "contextlib", "asyncio")):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


#: The statistics of the session that is talking, in this thread or task; forks share a transport.
talking: ContextVar[Statistics | None] = ContextVar("talking", default=None)
