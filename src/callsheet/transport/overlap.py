"""A request is sent while a function runs, blocking (`overlap`) or awaiting (`aoverlap`).

Both return when the request and the function have ended, so nothing outlives the flow. The request is sent by a thread
or a task of its own; the function runs in the flow's own thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from threading import Thread
from typing import Any

from callsheet.flow import Overlap, Request, Response

__all__ = ["aoverlap", "overlap"]

#: Checkpoints before the function blocks the event loop, so that the request is sent first.
TURNS = 8


def overlap(step: Overlap, transmit: Callable[[Request], Response]) -> tuple[Any, Any]:
    """The function's result, and the response or the exception of the request."""
    outcome: list[Any] = []

    def send() -> None:
        try:
            outcome.append(transmit(step.request))
        except BaseException as error:
            outcome.append(error)

    # In a copy of the context, so that the exchange is counted for the same session.
    thread = Thread(target=copy_context().run, args=(send,), name="callsheet-ahead", daemon=True)
    thread.start()
    try:
        done = step.function()
    finally:
        thread.join()
    return done, outcome[0]


async def aoverlap(step: Overlap, transmit: Callable[[Request], Awaitable[Response]]) -> tuple[Any, Any]:
    """The same, awaited."""
    from anyio import create_task_group
    from anyio.lowlevel import checkpoint

    outcome: list[Any] = []
    done, failure = None, None

    async def send() -> None:
        try:
            outcome.append(await transmit(step.request))
        except Exception as error:
            outcome.append(error)

    async with create_task_group() as group:
        group.start_soon(send)
        for _ in range(TURNS):
            await checkpoint()
        try:
            done = step.function()
        except BaseException as error:
            # Raised outside: a task group would wrap it.
            failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return done, outcome[0]
