"""A client with a journal is killed at random points; whoever resumes finds each announced commit once.

A client commits numbered work and tells its parent of each as soon as the journal has it. The parent kills it
(SIGKILL), at a random moment from its first steps on, so also while it resumes what the client before it left.
In the end one more session resumes, and all that was ever announced must be on the server, once.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

from attrs import define, field

from callsheet.model.operation import ChangeSet, Create
from callsheet.server.process import serve
from callsheet.server.store.store import Store
from callsheet.session.blocking import Session
from callsheet.transport.journal import Journal

from .ledger import DOCUMENT, Audit, audit, record_work
from .outcome import Outcome, Scale
from .workplace import temporary_folder


class AnnouncingJournal(Journal):
    """Tells of each commit that it has written."""

    def __init__(self, path: Path, output: int) -> None:
        super().__init__(path)
        self._output = output

    def write(self, changes: ChangeSet) -> None:
        super().write(changes)
        announce(self._output, changes)


class ForgetfulJournal:
    """The negative control: tells of each commit, and writes nothing."""

    def __init__(self, output: int) -> None:
        self._output = output

    def write(self, changes: ChangeSet) -> None:
        announce(self._output, changes)

    def finish(self, commit_id: str) -> None: ...

    def refuse(self, commit_id: str, reason: str) -> None: ...

    def left_behind(self) -> list[Any]:
        return []

    def unfinished(self) -> list[Any]:
        return []

    def close(self) -> None: ...


def announce(output: int, changes: ChangeSet) -> None:
    numbers = {each.values["work"] for each in changes.operations if isinstance(each, Create)}
    os.write(output, "".join(f"{number}\n" for number in numbers).encode())


@define
class Kills:
    """What the killings came to."""

    announced: set[int] = field(factory=set)
    started: set[int] = field(factory=set)
    count: int = 0
    in_flight: int = 0
    resumed: dict[str, int] = field(factory=dict)


def prove(scale: Scale, seed: int) -> Outcome:
    """200 kills; deep 1,000."""
    size = scale.choose(60, 200, 1_000)
    outcome = Outcome("client with a journal killed", f"{size:,} kills")
    kills, found = _run(size, seed, journal=True)
    outcome.faults, outcome.lost, outcome.doubled, outcome.partial = (
        kills.count, found.lost, found.doubled, found.partial,
    )  # fmt: skip
    outcome.problems += found.problems
    outcome.size = f"{size:,} kills, {len(kills.announced):,} commits"
    if kills.in_flight < size // 20:
        outcome.problems.append(f"only {kills.in_flight} of {size} kills came while a commit was under way")
    _, control = _run(60, seed, journal=False)
    outcome.control, outcome.caught = "no journal loses", control.lost
    return outcome


def _run(size: int, seed: int, journal: bool) -> tuple[Kills, Audit]:
    random = Random(seed)
    kills = Kills()
    with temporary_folder() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        path = folder / "client.journal"
        with serve(DOCUMENT, url) as server:
            address = (server.url, "admin", server.admin_key or "")
            with Session(*address, schema_cache=folder) as session:
                worker = session.create("Worker", {"name": "killed", "count": 0}).id
                session.commit()
            for _ in range(size):
                _kill_one(kills, address, folder, path if journal else None, worker, random)
                if journal:
                    kills.in_flight += _left(path)
            if journal:
                with Session(*address, schema_cache=folder, journal=path) as session:
                    session.resume()
        store = Store.open(url)
        try:
            return kills, audit(store, kills.announced, kills.started)
        finally:
            store.close()


def _left(path: Path) -> int:
    """Whether the journal holds something unfinished."""
    journal = Journal(path)
    try:
        return int(bool(journal.unfinished()))
    finally:
        journal.close()


def _kill_one(
    kills: Kills, address: tuple[str, str, str], folder: Path, journal: Path | None, worker: str, random: Random
) -> None:
    """Start a client, let it work for a while, kill it, and note what it told."""
    first = max(kills.started | kills.announced, default=-1) + 1
    output, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(output)
        _client(address, folder, journal, worker, first, told)
    os.close(told)
    with os.fdopen(output, "rb") as lines:
        lines.readline()
        # Its steps are counted, not its time, so that it gets as far on a slow machine.
        told_first = [lines.readline() for _ in range(random.choice((0, 1, 2, 3, 5, 8, 13)))]
        time.sleep(random.uniform(0, 0.008))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        numbers = {int(line) for line in (*told_first, *lines.read().splitlines()) if line}
    kills.count += 1
    kills.announced |= {number for number in numbers if number >= 0}
    # Negative numbers say that the work was begun: it may be there, and need not.
    kills.started |= {-number - 1 for number in numbers if number < 0}


def _client(
    address: tuple[str, str, str], folder: Path, journal: Path | None, worker: str, first: int, told: int
) -> None:
    """The life of a client; it does not return."""
    try:
        session = Session(*address, schema_cache=folder, verify=False)
        session.open()
        session.journal = ForgetfulJournal(told) if journal is None else AnnouncingJournal(journal, told)
        os.write(told, b"ready\n")
        session.resume()
        maker = session.get("Worker", worker)
        for number in range(first, first + 10_000):
            os.write(told, f"{-number - 1}\n".encode())
            record_work(session, maker, number)
            session.commit()
    except BaseException as error:
        os.write(2, f"client: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(1)
