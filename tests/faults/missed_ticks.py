"""Two listeners do the ticks that were missed while they are killed: each tick's effect is there once.

A schedule of every minute was last seen an hour ago, so sixty ticks are due at once, one after the other, and more
come while the clock goes on. Each makes one piece in the commit that settles it. The control does the effect and the
checkpoint one after the other, and doubles.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from callsheet.listening import attempt as attempts
from callsheet.server.process import serve
from callsheet.server.service import Service
from callsheet.session.blocking import Session

from .ledger import DOCUMENT
from .listener import Listeners, Run
from .outcome import Outcome, Scale
from .workplace import postgres_database, temporary_folder

MINUTELY = """
import os
import callsheet

@callsheet.schedule("* * * * *", zone="Europe/Stockholm", name="minutely", missed="all", retries=1000, delay=0.05)
def minutely(tick, session):
    os.write({output}, b"1\\n")
    session.create("Piece", {{"work": int(tick.due.timestamp()) // 60, "place": 0}})
"""


def prove_sqlite(scale: Scale, seed: int) -> Outcome:
    """60 missed ticks and 8 kills; deep 900 and 80."""
    return _prove("SQLite", "", scale, seed)


def prove_postgres(scale: Scale, seed: int) -> Outcome:
    """The same on PostgreSQL."""
    with postgres_database() as url:
        if url is None:
            return Outcome("ticks on PostgreSQL", "no PostgreSQL answers", problems=["no PostgreSQL answers"])
    return _prove("PostgreSQL", "postgresql", scale, seed)


def _prove(engine: str, kind: str, scale: Scale, seed: int) -> Outcome:
    kills, minutes = scale.choose((4, 30), (8, 60), (80, 900))
    run = done(kills, minutes, seed, kind)
    outcome = Outcome(f"ticks on {engine}", f"{run.faults:,} kills, {run.made:,} ticks, 2 listeners", run.faults)
    outcome.lost, outcome.doubled, outcome.problems = run.lost, run.doubled, run.problems
    outcome.control = "effect without fence doubles"
    # A kill between effect and checkpoint is likely in a run, not certain.
    runs = (done(8, 30, seed + turn, kind, unfenced).doubled for turn in range(8))
    outcome.caught = next(filter(None, runs), 0)
    return outcome


def done(kills: int, minutes: int, seed: int, kind: str = "", control: Callable[..., Any] | None = None) -> Run:
    """So many ticks were missed, and listeners are killed so often while they do them."""
    run, random = Run(), Random(seed)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        url = stack.enter_context(postgres_database()) if kind else f"sqlite:///{folder}/ledger.db"
        assert url is not None
        first = _seen(url, minutes)
        server = stack.enter_context(serve(DOCUMENT, url))
        address = (server.url, "admin", server.admin_key or "")
        session = stack.enter_context(Session(*address, schema_cache=folder))
        group = stack.enter_context(Listeners(folder, address, 2, control, MINUTELY))
        for _ in range(kills):
            group.hear(random.choice((1, 2, 3, 5)), random.uniform(0, 0.02))
            group.kill(random.randrange(2))
            run.faults += 1
        last = _settled(run, session)
        with session.fork() as fork:
            pieces = Counter(piece["work"] for piece in fork.query("select work from Piece").all())
        wanted = set(range(first, last + 1))
        run.made, run.lost = len(wanted), len(wanted - set(pieces))
        run.doubled = sum(count > 1 for count in pieces.values())
        if early := [minute for minute in pieces if minute < first]:
            run.problems.append(f"done though they were not missed: {early[:5]}")
    return run


def _seen(url: str, minutes: int) -> int:
    """A listener declared the schedule so many minutes ago, and was gone; the first minute that was missed."""
    before = datetime.now(UTC) - timedelta(minutes=minutes)
    with Service.open(url, DOCUMENT, administrator=False, clock=lambda: before) as service:
        told = {"schedule": "minutely", "expression": "* * * * *", "zone": "Europe/Stockholm", "missed": "all"}
        service.backend("admin").call("handlers.claim_ticks", {**told, "worker": "gone"})
    return int(before.timestamp()) // 60 + 1


def _settled(run: Run, session: Session) -> int:
    """Wait until all ticks that were due by now are done; the last minute that was seen to."""
    end, now = time.monotonic() + 60, int(time.time()) // 60 * 60
    while True:
        (told,) = session.call("handlers.schedules")
        if told["due"] >= now and told["ready"] == told["leased"] == 0:
            break
        if time.monotonic() > end:
            run.problems.append(f"not every tick was done: {told}")
            break
        time.sleep(0.05)
    if told["dead"]:
        run.problems.append(f"{told['dead']} dead letters")
    return int(told["due"]) // 60


def unfenced(handler: Any, claimed: Any, session: Any, queue: Any, stopping: Any) -> attempts.Outcome:
    """The negative control: the effect is committed, and the checkpoint a moment later."""
    with session.fork() as fork:
        handler.call(claimed.event, fork)
        fork.commit()
    time.sleep(0.1)
    queue.settle(claimed)
    return attempts.Outcome("handled")
