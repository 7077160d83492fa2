"""The commit cut: connections break and answers are lost, and every commit is applied once.

Several sessions commit numbered work through the fault proxy, some of it staged in parts. When no answer
comes, ``commit()`` is called again, as its error says. Afterwards all work is there once, and every answer
names the place in the log where the commit was done first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from threading import Thread
from typing import Any

import attrs

from callsheet.dialects.native.client import NativeDialect
from callsheet.dialects.protocol import CommitResult, Description
from callsheet.errors import CommitError, TransportError, Unavailable
from callsheet.flow import Flow
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity, new_key
from callsheet.server.process import serve
from callsheet.server.store.store import Store
from callsheet.session.blocking import Session
from callsheet.session.connection import ServerConnection
from callsheet.transport.http import HttpTransport
from callsheet.transport.retry import RetryPolicy

from .ledger import DOCUMENT, Audit, all_entries, audit, record_work
from .outcome import Outcome, Scale
from .proxy import FaultProxy
from .workplace import temporary_folder

THREADS = 6
TIMEOUT = 0.3
RENEWALS = 50
PATIENCE = 300.0
"""Seconds after which a client gives up. It bounds a run that hangs; no run that works comes near, however loaded."""


class CarefulDialect(NativeDialect):
    """Takes the server for one that accepts few operations at once, so larger work is staged in parts."""

    def describe(self, known_hash: str = "") -> Flow[Description]:
        told = yield from super().describe(known_hash)
        return attrs.evolve(told, features=attrs.evolve(told.features, operations=4))


class ForgetfulDialect(CarefulDialect):
    """The negative control: sends again under a new commit id and with new keys, as if it were new work."""

    def commit(self, changes: ChangeSet) -> Flow[CommitResult]:
        for _ in range(RENEWALS):
            try:
                return (yield from super().commit(changes))
            except (TransportError, Unavailable):
                changes = attrs.evolve(
                    changes, commit_id=new_key(), operations=tuple(_renewed(each) for each in changes.operations)
                )
        raise Unavailable(f"no answer to {RENEWALS} commits in a row")


def _renewed(operation: Any) -> Any:
    if isinstance(operation, Update):
        # Work without a base: on the old one it would be in conflict with what the first attempt wrote.
        return attrs.evolve(operation, before={}, version=None)
    if not isinstance(operation, Create):
        return operation
    return attrs.evolve(operation, identity=Identity(operation.identity.entity_type, new_key()))


def prove(scale: Scale, seed: int) -> Outcome:
    """2,000 commits at both sizes; the deep run does them ten times over."""
    size = scale.choose(600, 2_000, 20_000)
    outcome = Outcome("commit cut", f"{size:,} commits")
    found, proxy, wrong = _run(size, seed, CarefulDialect())
    outcome.faults, outcome.lost, outcome.doubled, outcome.partial = (
        proxy.injected, found.lost, found.doubled, found.partial,
    )  # fmt: skip
    outcome.problems += [*found.problems, *wrong]
    if missing := {kind for kind in proxy._kinds if not proxy.faults[kind]}:
        outcome.problems.append(f"faults that never came: {sorted(missing)}")
    control, _, _ = _run(200, seed, ForgetfulDialect(), operations=1_000)
    outcome.control, outcome.caught = "a new commit id for each attempt doubles", control.doubled
    return outcome


def _run(size: int, seed: int, dialect: CarefulDialect, operations: int = 0) -> tuple[Audit, FaultProxy, list[str]]:
    with temporary_folder() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        with serve(DOCUMENT, url) as server:
            # Made before the faults begin: were this commit hit, the control would lose the ground it works on.
            makers = _makers(server.url, server.admin_key or "")
            with FaultProxy(server._port, seed, rate=0.2) as proxy:
                positions, problems = _clients(proxy.url, server.admin_key, makers, size, dialect, operations)
        store = Store.open(url)
        try:
            found = audit(store, range(size))
            with store.reading() as connection:
                log = {entry.commit_id: entry.position for entry in all_entries(store, connection)}
        finally:
            store.close()
    if not isinstance(dialect, ForgetfulDialect):
        wrong = sum(log.get(commit_id) != position for commit_id, position in positions.items())
        if wrong or len(log) != size + 1:
            problems.append(f"{wrong} answers name another place than the log, which has {len(log)} commits")
    return found, proxy, problems


def _makers(url: str, key: str) -> list[str]:
    """The keys of one worker for each client."""
    with Session(url, "admin", key, schema_cache=False) as session:
        makers = [session.create("Worker", {"name": str(place), "count": 0}).id for place in range(THREADS)]
        session.commit()
        return makers


def _clients(
    url: str, key: str | None, makers: list[str], size: int, dialect: CarefulDialect, operations: int
) -> tuple[dict[str, int], list[str]]:
    retries = 0 if isinstance(dialect, ForgetfulDialect) else 3
    policy = RetryPolicy(retries=retries, first=0.005, longest=0.05, deadline=5.0)
    transport = HttpTransport(url, {"authorization": f"Bearer {key}"}, timeout=TIMEOUT, retries=policy)
    positions: dict[str, int] = {}
    problems: list[str] = []
    with closing(Session(connection=ServerConnection(dialect, transport, None))) as session:
        until_answered(session.open)
        if operations:
            told = session.server_information
            session._description = attrs.evolve(told, features=attrs.evolve(told.features, operations=operations))
        forks = forks_of(session, THREADS)

        def work(place: int) -> None:
            fork = forks[place]
            try:
                worker = until_answered(lambda: fork.get("Worker", makers[place]))
                for number in range(place, size, THREADS):
                    record_work(fork, worker, number)
                    result = until_answered(fork.commit)
                    positions[result.commit_id] = result.position
            except Exception as error:
                problems.append(f"thread {place}: {type(error).__name__}: {error}")

        threads = [Thread(target=work, args=(place,)) for place in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return positions, problems


def forks_of(session: Session, count: int) -> list[Session]:
    """Forks for threads yet to be started."""
    forks = [session.fork() for _ in range(count)]
    for fork in forks:
        fork.hand_over()
    return forks


def until_answered(act: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Do it again until an answer comes; a refusal is raised."""
    end = time.monotonic() + seconds
    while True:
        try:
            return act()
        except (CommitError, TransportError, Unavailable) as error:
            in_doubt = not isinstance(error, CommitError) or "no answer" in str(error)
            if not in_doubt or time.monotonic() > end:
                raise
            time.sleep(0.005)
