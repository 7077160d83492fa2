"""The server is killed while it commits: what it acknowledged is there, nothing is half there.

Six client threads commit numbered work without pause; the server is killed (SIGKILL) at random moments and
started again on the same files. Clients that got no answer call ``commit()`` again until they get one. After
each kill the files are looked at as they lie; at the end all of it is audited.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import msgspec
from attrs import define, field

from callsheet.errors import CommitError
from callsheet.server.store.store import Store
from callsheet.session.blocking import Session
from callsheet.transport.retry import RetryPolicy

from .commit_cut import forks_of, until_answered
from .ledger import DOCUMENT, Audit, audit, pieces, record_work
from .outcome import Outcome, Scale
from .workplace import temporary_folder

THREADS = 6
KEY = "the key of a server that is killed often"


class KilledServer:
    """The handle of a zygote: starts and kills the server on one address."""

    def __init__(self, database: str, early: bool = False) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        settings = {
            "schema": DOCUMENT, "database": database, "host": "127.0.0.1", "port": self.port, "admin_key": KEY,
            "certificate": None, "certificate_key": None, "hosts": None, "seed": False,
        }  # fmt: skip
        module = f"{__package__}.server_zygote"
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module, *(["early"] if early else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment(),
        )  # fmt: skip
        self._send(msgspec.json.encode(settings))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, command: str) -> str:
        self._send(command.encode())
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().decode().strip()
        if command == "start" and not answer.startswith(f"{self.port} "):
            raise RuntimeError(f"the server did not start: {answer}")
        if command == "start":
            self._wait()
        return answer

    def _wait(self) -> None:
        """The port is told before it answers."""
        for _ in range(2_000):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.005)
        raise RuntimeError("the server does not answer")

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.communicate(timeout=30)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@contextmanager
def killed_server(database: str, early: bool = False) -> Iterator[KilledServer]:
    server = KilledServer(database, early)
    try:
        yield server
    finally:
        server.close()


@define
class Run:
    """What clients were told, and what was found after each kill."""

    acknowledged: set[int] = field(factory=set)
    started: set[int] = field(factory=set)
    kills: int = 0
    in_flight: int = 0
    lost: int = 0
    partial: int = 0
    problems: list[str] = field(factory=list)


def prove(scale: Scale, seed: int) -> Outcome:
    """100 kills; deep 1,000."""
    size = scale.choose(30, 100, 1_000)
    run, found = _run(size, seed, early=False)
    outcome = Outcome("server killed while committing", f"{size:,} kills, {len(run.acknowledged):,} commits")
    outcome.faults, outcome.lost = run.kills, run.lost + found.lost
    outcome.doubled, outcome.partial = found.doubled, run.partial + found.partial
    outcome.problems += run.problems + found.problems
    if run.in_flight < size // 2:
        outcome.problems.append(f"only {run.in_flight} of {size} kills came while a commit was under way")
    control, _ = _run(20, seed, early=True)
    outcome.control, outcome.caught = "answering before COMMIT loses", control.lost
    return outcome


def _run(size: int, seed: int, early: bool) -> tuple[Run, Audit]:
    run, random = Run(), Random(seed)
    with temporary_folder() as folder:
        path = folder / "ledger.db"
        url = f"sqlite:///{path}"
        with killed_server(url, early) as server:
            server.ask("start")
            policy = RetryPolicy(retries=0)
            with Session(server.url, "admin", KEY, schema_cache=False, retries=policy, timeout=5) as session:
                threads, over = clients(run, session)
                for _ in range(size):
                    let_work(run, threads, random)
                    server.ask("kill")
                    run.kills += 1
                    _look(run, path, folder / "copy")
                    server.ask("start")
                over.set()
                for thread in threads:
                    thread.join()
            server.ask("stop")
        store = Store.open(url)
        try:
            return run, audit(store, run.acknowledged, run.started)
        finally:
            store.close()


def let_work(run: Run, threads: list[Thread], random: Random) -> None:
    """Wait for some commits, however fast this machine is, and then for any moment of the next ones."""
    goal = len(run.acknowledged) + random.randint(1, 15)
    end = time.monotonic() + 10
    while len(run.acknowledged) < goal and time.monotonic() < end:
        # In the negative control clients give up when work they built on is gone.
        if not any(thread.is_alive() for thread in threads):
            return
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.01))


def clients(run: Run, session: Session) -> tuple[list[Thread], Event]:
    over = Event()
    makers = [session.create("Worker", {"name": str(place), "count": 0}).id for place in range(THREADS)]
    session.commit()
    # The server of the negative control is not done yet when it answers.
    time.sleep(0.1)

    def work(place: int, fork: Session) -> None:
        try:
            worker = until_answered(lambda: fork.get("Worker", makers[place]))
            number = place
            while not over.is_set():
                record_work(fork, worker, number)
                run.started.add(number)
                _commit(run, fork)
                run.acknowledged.add(number)
                number += THREADS
        except Exception as error:
            run.problems.append(f"thread {place}: {type(error).__name__}: {error}")

    threads = [Thread(target=work, args=each) for each in enumerate(forks_of(session, THREADS))]
    for thread in threads:
        thread.start()
    return threads, over


def _commit(run: Run, fork: Any) -> None:
    """Commit, and count it where the first try got no answer."""
    try:
        fork.commit()
    except CommitError as error:
        if "no answer" not in str(error):
            raise
        run.in_flight += 1
        until_answered(fork.commit)


def _look(run: Run, path: Path, copy: Path) -> None:
    """Read a copy of the files as the kill left them: nothing acknowledged is missing, nothing is half there."""
    acknowledged = set(run.acknowledged)
    for suffix in ("", "-wal"):
        if (source := path.with_name(path.name + suffix)).exists():
            shutil.copy(source, copy.with_name(copy.name + suffix))
    connection = sqlite3.connect(copy)
    try:
        if run.kills % 10 == 1 and (said := connection.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            run.problems.append(f"kill {run.kills}: {said[:3]}")
        rows = connection.execute("SELECT work, count(*) FROM Piece GROUP BY work").fetchall()
    finally:
        connection.close()
        for suffix in ("", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    there = dict(rows)
    run.lost += len(acknowledged - set(there))
    run.partial += sum(count < pieces(number) for number, count in there.items())
