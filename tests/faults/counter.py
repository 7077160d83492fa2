"""Two listeners count events on one number while they are killed: it ends at the number of events.

The handler reads the number, adds one and writes it, as scripts do. Events are of different entities, so the two
listeners handle them side by side and meet at the number again and again: each time, one of the commits is in conflict
and its handler is called again. The control writes blindly, and loses counts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from random import Random
from typing import Any

from callsheet.listening import attempt as attempts
from callsheet.server.process import serve
from callsheet.session.blocking import Session

from .ledger import DOCUMENT
from .listener import Listeners, Run, make, settled
from .outcome import Outcome, Scale
from .workplace import postgres_database, temporary_folder

COUNTER = """
import os
import callsheet

@callsheet.handler(
    "topic=callsheet.update and entity.type=Register and changes.name", name="counter", retries=1000, delay=0.05
)
def count(event, session):
    os.write({output}, b"1\\n")
    worker = session.get("Worker", "counter")
    STEP
"""
STEPS = {"write": 'worker["count"] += 1', "increment": 'session.increment(worker, "count")'}


def prove_sqlite(scale: Scale, seed: int) -> Outcome:
    """300 events and 12 kills for each way to count; deep 3,000 and 100."""
    return _prove("SQLite", "", scale, seed)


def prove_postgres(scale: Scale, seed: int) -> Outcome:
    """The same on PostgreSQL."""
    with postgres_database() as url:
        if url is None:
            return Outcome("counted on PostgreSQL", "no PostgreSQL answers", problems=["no PostgreSQL answers"])
    return _prove("PostgreSQL", "postgresql", scale, seed)


def _prove(engine: str, kind: str, scale: Scale, seed: int) -> Outcome:
    outcome = Outcome(f"counted on {engine}", "")
    kills, events = scale.choose((4, 100), (12, 300), (100, 3_000))
    runs = [counted(kills, events, seed, step, kind) for step in STEPS]
    outcome.faults, outcome.lost = sum(run.faults for run in runs), sum(run.lost for run in runs)
    outcome.doubled = sum(run.doubled for run in runs)
    outcome.problems += [problem for run in runs for problem in run.problems]
    outcome.size = f"{outcome.faults:,} kills, {sum(run.made for run in runs):,} events, 2 listeners"
    outcome.control = 'writing over what it has read (`conflicts="ours"`) loses counts'
    outcome.caught = counted(2, 100, seed, "write", kind, blindly).lost
    return outcome


def counted(
    kills: int, events: int, seed: int, step: str, kind: str = "", control: Callable[..., Any] | None = None
) -> Run:
    """Two listeners count so many events and are killed so often; ``lost`` is what the number lacks in the end."""
    run, random = Run(), Random(seed)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        url = stack.enter_context(postgres_database()) if kind else f"sqlite:///{folder}/ledger.db"
        assert url is not None
        server = stack.enter_context(serve(DOCUMENT, url))
        address = (server.url, "admin", server.admin_key or "")
        session = stack.enter_context(Session(*address, schema_cache=folder))
        worker = session.create("Worker", {"id": "counter", "count": 0})
        session.commit()
        plugin = COUNTER.replace("STEP", STEPS[step])
        group = stack.enter_context(Listeners(folder, address, 2, control, plugin))
        group.until_known(session)
        for number in range(kills):
            make(run, session, events * (number + 1) // kills)
            group.hear(random.choice((1, 2, 5, 8)), random.uniform(0, 0.02))
            group.kill(random.randrange(2))
            run.faults += 1
        told = settled(run, session)
        session.refresh(worker)
        run.lost, run.doubled = max(0, events - worker["count"]), max(0, worker["count"] - events)
        if told["dead"]:
            run.problems.append(f"{told['dead']} dead letters")
    return run


def blindly(handler: Any, claimed: Any, session: Any, queue: Any, stopping: Any) -> attempts.Outcome:
    """The negative control: an attempt that writes over whatever is there."""
    session.conflicts = "ours"
    return attempts.attempt(handler, claimed, session, queue, stopping)
