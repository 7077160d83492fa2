"""Many rows brought in, and the same rows again: ``python -m tests.benchmarks.sync_large [ROWS …]``.

For each number of rows a server in a process of its own answers over HTTP, with a database file of its own. A client in
a process of its own creates the rows in commits of 5,000 operations; another one then plans the same rows, of which
nothing changed. Printed are time, CPU of both sides, the client's peak memory and its requests, and the growth from one
number of rows to the next (1.0 is linear).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from callsheet import RowMapping, Session, serve

KEY = ("project.name", "parent.name", "name")
COLUMNS = {"Shot": "name", "Seq": "parent.name", "In": "fstart", "Text": "description"}
SEQUENCES = 100


def main(counts: list[int]) -> None:
    """Measure and print each number of rows."""
    earlier: dict[str, tuple[int, float]] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            database = f"sqlite:///{Path(folder) / 'show.db'}"
            with serve(database=database) as server, Session(server.url, "admin", server.admin_key) as session:
                _sequences(session)
                for what in ("create", "unchanged"):
                    before = _cpu_of(server.process_id)
                    found = _worker(server.url, server.admin_key or "", what, count)
                    found["server"] = _cpu_of(server.process_id) - before
                    _print(what, count, found, earlier.get(what))
                    earlier[what] = (count, found["seconds"])


def _sequences(session: Session) -> None:
    project = session.create("Project", {"name": "sintel"})
    for number in range(SEQUENCES):
        session.create("Sequence", {"name": f"sq{number:03}", "parent": project})
    session.commit()


def _cpu_of(pid: int) -> float:
    """The CPU seconds of a process; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


def _worker(url: str, key: str, what: str, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.sync_large", "--worker", url, key, what, str(count)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def _print(what: str, count: int, found: dict[str, Any], earlier: tuple[int, float] | None) -> None:
    growth = ""
    if earlier is not None:
        growth = f", growth {found['seconds'] / earlier[1] / (count / earlier[0]):.2f}"
    print(
        f"{what} {count:,}: {found['seconds']:.0f} s, CPU {found['cpu']:.0f} s here and {found['server']:.0f} s there, "
        f"peak {found['peak']:.0f} MB (at the start {found['start']:.0f}), {found['requests']:,} requests{growth}",
        flush=True,
    )


def _work(url: str, key: str, what: str, count: int) -> None:
    """Plan the rows in this process, and apply them if they are new."""
    with Session(url, "admin", key) as session:
        session.open()
        start, memory, requests = time.perf_counter(), _peak(), session.statistics.requests
        plan = session.plan("Shot", _rows(count), KEY, RowMapping(COLUMNS, {"project.name": "sintel"}))
        if what == "create":
            assert len(plan.created) == count
            assert plan.apply(atomic=False).created == count
        else:
            assert plan.is_empty
            assert len(plan.unchanged) == count
        usage = resource.getrusage(resource.RUSAGE_SELF)
        found = {"seconds": time.perf_counter() - start, "cpu": usage.ru_utime + usage.ru_stime, "start": memory}
        print(json.dumps({**found, "peak": _peak(), "requests": session.statistics.requests - requests}))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


def _rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        name, sequence = f"sh{number:07}", f"sq{number % SEQUENCES:03}"
        yield {"Shot": name, "Seq": sequence, "In": number, "Text": f"shot {number}"}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _work(*sys.argv[2:5], int(sys.argv[5]))
    else:
        main([int(each) for each in sys.argv[1:]] or [250_000, 500_000, 1_000_000])
