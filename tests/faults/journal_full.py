"""The disk is full under the journal: a clear error, nothing is sent, nothing is lost, and it goes on afterwards.

Space runs out at three moments: before a commit is written ahead, while its answer is noted, and under a
client that dies right after the journal said "kept". Space is a small file system of its own where the user
may mount one, and a limit on the size of files anywhere.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from attrs import define, field

from callsheet.errors import StorageError
from callsheet.flow import Request, Response
from callsheet.model.operation import ChangeSet
from callsheet.server.process import Server, serve
from callsheet.server.store.store import Store
from callsheet.session.blocking import Session
from callsheet.transport.journal import Journal

from .ledger import DOCUMENT, Audit, audit, pieces, record_work
from .outcome import Outcome, Scale
from .workplace import temporary_folder


class Space(Protocol):
    """Somewhere that can be full."""

    folder: Path

    def fill(self) -> None: ...

    def free(self) -> None: ...


class LimitedFiles:
    """Files of this process cannot grow any more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._most = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, self._most[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._most)


class SmallVolume:
    """A file system of two megabytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)


class Death(BaseException):
    """The client dies here."""


@define
class Trouble:
    """What happened to a client."""

    errors: int = 0
    announced: set[int] = field(factory=set)
    problems: list[str] = field(factory=list)


class TroubledJournal(Journal):
    """A journal whose disk is full at the moment that is asked for: ``write`` or ``finish``."""

    def __init__(self, path: Path, space: Space, careless: bool) -> None:
        super().__init__(path)
        self.space, self.careless, self.full_at = space, careless, ""

    def write(self, changes: ChangeSet) -> None:
        if self.full_at == "write":
            self.space.fill()
        try:
            super().write(changes)
        except StorageError:
            # The negative control goes on as if nothing had been.
            if not self.careless:
                raise

    def finish(self, commit_id: str) -> None:
        if self.full_at == "finish":
            self.space.fill()
        super().finish(commit_id)


class DyingTransport:
    """Sends, until it is told to die instead."""

    def __init__(self, transport: Any) -> None:
        self._transport, self.dying = transport, False

    def send(self, request: Request) -> Response:
        if self.dying:
            raise Death
        answer: Response = self._transport.send(request)
        return answer

    def close(self) -> None:
        self._transport.close()


def prove(scale: Scale, seed: int) -> Outcome:
    """12 rounds of three moments, on each kind of space; deep 60."""
    rounds = scale.choose(4, 12, 60)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        return _prove(rounds)
    finally:
        signal.signal(signal.SIGXFSZ, before)


def _prove(rounds: int) -> Outcome:
    outcome = Outcome("disk full under the journal", "")
    kinds = 0
    with serve(DOCUMENT) as probe:  # Starting a server writes files; it is started before space runs out.
        probe.close()
    for make in (_limited_files, _small_volume):
        with make() as space:
            if space is None:
                continue
            kinds += 1
            trouble, found = _run(space, rounds, careless=False)
            outcome.faults += trouble.errors
            outcome.lost, outcome.doubled = outcome.lost + found.lost, outcome.doubled + found.doubled
            outcome.partial += found.partial
            outcome.problems += trouble.problems + found.problems
            _, control = _run(space, 3, careless=True)
            outcome.caught += control.lost
    outcome.size = f"{rounds * 3} times on {kinds} kinds of space"
    outcome.control = "going on without the journal loses"
    return outcome


@contextmanager
def _limited_files() -> Iterator[Space | None]:
    with temporary_folder() as folder:
        space = LimitedFiles(folder)
        try:
            yield space
        finally:
            space.free()


@contextmanager
def _small_volume() -> Iterator[Space | None]:
    with temporary_folder() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
        try:
            yield SmallVolume(folder) if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", str(folder)], check=True, capture_output=True)


def _run(space: Space, rounds: int, careless: bool) -> tuple[Trouble, Audit]:
    trouble = Trouble()
    with temporary_folder() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        with serve(DOCUMENT, url) as server:
            path = space.folder / f"client-{careless}.journal"
            number = 0
            for _ in range(rounds):
                for moment in ("write", "finish", "death"):
                    _one(trouble, server, space, path, number, moment, careless)
                    space.free()
                    number += 1
            with _session(server, space, path, False) as (session, *_):
                session.resume()
        store = Store.open(url)
        try:
            return trouble, audit(store, trouble.announced, range(number))
        finally:
            store.close()


@contextmanager
def _session(
    server: Server, space: Space, path: Path, careless: bool
) -> Iterator[tuple[Session, TroubledJournal, DyingTransport]]:
    with Session(server.url, "admin", server.admin_key, schema_cache=False) as session:
        transport = session._connection.transport = DyingTransport(session._connection.transport)
        journal = session.journal = TroubledJournal(path, space, careless)
        yield session, journal, transport


def _one(trouble: Trouble, server: Server, space: Space, path: Path, number: int, moment: str, careless: bool) -> None:
    """One client: works, meets a full disk, tries again when there is space, or dies."""
    with _session(server, space, path, careless) as (session, journal, transport):
        session.resume()
        maker = session.create("Worker", {"name": str(number), "count": 0})
        session.commit()
        record_work(session, maker, number)
        journal.full_at = "finish" if moment == "finish" else "write"
        transport.dying = moment == "death"
        try:
            session.commit()
        except StorageError as error:
            trouble.errors += 1
            if str(path) not in str(error):
                trouble.problems.append(f"the error does not name the journal: {error}")
            if len(session.pending) != pieces(number) + 1:
                trouble.problems.append(f"after the error {len(session.pending)} operations were pending")
            space.free()
            journal.full_at, transport.dying = "", False
            if session.commit() is None:
                trouble.problems.append("the second commit had nothing to send")
            trouble.announced.add(number)
        except Death:
            trouble.announced.add(number)
            return
        else:
            trouble.announced.add(number)
            trouble.problems.append(f"{moment}: the disk was not full") if not careless else None
        if session.pending:
            trouble.problems.append("work was pending after it was committed")
