"""Three hubs on one server: ours on our protocol, ours on the vendor's, and the vendor's own client.

``python -m tests.benchmarks.hubs PYTHON`` prints the table; PYTHON is an interpreter that has the vendor's client. Each
is in a process of its own and hears the same commits, one after the other: their clocks are the machine's. The ratios
are to the vendor's client.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

from callsheet import Session
from callsheet.model.event import Event
from callsheet.server.process import serve

ROOT = Path(__file__).parents[2]
KEY = "the key of these benchmarks"
ONE_BY_ONE = 100
TOGETHER = 100
COUNT = 3_000


def hear(url: str, dialect: str, count: int) -> None:
    """What the process of one of our hubs does: as `vendor_ear` does."""
    came: dict[str, float] = {}

    def native(event: Event) -> None:
        came.setdefault(event.entity["id"], perf_counter())

    def vendor(event: Event) -> None:
        now = perf_counter()
        for entity in event.data["entities"]:
            came.setdefault(entity["entityId"], now)

    with Session(url, "admin", KEY, dialect=dialect, plugin_paths=False) as session:
        hub = session.event_hub
        if dialect == "native":
            hub.subscribe("topic=callsheet.update", native)
        else:
            hub.subscribe("topic=ftrack.update", vendor)
        hub.connect()
        print("ready", flush=True)
        while len(came) < count:
            hub.wait(0.05)
        print(json.dumps(came), flush=True)


def measured(session: Any, command: list[str], work: Callable[[Any], dict[str, tuple[float, float]]]) -> Any:
    """When each change was sent, was answered, and came."""
    ear = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert ear.stdout is not None
    assert ear.stdout.readline() == "ready\n"
    sent = work(session)
    came = json.loads(ear.stdout.readline())
    ear.wait(30)
    ear.stdout.close()
    return [(*sent[key], came[key]) for key in sent]


def one_by_one(session: Any) -> dict[str, tuple[float, float]]:
    return commits(session, ONE_BY_ONE, 1, 0.02)


def at_once(session: Any) -> dict[str, tuple[float, float]]:
    return commits(session, COUNT, TOGETHER, 0.0)


def commits(session: Any, count: int, together: int, pause: float) -> dict[str, tuple[float, float]]:
    """New projects, so many in a commit."""
    sent: dict[str, tuple[float, float]] = {}
    for _ in range(0, count, together):
        made = [session.create("Project", {"name": f"p{perf_counter()}-{number}"}) for number in range(together)]
        begun = perf_counter()
        session.commit()
        sent |= {entity.id: (begun, perf_counter()) for entity in made}
        sleep(pause)
    return sent


def main(python: str) -> None:
    with TemporaryDirectory() as folder, serve("production", f"sqlite:///{folder}/events.db", admin_key=KEY) as server:
        session = Session(server.url, "admin", KEY, plugin_paths=False)
        session.open()
        ours = [sys.executable, "-m", "tests.benchmarks.hubs", "hear", server.url]
        theirs = [python, "-W", "ignore", str(ROOT / "tests" / "benchmarks" / "vendor_ear.py"), server.url]
        hubs = {
            "ours, our protocol": lambda count: [*ours, "native", str(count)],
            "ours, the vendor's protocol": lambda count: [*ours, "ftrack", str(count)],
            "the vendor's client": lambda count: [*theirs, "admin", KEY, str(count)],
        }
        found = {name: figures(session, command) for name, command in hubs.items()}
        session.close()
    theirs_found = found["the vendor's client"]
    print(f"{'hub':<30} {'p50 ms':>8} {'p99 ms':>8} {'after answer p50':>17} {'p99':>8} {'events/s':>9}")
    for name, row in found.items():
        print(f"{name:<30} {row[0]:>8.1f} {row[1]:>8.1f} {row[2]:>17.1f} {row[3]:>8.1f} {row[4]:>9,.0f}")
        told = [mine / other for mine, other in zip(row, theirs_found)]
        print(f"{'  ratio':<30} {told[0]:>8.2f} {told[1]:>8.2f} {told[2]:>17.2f} {told[3]:>8.2f} {told[4]:>9.2f}")


def figures(session: Any, command: Callable[[int], list[str]]) -> tuple[float, ...]:
    """Milliseconds from sending and from the answer, at p50 and p99; and events a second when many are written."""
    rows = measured(session, command(ONE_BY_ONE), one_by_one)
    whole = sorted(1e3 * (came - begun) for begun, _, came in rows)
    after = sorted(1e3 * (came - done) for _, done, came in rows)
    many = measured(session, command(COUNT), at_once)
    seconds = max(came for *_, came in many) - min(begun for begun, *_ in many)
    half, most = len(rows) // 2, int(len(rows) * 0.99)
    return whole[half], whole[most], after[half], after[most], COUNT / seconds


if __name__ == "__main__":
    if sys.argv[1] == "hear":
        hear(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main(sys.argv[1])
