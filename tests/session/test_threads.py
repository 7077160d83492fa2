"""One session, one thread: enforced, with forks for more threads, and `hand_over` for moving on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest

from callsheet.errors import WrongThread

THREADS, EACH = 8, 20


def in_thread(function: Callable[[], Any]) -> Any:
    """The answer of a function that runs in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_another_thread_is_refused(show: Any) -> None:
    """Whatever it tries; and nothing is recorded by it."""
    task = show.query("Task").first()
    for attempt in (
        lambda: show.create("Tag", {"name": "x"}),
        lambda: show.delete(task),
        lambda: task.__setitem__("name", "x"),
        lambda: task["metadata"].__setitem__("a", "b"),
        lambda: task["tags"].append(task),
        show.commit,
        show.rollback,
        lambda: show.query("Task").all(),
    ):
        with pytest.raises(WrongThread, match=r"session\.fork\(\)"):
            in_thread(attempt)
    assert show.recorded_operations == []
    task["name"] = "mine"
    assert len(show.recorded_operations) == 1


def test_reading_what_is_loaded_is_free(show: Any) -> None:
    """Only recording and talking belong to the thread."""
    task = show.query("Task where name is anim").first()
    assert in_thread(lambda: (task["name"], task.id, repr(task)[:12])) == ("anim", task.id, "<Task 'anim'")


def test_a_session_can_be_handed_over(show: Any) -> None:
    """To the next thread that uses it, which then owns it."""
    task = show.query("Task").first()
    task["name"] = "handed"
    show.hand_over()
    result = in_thread(show.commit)
    assert len(result.versions) == 1
    with pytest.raises(WrongThread):
        task["name"] = "mine again"


def test_only_the_owner_hands_over(show: Any) -> None:
    """Otherwise it would be theft."""
    show.query("Task").first()
    with pytest.raises(WrongThread):
        in_thread(show.hand_over)


def test_eight_threads_lose_and_double_nothing(show: Any) -> None:
    """Each with its fork creates 20 tags and changes one shared attribute of its own task 20 times."""
    tasks = show.query("Task order by id").all()[:THREADS]
    keys = [task.id for task in tasks]
    start = Barrier(THREADS)
    errors: list[BaseException] = []

    def work(number: int, session: Any) -> None:
        try:
            start.wait()
            task = session.get("Task", keys[number])
            for turn in range(EACH):
                session.create("Tag", {"name": f"tag {number} {turn}"})
                task["metadata"][f"turn {turn}"] = str(number)
                session.commit()
        except BaseException as error:
            errors.append(error)
        finally:
            session.close()

    forks = [show.fork() for _ in range(THREADS)]
    for fork in forks:
        fork.hand_over()
    threads = [Thread(target=work, args=(number, fork)) for number, fork in enumerate(forks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    fresh = show.fork()
    names = sorted(tag["name"] for tag in fresh.query("Tag"))
    assert names == sorted(f"tag {number} {turn}" for number in range(THREADS) for turn in range(EACH))
    for number, key in enumerate(keys):
        held = dict(fresh.get("Task", key)["metadata"])
        assert held == {f"turn {turn}": str(number) for turn in range(EACH)}
    fresh.close()
