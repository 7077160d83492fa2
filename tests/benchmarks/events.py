"""Events end to end: how many a second from commit to callback, and how long one takes on the way.

``python -m tests.benchmarks.events`` from the root of the repository prints the table. A server in a process of its
own on a SQLite file, listeners in this process, over loopback; what the two share is the machine. A commit is answered
when it is on disk, so latency is told from both ends: since the commit was sent, and since its answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event as Flag
from time import perf_counter, sleep

from callsheet.dialects.native.client import NativeDialect
from callsheet.model.event import Event, Position
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity
from callsheet.server.process import serve
from callsheet.transport.drive import run
from callsheet.transport.http import HttpTransport
from callsheet.transport.listen import Listener

DOCUMENT = {"name": "dots", "types": {"Dot": {"attributes": {"name": {"type": "string"}}}}}


class Ear:
    """One listener, and when each event came."""

    def __init__(self, url: str, key: str, expression: str, after: Position | None = None) -> None:
        self.dialect = NativeDialect()
        self.transport = HttpTransport(url, self.dialect.credentials("", key))
        self.came: dict[str, float] = {}
        self.connected = Flag()
        self.listener: Listener = self.transport.listen(
            lambda place: self.dialect.events(place, [expression], {}),
            self._take,
            lambda _: self.connected.set(),
            after,
        )
        self.listener.start()
        self.connected.wait(10)

    def _take(self, events: Sequence[Event]) -> None:
        now = perf_counter()
        for event in events:
            self.came[event.id] = now

    def until(self, count: int) -> None:
        while len(self.came) < count:
            sleep(0.0005)

    def close(self) -> None:
        self.listener.stop()
        self.transport.close()


class Writer:
    """Commits over a connection of its own."""

    def __init__(self, url: str, key: str) -> None:
        self.dialect = NativeDialect()
        self.transport = HttpTransport(url, self.dialect.credentials("", key))

    def commit(self, name: str, size: int) -> tuple[float, float]:
        """When it was sent and when it was answered."""
        made = tuple(Create(Identity("Dot", f"{name}-{n}"), {"name": name}) for n in range(size))
        sent = perf_counter()
        run(self.dialect.commit(ChangeSet(name, made)), self.transport)
        return sent, perf_counter()


def latency(url: str, key: str, ears: int, commits: int) -> str:
    """One commit after another, each of one change, and listeners for all."""
    writer, heard = Writer(url, key), [Ear(url, key, "topic=callsheet.update") for _ in range(ears)]
    sent: list[tuple[str, float, float]] = []
    for number in range(commits):
        name = f"latency-{ears}-{number}"
        sent.append((f"{name}:0", *writer.commit(name, 1)))
        sleep(0.01)
    for ear in heard:
        ear.until(commits)
    whole = sorted(1e3 * (ear.came[name] - begun) for ear in heard for name, begun, _ in sent)
    after = sorted(1e3 * (ear.came[name] - done) for ear in heard for name, _, done in sent)
    for ear in heard:
        ear.close()
    writer.transport.close()
    return (
        f"{ears:>4} listeners, {commits} commits one by one: commit to callback p50 {median(whole):.1f} ms, "
        f"p99 {whole[int(len(whole) * 0.99)]:.1f} ms; after the answer p50 {median(after):.1f} ms, "
        f"p99 {after[int(len(after) * 0.99)]:.1f} ms"
    )


def rate(url: str, key: str, ears: int, size: int, events: int) -> str:
    """Events that are written as fast as the server takes them, and events that lie there, read as fast as can be."""
    begun_at = Ear(url, key, "topic=nothing")
    begun_at.until(0)
    while begun_at.listener.position is None:
        sleep(0.01)
    place = begun_at.listener.position
    begun_at.close()
    writer, heard = Writer(url, key), [Ear(url, key, "topic=callsheet.update") for _ in range(ears)]
    start = perf_counter()
    for number in range(events // size):
        writer.commit(f"rate-{ears}-{size}-{number}", size)
    committed = perf_counter() - start
    for ear in heard:
        ear.until(events)
        ear.close()
    live = perf_counter() - start
    start = perf_counter()
    late = Ear(url, key, "topic=callsheet.update", place)
    late.until(events)
    backfill = perf_counter() - start
    late.close()
    writer.transport.close()
    return (
        f"{ears:>4} listeners, commits of {size}: {events / live:,.0f} events/s to each while they are written "
        f"({events / committed:,.0f}/s written); {events / backfill:,.0f}/s from the past"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--commits", type=int, default=300)
    parser.add_argument("--events", type=int, default=10_000)
    wanted = parser.parse_args()
    with TemporaryDirectory() as folder, serve(DOCUMENT, f"sqlite:///{folder}/events.db") as server:
        key = server.admin_key or ""
        for ears in (1, 10, 30):
            print(latency(server.url, key, ears, wanted.commits))
        for ears, size in ((1, 1), (1, 100), (10, 100)):
            print(rate(server.url, key, ears, size, wanted.events if size > 1 else wanted.events // 10))


if __name__ == "__main__":
    main()
