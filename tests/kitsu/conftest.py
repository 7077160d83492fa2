"""A real Kitsu server for the tests of its side: installed once for a user, started once for a run of tests."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import filelock
import pytest

from callsheet.transport.drive import run
from callsheet.transport.http import HttpTransport

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "plugins"))

from kitsu_sync.account import KitsuAccount  # noqa: E402
from kitsu_sync.side import KitsuSide  # noqa: E402

RUNNING = os.environ.get("CALLSHEET_TEST_KITSU", "")
"""The settings file (``run/kitsu.env``) of a server that runs already; it is used instead of a new one."""

POSTGRES = os.environ.get("CALLSHEET_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture(scope="session")
def kitsu_server(worker_id: str) -> Iterator[Mapping[str, str]]:
    """The server's settings: ``KITSU_API`` is its address, ``KITSU_LOGIN`` and ``KITSU_PASSWORD`` an administrator."""
    if RUNNING:
        yield _settings(Path(RUNNING))
        return
    address = urlsplit(POSTGRES)
    host, port, user = address.hostname or "127.0.0.1", address.port or 5432, address.username or "postgres"
    for program in ("redis-server", "psql", "createdb"):
        if shutil.which(program) is None:
            pytest.skip(f"Kitsu needs {program}, which is not installed")
    if subprocess.run(["pg_isready", "-q", "-h", host, "-p", str(port)]).returncode:
        pytest.skip(f"Kitsu needs PostgreSQL, and none answers at {host}:{port} (CALLSHEET_TEST_POSTGRES)")
    folder = Path(tempfile.gettempdir()) / f"callsheet-kitsu-{getpass.getuser()}"
    with filelock.FileLock(f"{folder}.lock"):
        done = subprocess.run(["bash", HERE / "setup_kitsu.sh", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"Kitsu cannot be installed: {done.stderr.strip()[-300:]}")
    own = folder / f"run-{worker_id}-{os.getpid()}"
    own.mkdir()
    for shared in ("venv", "shim"):
        (own / shared).symlink_to(folder / shared)
    options = ["0", "--seconds", "1800", "--pg", f"{host}:{port}", "--pg-user", user, "--db", f"cs_kitsu_{os.getpid()}"]
    try:
        subprocess.run(["bash", HERE / "run_kitsu.sh", "start", own, *options], check=True, capture_output=True)
        yield _settings(own / "run" / "kitsu.env")
    finally:
        subprocess.run(["bash", HERE / "run_kitsu.sh", "stop", own, "--drop"], capture_output=True)
        shutil.rmtree(own, ignore_errors=True)


class KitsuRedis:
    """The Redis of the server, which a test may kill and start again, empty."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.partition("/")[0].rpartition(":")
        self._port = int(port)
        self._started: list[subprocess.Popen[bytes]] = []

    def kill(self) -> None:
        """End it at once."""
        found = subprocess.run(["pgrep", "-f", f"^redis-server {self._host}:{self._port}"], capture_output=True)
        numbers = found.stdout.split()
        assert numbers, "no Redis of this test runs"
        for number in numbers:
            os.kill(int(number), signal.SIGKILL)

    def start(self) -> None:
        """Start a new one at the same address."""
        command = ["redis-server", "--bind", self._host, "--port", str(self._port), "--save", "", "--appendonly", "no"]
        self._started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        until = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < until
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            socket.create_connection((self._host, self._port), 1).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """End those that were started here."""
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def kitsu_redis(kitsu_server: Mapping[str, str]) -> Iterator[KitsuRedis]:
    found = KitsuRedis(kitsu_server["KITSU_REDIS"])
    yield found
    found.close()


@pytest.fixture
def account(kitsu_server: Mapping[str, str]) -> KitsuAccount:
    """The administrator's account."""
    return KitsuAccount(kitsu_server["KITSU_LOGIN"], kitsu_server["KITSU_PASSWORD"])


@pytest.fixture
def side(kitsu_server: Mapping[str, str], account: KitsuAccount) -> Iterator[KitsuSide]:
    """A new project of its own."""
    with HttpTransport(kitsu_server["KITSU_API"]) as transport:
        project: dict[str, Any] = run(account.post("/data/projects", {"name": uuid4().hex}), transport)
    found = KitsuSide(kitsu_server["KITSU_API"], account, project["id"])
    yield found
    found.close()


def _settings(file: Path) -> Mapping[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())
