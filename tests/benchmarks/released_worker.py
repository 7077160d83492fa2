"""One version of Callsheet in a process of its own: jobs come as lines, figures go back; see ``released.py``.

    python released_worker.py serve DATABASE    a server with tasks; its URL and its process are printed
    python released_worker.py work              jobs of `JOBS`, one a line: name and number

Its imports are what every release has, for it runs with a release's wheel as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from resource import RUSAGE_SELF, getrusage
from typing import Any

from callsheet import Session
from callsheet.dialects.native.client import NativeDialect
from callsheet.dialects.native.server import handle
from callsheet.errors import Conflict
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity
from callsheet.server.process import serve
from callsheet.server.service import Service

KEY = "the-key-of-the-benchmark"
TASKS = 64
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SHOT = Identity("Shot", "shot")


def fill(backend: Any) -> None:
    """A project with a shot of `TASKS` tasks."""
    made = [
        Create(Identity("Project", "project"), {"name": "sintel"}),
        Create(SHOT, {"name": "sh010", "parent": Identity("Project", "project")}),
    ]
    made += [Create(Identity("Task", f"task-{n}"), {"name": f"task {n}", "parent": SHOT}) for n in range(TASKS)]
    backend.commit(ChangeSet("made", tuple(made)))


def answer(database: str) -> None:
    """Serve until the standard input ends."""
    service = Service.open(database, "production", KEY)
    fill(service.backend("admin"))
    service.close()
    with serve("production", database, admin_key=KEY) as server:
        print(json.dumps({"url": server.url, "process": server.process_id}), flush=True)
        sys.stdin.read()


class Refusing:
    """The backend of a server that has read a commit, and refuses it."""

    def commit(self, changes: ChangeSet) -> None:
        assert len(changes.operations) == 5_000
        raise Conflict("enough")


def many_operations() -> tuple[Create | Update, ...]:
    """5,000 operations: creates with references and a moment, and updates with what was there."""
    created = [
        Create(
            Identity("Task", f"many-{n}"),
            {"name": f"task {n}", "parent": SHOT, "bid": float(n), "start": NOON},
        )
        for n in range(2_500)
    ]
    changed = [Update(Identity("Task", f"task-{n}"), {"name": f"new {n}"}, {"name": f"old {n}"}) for n in range(2_500)]
    return (*created, *changed)


def cpu() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Work:
    """What is measured in the process, on a server in memory; each job gives the CPU seconds of a number of turns."""

    def __init__(self) -> None:
        self.service = Service.open("memory:", "production")
        self.backend = self.service.backend("admin")
        fill(self.backend)
        from callsheet.session.connection import over

        self.session = Session(connection=over(self.backend))
        self.task = self.session.get("Task", "task-0")
        self.number = 0

    def next(self) -> int:
        self.number += 1
        return self.number

    def timed(self, turns: int, turn: Callable[[], Any]) -> float:
        start = cpu()
        for _ in range(turns):
            turn()
        return (cpu() - start) / turns

    def backend_commit(self, turns: int) -> float:
        """One change, by the server alone."""
        task = Identity("Task", "task-1")
        return self.timed(
            turns,
            lambda: self.backend.commit(ChangeSet(f"c{self.next()}", (Update(task, {"bid": float(self.number)}, {}),))),
        )

    def commit(self, turns: int) -> float:
        """One change, by a session on the server."""

        def turn() -> None:
            self.task["bid"] = float(self.next())
            self.session.commit()

        return self.timed(turns, turn)

    def creates(self, turns: int) -> float:
        """500 creates in one commit."""

        def turn() -> None:
            number = self.next()
            made = [
                Create(Identity("Task", f"n{number}-{n}"), {"name": f"n{number}-{n}", "parent": SHOT})
                for n in range(500)
            ]
            self.backend.commit(ChangeSet(f"c{number}", tuple(made)))

        return self.timed(turns, turn)

    def encode_operations(self, turns: int) -> float:
        """5,000 operations become the request of a commit."""
        changes = ChangeSet("many", many_operations())
        return self.timed(turns, lambda: next(NativeDialect().commit(changes)))

    def decode_operations(self, turns: int) -> float:
        """5,000 operations are read from the request of a commit, for a server that refuses it."""
        request = next(NativeDialect().commit(ChangeSet("many", many_operations())))
        backend: Any = Refusing()
        return self.timed(turns, lambda: handle(backend, "POST", "/v1/commits/many", {}, {}, request.content))

    def empty_commit(self, turns: int) -> float:
        """Nothing is pending."""
        return self.timed(turns, self.session.commit)

    def empty_flow(self, turns: int) -> float:
        """A flow that yields nothing."""

        def flow() -> Any:
            return 1
            yield

        return self.timed(turns, lambda: self.session.run(flow()))

    def item_get(self, turns: int) -> float:
        """``task["name"]``."""
        task = self.task
        task["name"]
        start = cpu()
        for _ in range(turns):
            task["name"]
        return (cpu() - start) / turns

    def item_set(self, turns: int) -> float:
        """``task["bid"] = …``."""
        task = self.task
        values = [1.0, 2.0]
        start = cpu()
        for number in range(turns):
            task["bid"] = values[number & 1]
        spent = (cpu() - start) / turns
        self.session.rollback()
        return spent


def main() -> None:
    if sys.argv[1] == "serve":
        answer(sys.argv[2])
        return
    work = Work()
    for line in sys.stdin:
        name, turns = line.split()
        print(getattr(work, name)(int(turns)), flush=True)


if __name__ == "__main__":
    main()
