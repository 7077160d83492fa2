"""Drive a flow: answer what it yields, blocking (`run`) or awaiting (`arun`). The only reader of flows.

Both treat a flow alike. A `Request` goes to the transport, `Work` is done here (in a worker thread under
`arun`, so that the loop stays free; a `Call` in the loop's own), an `Overlap` is both at once, and the answer is
sent into the flow. An error of either is thrown into the flow, which may catch it and go on. Whatever stops the
driver itself (a cancelled task, Ctrl-C) is no answer: the flow is closed, so that its ``finally`` blocks run, and the
interruption goes on up.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import Any, Protocol, TypeVar

from callsheet.flow import Call, Flow, Overlap, Request, Response, Work
from callsheet.transport.overlap import aoverlap, overlap

__all__ = ["AsyncTransport", "Transport", "arun", "run"]

T = TypeVar("T")


class Transport(Protocol):
    """Sends a request and blocks until the answer is there."""

    def send(self, request: Request) -> Response: ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """Sends a request; the answer is awaited."""

    async def send(self, request: Request) -> Response: ...

    async def aclose(self) -> None: ...


def run(flow: Flow[T], transport: Transport) -> T:
    """The flow's answer, blocking until it is there.

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
    """The flow's answer, awaited; under asyncio and under trio."""
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
