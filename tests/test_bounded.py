"""A bounded dictionary keeps its newest entries, also where several threads write to it."""

from __future__ import annotations

from threading import Thread

from callsheet.bounded import BoundedDict


def test_the_oldest_entry_goes_first() -> None:
    """A new entry takes the place of the oldest; one that is set anew takes no place, and keeps its age."""
    kept: BoundedDict[str, int] = BoundedDict(2)
    kept["a"], kept["b"], kept["a"] = 1, 2, 3
    assert kept == {"a": 3, "b": 2}
    kept["c"] = 4
    assert kept == {"b": 2, "c": 4}


def test_a_renewed_entry_is_the_youngest() -> None:
    """So that what is used often stays, whoever uses it renews it."""
    kept: BoundedDict[str, int] = BoundedDict(2)
    kept["a"], kept["b"] = 1, 2
    kept.renew("a", 1)
    kept["c"] = 3
    assert kept == {"a": 1, "c": 3}


def test_threads_may_share_it() -> None:
    """Whoever drops the oldest entry first, nobody fails, and the bound holds when all are done."""
    kept: BoundedDict[int, int] = BoundedDict(8)
    failed: list[BaseException] = []

    def write(start: int) -> None:
        try:
            for number in range(start, start + 2_000):
                kept[number] = number
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=write, args=(start,)) for start in (0, 10_000, 20_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept[-1] = -1
    assert failed == []
    assert len(kept) <= 8
