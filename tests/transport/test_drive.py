"""Driving flows: answers go in, errors are thrown in, interruptions close."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from callsheet.errors import Disconnected, StateError
from callsheet.flow import Flow, Request, Response, Work
from callsheet.transport.drive import arun, run
from callsheet.transport.local import LocalTransport


class Echo:
    """Answers with the request's path; refuses the path ``/broken``."""

    def send(self, request: Request) -> Response:
        if request.path == "/broken":
            raise Disconnected("gone")
        return Response(200, request.path.encode())

    def close(self) -> None:
        pass


class AsyncEcho:
    async def send(self, request: Request) -> Response:
        return Echo().send(request)

    async def aclose(self) -> None:
        pass


def both(flow: Callable[[], Flow[Any]], how: str) -> Any:
    """The flow's answer, by the driver named."""
    if how == "blocking":
        return run(flow(), Echo())

    async def main() -> Any:
        return await arun(flow(), AsyncEcho())

    return loop(how)(main)


def loop(how: str) -> Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]:
    if how == "asyncio":
        return lambda main: asyncio.run(main())
    import trio

    return trio.run


DRIVERS = ["blocking", "asyncio", "trio"]


@pytest.mark.parametrize("how", DRIVERS)
def test_answers_are_sent_in(how: str) -> None:
    """Each request is answered by the transport, each work by its result, in order."""

    def flow() -> Flow[list[Any]]:
        first = yield Request("GET", "/one")
        second = yield Work(lambda: 2)
        third = yield Request("GET", "/three")
        return [first.content, second, third.content]

    assert both(flow, how) == [b"/one", 2, b"/three"]


@pytest.mark.parametrize("how", DRIVERS)
def test_flows_compose(how: str) -> None:
    """A flow within a flow is driven all the same."""

    def inner() -> Flow[bytes]:
        response = yield Request("GET", "/inner")
        return bytes(response.content)

    def flow() -> Flow[tuple[bytes, bytes]]:
        first = yield from inner()
        second = yield from inner()
        return first, second

    assert both(flow, how) == (b"/inner", b"/inner")


@pytest.mark.parametrize("how", DRIVERS)
def test_a_flow_may_catch_errors(how: str) -> None:
    """The errors of transport and work are thrown into the flow, which can go on."""

    def flow() -> Flow[list[str]]:
        seen = []
        try:
            yield Request("GET", "/broken")
        except Disconnected as error:
            seen.append(str(error))
        try:
            yield Work(lambda: 1 / 0)
        except ZeroDivisionError:
            seen.append("division")
        response = yield Request("GET", "/after")
        return [*seen, response.content.decode()]

    assert both(flow, how) == ["gone", "division", "/after"]


@pytest.mark.parametrize("how", DRIVERS)
def test_uncaught_errors_come_out(how: str) -> None:
    """What the flow does not catch reaches the caller, after the flow's own clean-up."""
    cleaned = []

    def flow() -> Flow[None]:
        try:
            yield Request("GET", "/broken")
        finally:
            cleaned.append(True)

    with pytest.raises(Disconnected, match="gone"):
        both(flow, how)
    assert cleaned == [True]


@pytest.mark.parametrize("how", DRIVERS)
def test_a_flow_without_requests(how: str) -> None:
    """A flow that asks nothing still gives its answer."""

    def flow() -> Flow[int]:
        return 7
        yield

    assert both(flow, how) == 7


@pytest.mark.parametrize("how", DRIVERS)
def test_stop_iteration_of_work_is_no_answer(how: str) -> None:
    """Work that raises StopIteration fails the flow; it must not end it as if it had returned."""

    def flow() -> Flow[int]:
        yield Work(lambda: next(iter(())))
        return 1

    with pytest.raises(RuntimeError):
        both(flow, how)


def test_interruption_closes_the_flow() -> None:
    """Ctrl-C is no answer: the flow cannot catch it as an error, and its clean-up runs."""
    seen = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    def flow() -> Flow[None]:
        try:
            yield Work(interrupt)
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    with pytest.raises(KeyboardInterrupt):
        run(flow(), Echo())
    assert seen == ["GeneratorExit"]


@pytest.mark.parametrize("how", ["asyncio", "trio"])
def test_cancellation_closes_the_flow(how: str) -> None:
    """A cancelled task closes its flow, so its clean-up runs."""
    import anyio

    seen = []

    class Never:
        async def send(self, request: Request) -> Response:
            await anyio.sleep_forever()
            raise AssertionError

        async def aclose(self) -> None:
            pass

    def flow() -> Flow[None]:
        try:
            yield Request("GET", "/")
        except GeneratorExit:
            seen.append("closed")
            raise

    async def main() -> None:
        with anyio.move_on_after(0.01):
            await arun(flow(), Never())

    loop(how)(main)
    assert seen == ["closed"]


@pytest.mark.parametrize("how", ["asyncio", "trio"])
def test_work_leaves_the_loop_free(how: str) -> None:
    """Under `arun` work is done in another thread; the flow itself stays in the loop's."""

    def flow() -> Flow[tuple[int, int]]:
        worker = yield Work(threading.get_ident)
        return worker, threading.get_ident()

    worker, own = both(flow, how)
    assert own == threading.get_ident()
    assert worker != own


def test_a_local_session_has_no_server() -> None:
    """A request that reaches the local transport is an error that says what to do."""

    def flow() -> Flow[Any]:
        return (yield Request("GET", "/v1/description"))

    with pytest.raises(StateError, match="no server for GET /v1/description"):
        run(flow(), LocalTransport())

    async def main() -> Awaitable[Any]:
        return await arun(flow(), LocalTransport())

    with pytest.raises(StateError):
        asyncio.run(main())
