"""A backup taken while others commit holds all that was acknowledged before, and the log without holes.

Threads commit on a store; backups are taken at random moments, and each is opened as a store of its own and
audited: its log begins at 1 and has no holes, its tables are what the log says, no work is half there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Event, Thread

from attrs import define, field

from callsheet.errors import CallsheetError
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity, new_key
from callsheet.server.service import Service
from callsheet.server.store.store import Store

from .ledger import DOCUMENT, Audit, audit, pieces
from .outcome import Outcome, Scale
from .workplace import temporary_folder

THREADS = 4


@define
class Backups:
    """What was found in the copies."""

    count: int = 0
    overtaken: int = 0
    lost: int = 0
    doubled: int = 0
    partial: int = 0
    problems: list[str] = field(factory=list)

    def add(self, found: Audit) -> None:
        self.lost += found.lost
        self.doubled += found.doubled
        self.partial += found.partial
        self.problems += found.problems


def prove(scale: Scale, seed: int) -> Outcome:
    """20 backups; deep 200."""
    size = scale.choose(6, 20, 200)
    backups = _run(size, seed, lambda service, path, copy: service.backup(copy))
    outcome = Outcome("backup while committing", f"{size} backups", backups.overtaken)
    outcome.lost, outcome.doubled, outcome.partial = backups.lost, backups.doubled, backups.partial
    outcome.problems += backups.problems
    control = _run(10, seed, lambda service, path, copy: shutil.copy(path, copy))
    outcome.control = "copying the file of a live database loses or damages"
    outcome.caught = control.lost + control.partial + len(control.problems)
    return outcome


def _run(size: int, seed: int, take: Callable[[Service, Path, Path], object]) -> Backups:
    random, backups = Random(seed), Backups()
    with temporary_folder() as folder:
        path = folder / "ledger.db"
        with Service.open(f"sqlite:///{path}", DOCUMENT) as service:
            # Something to copy, so that copying takes a while.
            note = "x" * 1_000
            service.commit(ChangeSet(new_key(), tuple(_register(note) for _ in range(5_000))), "anna")
            over, going, acknowledged, started = Event(), Event(), set[int](), set[int]()
            threads = [
                Thread(target=_work, args=(service, n, over, going, acknowledged, started)) for n in range(THREADS)
            ]
            for thread in threads:
                thread.start()
            try:
                for number in range(size):
                    going.set()
                    time.sleep(random.uniform(0, 0.05))
                    before = set(acknowledged)
                    copy = folder / f"copy-{number}.db"
                    take(service, path, copy)
                    backups.count += 1
                    backups.overtaken += len(acknowledged) - len(before)
                    # Each copy is audited from its first commit on: who went on meanwhile would make that ever longer.
                    going.clear()
                    _look(copy, before, set(started), backups)
                    copy.unlink()
            finally:
                over.set()
                going.set()
                for thread in threads:
                    thread.join()
    return backups


def _register(note: str) -> Create:
    return Create(Identity("Register", new_key()), {"name": note, "items": []})


def _work(service: Service, place: int, over: Event, going: Event, acknowledged: set[int], started: set[int]) -> None:
    worker, count, number = Identity("Worker", f"w{place}"), 0, place
    service.commit(ChangeSet(new_key(), (Create(worker, {"name": str(place), "count": 0}),)), "anna")
    while not over.is_set():
        going.wait()
        made = [
            Create(Identity("Piece", new_key()), {"work": number, "place": each, "worker": worker})
            for each in range(pieces(number))
        ]
        started.add(number)
        changes = (*made, Update(worker, {"count": count + 1}, {"count": count}))
        service.commit(ChangeSet(new_key(), changes), "anna")
        acknowledged.add(number)
        count += 1
        number += THREADS


def _look(copy: Path, acknowledged: set[int], started: set[int], backups: Backups) -> None:
    """Open the copy as a store and audit it."""
    try:
        store = Store.open(f"sqlite:///{copy}")
        try:
            with store.reading() as connection:
                said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            if said != ["ok"]:
                backups.problems.append(f"damaged: {said[:2]}")
            backups.add(audit(store, acknowledged, started))
        finally:
            store.close()
    except (CallsheetError, OSError) as error:
        backups.problems.append(f"{type(error).__name__}: {error}")
