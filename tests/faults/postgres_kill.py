"""PostgreSQL is killed while our server commits: what was acknowledged is there, nothing is half there.

The server runs on; it answers that the database cannot be reached until it can. Six client threads commit
numbered work without pause and call ``commit()`` again until they get an answer. After each kill, when the
cluster has recovered, the tables are looked at; at the end all of it is audited.
"""

from __future__ import annotations

from random import Random

from callsheet.server.store.store import Store
from callsheet.session.blocking import Session
from callsheet.transport.retry import RetryPolicy

from .ledger import Audit, audit, pieces
from .outcome import Outcome, Scale
from .postgres_cluster import Cluster, cluster
from .server_kill import KEY, Run, clients, killed_server, let_work

NAME = "PostgreSQL killed while committing"
MISSING = "no PostgreSQL to start"


def prove(scale: Scale, seed: int) -> Outcome:
    """10 kills; deep 200."""
    size = scale.choose(4, 10, 200)
    with cluster() as made:
        if made is None:
            return Outcome(NAME, MISSING, problems=[MISSING])
        run, found = _run(made, size, seed, early=False)
    outcome = Outcome(NAME, f"{size} kills, {len(run.acknowledged):,} commits", run.kills)
    outcome.lost, outcome.doubled = run.lost + found.lost, found.doubled
    outcome.partial = run.partial + found.partial
    outcome.problems += run.problems + found.problems
    if run.in_flight < size // 2:
        outcome.problems.append(f"only {run.in_flight} of {size} kills came while a commit was under way")
    with cluster() as made:
        assert made is not None
        control, _ = _run(made, 6, seed, early=True)
    outcome.control, outcome.caught = "answering before COMMIT loses", control.lost
    return outcome


def _run(made: Cluster, size: int, seed: int, early: bool) -> tuple[Run, Audit]:
    run, random = Run(), Random(seed)
    with killed_server(made.url, early) as server:
        server.ask("start")
        policy = RetryPolicy(retries=0)
        with Session(server.url, "admin", KEY, schema_cache=False, retries=policy, timeout=10) as session:
            threads, over = clients(run, session)
            for _ in range(size):
                let_work(run, threads, random)
                made.kill()
                run.kills += 1
                # Taken after the kill: an answer that comes now was given before it.
                acknowledged = set(run.acknowledged)
                made.start()
                _look(run, made, acknowledged)
            over.set()
            for thread in threads:
                thread.join()
        server.ask("stop")
    store = Store.open(made.url)
    try:
        return run, audit(store, run.acknowledged, run.started)
    finally:
        store.close()


def _look(run: Run, made: Cluster, acknowledged: set[int]) -> None:
    """Nothing acknowledged is missing, nothing is half there."""
    with made.connect() as connection:
        there = dict(connection.execute('SELECT work, count(*) FROM "Piece" GROUP BY work').fetchall())
    run.lost += len(acknowledged - set(there))
    run.partial += sum(count < pieces(number) for number, count in there.items())
