"""Today's code beside a released wheel, in one run: ``python -m tests.benchmarks.released``.

Both run in processes of their own, in turns, and every figure is the median of the ratios of neighbouring turns. CPU
time is the process's own, so that other work on the machine moves it little; commits a second over HTTP are counted
with the same client for both, and stand beside the CPU time of the server's process for each commit.

``--release 0.2.0`` chooses the wheel (see ``tests/released``), ``--only NAME`` one measurement, ``--pairs N`` how many.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from urllib.parse import urlsplit
from uuid import uuid4

from .bare import database
from .processes import ROOT
from .released_worker import KEY, TASKS
from .table import Line, at_least, at_most

WORKER = Path(__file__).with_name("released_worker.py")
STATEMENTS = ("from callsheet import Session",)
TURNS = {"backend_commit": 100, "commit": 100, "creates": 1, "empty_commit": 5_000, "empty_flow": 5_000}
TURNS |= {"encode_operations": 3, "decode_operations": 3}
BUDGETS = {"encode_operations": 1.5, "decode_operations": 1.2}
TURNS |= {"item_get": 200_000, "item_set": 50_000}
TICKS = os.sysconf("SC_CLK_TCK")


class Side:
    """One version: where its code is."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONHASHSEED": "0"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, WORKER, *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def imported(self, statement: str) -> float:
        """CPU seconds of a process that runs this statement."""
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", statement], env=self.environment, check=True)
        after = getrusage(RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratios(pairs: int, now: Callable[[], float], then: Callable[[], float]) -> tuple[float, float, float]:
    """Medians of the present, of the release, and of the ratios of neighbours; who goes first changes."""
    found = []
    for number in range(pairs):
        if number % 2:
            before = then()
            found.append((now(), before))
        else:
            found.append((now(), then()))
    return median(a for a, _ in found), median(b for _, b in found), median(a / b for a, b in found)


def importing(now: Side, then: Side, pairs: int) -> Iterator[Line]:
    for statement in STATEMENTS:
        a, b, ratio = ratios(pairs, lambda: now.imported(statement), lambda: then.imported(statement))  # noqa: B023
        yield at_most(f"`{statement}`", ratio, 0.5, " of the release's CPU", f" ({a * 1e3:.0f} / {b * 1e3:.0f} ms)")


def in_process(now: Side, then: Side, pairs: int) -> Iterator[Line]:
    with now.start("work") as ours, then.start("work") as theirs:
        for job, turns in TURNS.items():

            def run(process: subprocess.Popen[str], job: str = job, turns: int = turns) -> float:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{job} {turns}\n")
                process.stdin.flush()
                return float(process.stdout.readline())

            run(ours), run(theirs)
            a, b, ratio = ratios(pairs, lambda: run(ours), lambda: run(theirs))
            yield at_most(
                job.replace("_", " "), ratio, BUDGETS.get(job, 1.1), "", f" ({a * 1e6:,.1f} / {b * 1e6:,.1f} µs CPU)"
            )


def over_http(now: Side, then: Side, pairs: int) -> Iterator[Line]:
    for kind in ("sqlite", "postgres"):
        with ExitStack() as stack:
            ours, theirs = (stack.enter_context(served(side, kind)) for side in (now, then))
            for clients, goal in ((1, 2.5), (4, 4.0), (16, 4.0)):
                yield from rates(ours, theirs, kind, clients, goal, pairs)


def rates(ours: Served, theirs: Served, kind: str, clients: int, goal: float, pairs: int) -> Iterator[Line]:
    costs: dict[Served, list[float]] = {ours: [], theirs: []}

    def run(server: Served) -> float:
        rate, cost = server.commits(clients, 1.0)
        costs[server].append(cost)
        return rate

    run(ours), run(theirs)
    a, b, ratio = ratios(pairs, lambda: run(ours), lambda: run(theirs))
    name = f"commits a second, {clients} clients, {kind}"
    yield at_least(name, ratio, goal, " times", f" ({a:,.0f} / {b:,.0f})")
    cpu = median(b / a for a, b in zip(costs[ours], costs[theirs]))
    a, b = median(costs[ours]), median(costs[theirs])
    yield at_least(f"{name}: the server's CPU", cpu, goal, " times less", f" ({a * 1e3:.2f} / {b * 1e3:.2f} ms)")


@contextmanager
def served(side: Side, kind: str) -> Iterator[Served]:
    """A server of this version on a new database."""
    with database(kind) as url, side.start("serve", url) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Served(told["url"], told["process"])
        process.communicate()


class Served:
    """A server process, and a client that sends commits of one change as fast as they are answered."""

    def __init__(self, url: str, process: int) -> None:
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port
        self._process = process
        self._numbers = count()

    def cpu(self) -> float:
        """CPU seconds of the server's process."""
        fields = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def commits(self, clients: int, seconds: float) -> tuple[float, float]:
        """Commits a second, and the server's CPU seconds for each."""
        before, start = self.cpu(), time.perf_counter()
        done = asyncio.run(self._all(clients, start + seconds))
        return done / (time.perf_counter() - start), (self.cpu() - before) / done

    async def _all(self, clients: int, end: float) -> int:
        return sum(await asyncio.gather(*[self._one(number, end) for number in range(clients)]))

    async def _one(self, client: int, end: float) -> int:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        done = 0
        while time.perf_counter() < end:
            writer.write(self._request(client))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            (length,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(length.partition(b":")[2]))
            done += 1
        writer.close()
        return done

    def _request(self, client: int) -> bytes:
        number = next(self._numbers)
        values = {"bid": float(number)}
        body = json.dumps(
            {"operations": [{"is": "update", "entity": ["Task", f"task-{client % TASKS}"], "values": values}]}
        ).encode()
        head = (
            f"POST /v1/commits/{uuid4()} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {KEY}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


MEASUREMENTS: dict[str, Callable[[Side, Side, int], Iterator[Line]]] = {
    "importing": importing,
    "process": in_process,
    "http": over_http,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.released", description=__doc__)
    parser.add_argument("--release", default="0.2.0", help="the version to compare with")
    parser.add_argument("--only", action="append", choices=sorted(MEASUREMENTS), help="this measurement")
    parser.add_argument("--pairs", type=int, default=15, help="how many pairs of turns")
    arguments = parser.parse_args()
    (wheel,) = (ROOT / "tests" / "released" / arguments.release).glob("*.whl")
    print("| what | measured | budget | |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        now, then = Side("now", ROOT / "src"), Side(arguments.release, Path(folder))
        for name in arguments.only or MEASUREMENTS:
            for line in MEASUREMENTS[name](now, then, arguments.pairs):
                met = {None: "", True: "ok", False: "MISSED"}[line.met]
                print(f"| {line.name} | {line.value} | {line.budget} | {met} |", flush=True)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
