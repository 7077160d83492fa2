"""Databases that rows come from: SQLite, PostgreSQL and MariaDB, where they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from socket import AF_UNIX, socket

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

MARIADB = os.environ.get("CALLSHEET_TEST_MARIADB", "")


@contextmanager
def mariadb_database(folder: Path) -> Iterator[str]:
    """The URL of a MariaDB database: of the server that CALLSHEET_TEST_MARIADB names, else of one that is started."""
    if MARIADB:
        yield MARIADB
        return
    pytest.importorskip("pymysql")
    install, server = (
        shutil.which("mariadb-install-db"),
        shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin"),
    )
    if not install or not server:
        pytest.skip("there is no mariadbd")
    data, place = folder / "maria", folder / "m.sock"
    options = ["--no-defaults", f"--user={getuser()}", f"--datadir={data}"]
    fresh = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([install, *options, *fresh], check=True, capture_output=True)
    running = subprocess.Popen(
        [server, *options, "--skip-networking", f"--socket={place}", f"--pid-file={folder / 'm.pid'}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"mariadb+pymysql://root@localhost/mysql?unix_socket={place}"
        _wait(place)
        with create_engine(url, poolclass=NullPool).connect() as connection:
            connection.execute(text("create database shows"))
            connection.execute(text("create user me@localhost identified by 'se:cret'"))
            connection.execute(text("grant all on shows.* to me@localhost"))
        yield f"mariadb://me:se%3Acret@localhost/shows?unix_socket={place}"
    finally:
        running.terminate()
        running.wait(30)


def _wait(path: Path) -> None:
    """Until the server listens: its client leaves its socket open where it does not."""
    for _ in range(300):
        with socket(AF_UNIX) as trial:
            if trial.connect_ex(str(path)) == 0:
                return
        time.sleep(0.1)
    pytest.skip("mariadbd does not start")
