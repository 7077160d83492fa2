"""Drivers of flows: `run` blocks, `arun` awaits. Nothing else runs flows.

Both treat a flow alike. A `Request` is sent by the transport; `Work` is done here (under `arun` in a worker thread, so
that the event loop is not blocked; a `Call` in the loop's own thread); an `Overlap` is both at once. The result is sent
into the flow. An error is thrown into the flow, which may catch it and continue. If the driver itself is interrupted (a
cancelled task, Ctrl-C), the flow is closed, so that its ``finally`` blocks run, and the interruption is propagated.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import Any, Protocol, TypeVar

from callsheet.flow import Call, Flow, Overlap, Request, Response, Work
from callsheet.transport.overlap import aoverlap, overlap

__all__ = ["AsyncTransport", "Transport", "arun", "run"]

T = TypeVar("T")


class Transport(Protocol):
    """Sends a request and blocks until it has the response."""

    def send(self, request: Request) -> Response: ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """Sends a request; the response is awaited."""

    async def send(self, request: Request) -> Response: ...

    async def aclose(self) -> None: ...


def run(flow: Flow[T], transport: Transport) -> T:
    """Run a flow to its result, blocking.

    >>> from callsheet.transport.local import LocalTransport
    >>> def sum_of_two():
    ...     first = yield Work(lambda: 1)
    ...     second = yield Work(lambda: 2)
    ...     return first + second
    >>> run(sum_of_two(), LocalTransport())
    3
    """
    try:
        step = next(flow)
        while True:
            answer: Any
            try:
                if isinstance(step, Work):
                    answer = step.function()
                elif isinstance(step, Overlap):
                    answer = overlap(step, transport.send)
                else:
                    answer = transport.send(step)
            except Exception as error:
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    except BaseException:
        flow.close()
        raise


async def arun(flow: Flow[T], transport: AsyncTransport) -> T:
    """Run a flow to its result, awaiting; under asyncio and trio."""
    from anyio import to_thread

    try:
        step = next(flow)
        while True:
            answer: Any
            try:
                if isinstance(step, Call):
                    answer = step.function()
                    answer = await answer if isawaitable(answer) else answer
                elif isinstance(step, Work):
                    answer = await to_thread.run_sync(step.function)
                elif isinstance(step, Overlap):
                    answer = await aoverlap(step, transport.send)
                else:
                    answer = await transport.send(step)
            except Exception as error:
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as stop:
        answer = stop.value
    finally:
        flow.close()
    return answer  # type: ignore[no-any-return]
