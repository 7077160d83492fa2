"""A request is under way while something else is done, and neither outlives the flow."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from callsheet.errors import Disconnected
from callsheet.flow import Flow, Overlap, Request, Response
from callsheet.transport.drive import arun, run

NEXT = Request("GET", "/next")


class Server:
    """Answers when the work that goes on meanwhile has begun; so it never does where they do not overlap."""

    def __init__(self, broken: bool = False) -> None:
        self.sent = threading.Event()
        self.working = threading.Event()
        self.broken = broken

    def work(self) -> str:
        self.working.set()
        return "sent before" if self.sent.wait(10) else "not sent"

    def _answer(self) -> Response:
        if self.broken:
            raise Disconnected("gone")
        return Response(200, b"next")

    def flow(self) -> Flow[Any]:
        return (yield Overlap(NEXT, self.work))


class Blocking(Server):
    def send(self, request: Request) -> Response:
        self.sent.set()
        assert self.working.wait(10)
        return self._answer()

    def close(self) -> None:
        pass


class Awaiting(Server):
    async def send(self, request: Request) -> Response:
        import anyio

        self.sent.set()
        while not self.working.is_set():
            await anyio.sleep(0)
        return self._answer()

    async def aclose(self) -> None:
        pass


def driven(how: str, broken: bool = False, work: Any = None) -> Any:
    """What the flow returns under a driver."""
    if how == "blocking":
        blocking = Blocking(broken)
        blocking.work = work or blocking.work  # type: ignore[method-assign]
        return run(blocking.flow(), blocking)

    async def main() -> Any:
        awaiting = Awaiting(broken)
        awaiting.work = work or awaiting.work  # type: ignore[method-assign]
        awaiting.working.set()
        return await arun(awaiting.flow(), awaiting)

    if how == "asyncio":
        return asyncio.run(main())
    import trio

    return trio.run(main)


DRIVERS = ["blocking", "asyncio", "trio"]


@pytest.mark.parametrize("how", DRIVERS)
def test_the_request_is_out_before_the_work_ends(how: str) -> None:
    """The flow gets what the work returned and the response."""
    done, answer = driven(how)
    assert (done, answer.content) == ("sent before", b"next")


@pytest.mark.parametrize("how", DRIVERS)
def test_an_error_of_the_request_takes_the_place_of_the_response(how: str) -> None:
    """It is not raised: whoever needs the response does that."""
    done, answer = driven(how, broken=True)
    assert (done, str(answer)) == ("sent before", "gone")
    assert isinstance(answer, Disconnected)


@pytest.mark.parametrize("how", ["asyncio", "trio"])
def test_an_error_of_the_work_is_raised_as_it_is(how: str) -> None:
    """In no group of exceptions."""

    def fail() -> None:
        raise ZeroDivisionError("the work")

    with pytest.raises(ZeroDivisionError, match="the work"):
        driven(how, work=fail)
