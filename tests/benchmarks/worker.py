"""A measured client in a process of its own: takes jobs as lines of JSON, answers each with one line.

Used by all three clients, so that what surrounds a measurement is the same for each; the standard library
only, because the peer's environment runs it too.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = ["Cost", "cpu", "held", "nanoseconds", "resident", "serve"]


class Cost:
    """CPU seconds of this process, all threads together."""

    cpu: float = 0.0


@contextmanager
def cpu() -> Iterator[Cost]:
    """The CPU time of the block."""
    cost = Cost()
    gc.collect()
    start = time.process_time()
    yield cost
    cost.cpu = time.process_time() - start


def held(make: Callable[[], Any], count: int) -> dict[str, float]:
    """Traced bytes and tracked objects that what is made holds, for each of ``count``."""
    make()
    gc.collect()
    tracemalloc.start()
    tracked, traced = len(gc.get_objects()), tracemalloc.get_traced_memory()[0]
    kept = make()
    gc.collect()
    found = {
        "bytes": (tracemalloc.get_traced_memory()[0] - traced) / count,
        "tracked": (len(gc.get_objects()) - tracked) / count,
    }
    tracemalloc.stop()
    del kept
    return found


def nanoseconds(run: Callable[[], object], count: int, rounds: int = 15) -> float:
    """The least CPU nanoseconds of one of ``count`` things that ``run`` does."""
    least = float("inf")
    for _ in range(rounds):
        with cpu() as cost:
            run()
        least = min(least, cost.cpu)
    return least / count * 1e9


def resident() -> float:
    """The megabytes of memory this process occupies."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4_096 / 2**20


def serve(jobs: Mapping[str, Callable[..., dict[str, Any]]]) -> None:
    """Do what the lines say, in their order: ``{"job": "query", "count": 1000}``."""
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        result = jobs[order.pop("job")](**order)
        gc.collect()
        print(json.dumps(result), flush=True)
