"""Threads that run functions for an event loop."""

import asyncio
import gc
import threading
from threading import Event, Thread

import pytest

from callsheet.server.web.workers import Workers


def workers_threads() -> list[Thread]:
    return [each for each in threading.enumerate() if each.name == "callsheet-worker"]


def test_what_a_function_returns_or_raises_comes_back() -> None:
    """The result is returned and the error is raised where the call is awaited, and both calls have ended by then."""
    ended: list[str] = []

    def fail(name: str) -> None:
        raise KeyError(name)

    async def main() -> None:
        workers = Workers(2)
        assert await workers.run(lambda: ended.append("sum"), sum, [1, 2]) == 3
        with pytest.raises(KeyError, match="status"):
            await workers.run(lambda: ended.append("fail"), fail, "status")

    asyncio.run(main())
    assert ended == ["sum", "fail"]


def test_a_call_that_nobody_awaits_any_more_goes_on_to_its_end() -> None:
    """Its place is free when the function has ended, not when its task is cancelled."""
    ended: list[str] = []

    async def main() -> None:
        workers, begun, go = Workers(1), Event(), Event()

        def held() -> None:
            begun.set()
            go.wait(30)

        task = asyncio.create_task(workers.run(lambda: ended.append("held"), held))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == []
        go.set()
        assert await workers.run(lambda: ended.append("next"), abs, -1) == 1

    asyncio.run(main())
    assert ended == ["held", "next"]


def test_there_are_no_more_threads_than_calls_at_once_and_they_end_with_their_owner() -> None:
    """Calls one after the other share a thread; many at once have as many threads as are allowed."""
    before = set(workers_threads())

    def own() -> set[Thread]:
        return set(workers_threads()) - before

    async def main() -> set[Thread]:
        workers = Workers(3)
        for number in range(5):
            assert await workers.run(lambda: None, abs, -number) == number
        assert len(own()) == 1
        go = Event()
        tasks = [asyncio.create_task(workers.run(lambda: None, go.wait, 30)) for _ in range(5)]
        await asyncio.sleep(0)
        assert len(own()) == 3
        go.set()
        assert await asyncio.gather(*tasks) == [True] * 5
        return own()

    threads = asyncio.run(main())
    gc.collect()
    for thread in threads:
        thread.join(30)
    assert own() == set()
