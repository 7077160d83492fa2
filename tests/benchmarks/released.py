"""Today's code beside a released wheel, in one run: ``python -m tests.benchmarks.released``.

Both run in processes of their own, in turns, and every figure is the median of the ratios of neighbouring turns. CPU
time is the process's own, so that other work on the machine moves it little; commits a second over HTTP are counted
with the same client for both, and stand beside the CPU time of the server's process for each commit, and beside the
rate of a bare server that only writes one row (``bare_server.py``).

``--release 0.2.0`` chooses the wheel (see ``tests/released``), ``--only NAME`` one measurement, ``--pairs N`` how many.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from uuid import uuid4

from .bare import STAMP, WRITTEN, Bare, insert
from .processes import ROOT
from .served import CREATES, Served, Side, bare_served, served
from .table import Line, at_least, at_most, fact

STATEMENTS = ("from callsheet import Session",)
TURNS = {"backend_commit": 100, "commit": 100, "creates": 1, "empty_commit": 5_000, "empty_flow": 5_000}
TURNS |= {"encode_operations": 3, "decode_operations": 3}
BUDGETS = {"encode_operations": 1.5, "decode_operations": 1.2}
TURNS |= {"item_get": 200_000, "item_set": 50_000}


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
            bare = stack.enter_context(bare_served(kind))
            for clients, goal in ((1, 2.5), (4, 4.0), (16, 4.0)):
                yield from rates(ours, theirs, kind, clients, goal, pairs)
                yield from beside_bare(ours, bare, kind, clients, pairs)


def creating(now: Side, then: Side, pairs: int) -> Iterator[Line]:
    """Commits of `CREATES` new tasks over HTTP, one client; beside the release, and beside bare SQL."""
    for kind in ("sqlite", "postgres"):
        with ExitStack() as stack:
            ours, theirs = (stack.enter_context(served(side, kind)) for side in (now, then))
            bare = Bare(ours.database)
            ours.creates(), theirs.creates()
            a, b, ratio = ratios(pairs, lambda: 1 / ours.creates()[0], lambda: 1 / theirs.creates()[0])  # noqa: B023
            name = f"{CREATES:,} creates in a commit, {kind}"
            rates_told = f" ({a * CREATES:,.0f} / {b * CREATES:,.0f} a second)"
            yield at_least(name, ratio, 2.5, " times the release's rate", rates_told)
            a, b, ratio = ratios(pairs, lambda: ours.creates()[1], lambda: theirs.creates()[1])  # noqa: B023
            yield at_most(f"{name}: the server's CPU", ratio, 1.1, "", f" ({a * 1e3:,.0f} / {b * 1e3:,.0f} ms)")
            a, b, ratio = ratios(pairs, lambda: ours.creates()[0], lambda: insert_bare(bare))  # noqa: B023
            yield fact(f"{name}: beside bare SQL", f"{ratio:.1f} times ({a * 1e3:,.0f} / {b * 1e3:,.0f} ms passed)")
            bare.connection.close()


def insert_bare(bare: Bare) -> float:
    """Seconds that the same rows take by the driver alone."""
    made = uuid4().hex
    above = ("shot", "Shot", "project", None, None)
    amounts = (0.0, None, 0.0, 0.0, STAMP, STAMP)
    rows = [(f"{made}-{n}", "Task", 1, 1, f"{made} {n}", *above, *amounts) for n in range(CREATES)]
    start = time.perf_counter()
    bare.write(insert(WRITTEN), rows)
    return time.perf_counter() - start


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


def beside_bare(ours: Served, bare: Served, kind: str, clients: int, pairs: int) -> Iterator[Line]:
    """How near today's code is to a server that does nothing but write one row."""
    costs: dict[Served, list[float]] = {ours: [], bare: []}

    def run(server: Served) -> float:
        rate, cost = server.commits(clients, 0.5)
        costs[server].append(cost)
        return rate

    a, b, ratio = ratios(max(3, pairs // 3), lambda: run(ours), lambda: run(bare))
    cpu = median(a / b for a, b in zip(costs[ours], costs[bare]))
    told = f" ({a:,.0f} / {b:,.0f} a second; {cpu:.1f} times its CPU)"
    yield fact(f"commits a second, {clients} clients, {kind}: beside a bare server", f"{ratio:.2f} times{told}")


MEASUREMENTS: dict[str, Callable[[Side, Side, int], Iterator[Line]]] = {
    "importing": importing,
    "process": in_process,
    "http": over_http,
    "creates": creating,
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
