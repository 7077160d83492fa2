"""A throw-away PostgreSQL: a cluster of its own in a temporary folder, on loopback, that can be killed and started.

It runs as an unprivileged user, since PostgreSQL refuses to run as root. Killing it (SIGKILL) takes all of its
processes at once, as the kernel would that runs out of memory; starting it again makes it recover from its log.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

DATABASE = "ledger"
START_SECONDS = 60.0


def binaries() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, of the newest version there is; None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    return Path(path).parent if path and shutil.which("postgres") else None


class Cluster:
    """A cluster in a folder that its user owns; ``port`` stays the same over all its lives."""

    def __init__(self, folder: Path, programs: Path, user: dict[str, Any]) -> None:
        self._data, self._programs, self._user = folder / "data", programs, user
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
        subprocess.run(
            [programs / "initdb", "-D", self._data, *options], check=True, capture_output=True, cwd=folder, **user
        )

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{DATABASE}"

    def connect(self, database: str = DATABASE) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname=database, connect_timeout=5, autocommit=True
        )

    def start(self) -> None:
        """Start it, and return when it has recovered and answers."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                # It ends at once where the memory of its last life is still being let go of.
                self._process = self._run()
            try:
                self.connect("postgres").close()
                return
            except psycopg.OperationalError:
                time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()[-2_000:]}")

    def _run(self) -> subprocess.Popen[bytes]:
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "synchronous_commit=on")
        arguments = [argument for setting in settings for argument in ("-c", setting)]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._data.parent, **self._user,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL for every process of the cluster, the first one first, so that it can start no more."""
        process = self._process
        if process is None:
            return
        children = _children(process.pid)
        for number in (process.pid, *children):
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
        self._process = None


def _children(number: int) -> list[int]:
    """The processes that a process has started. Where this is not Linux, none: they see that it has gone, and end."""
    try:
        return [int(child) for child in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
    except OSError:
        return []


@contextmanager
def cluster() -> Iterator[Cluster | None]:
    """A new cluster that runs, with an empty database; None where PostgreSQL is not installed."""
    programs, user = binaries(), _unprivileged()
    if programs is None or user is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="callsheet-postgres-"))
    try:
        if user:
            os.chown(folder, user["user"], user["group"])
        made = Cluster(folder, programs, user)
        try:
            made.start()
            with made.connect("postgres") as connection:
                connection.execute(f"CREATE DATABASE {DATABASE}")
            yield made
        finally:
            made.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> dict[str, Any] | None:
    """As whom to run it: nothing where this process is not root's, None where there is nobody to be."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    return None
