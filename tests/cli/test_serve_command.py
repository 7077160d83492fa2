"""``callsheet serve`` in a process of its own, as an administrator runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner

import callsheet
from callsheet.cli.commands import callsheet as commands

MAIN = "from callsheet.cli import main; main()"


@contextmanager
def serving(database: Path, end: signal.Signals = signal.SIGINT, **environment: str) -> Iterator[list[str]]:
    """A server on any free port; gives what it says until it serves, and ends it by a signal."""
    arguments = [sys.executable, "-c", MAIN, "serve", "--database", f"sqlite:///{database.as_posix()}", "--port", "0"]
    paths = os.pathsep.join([str(Path(callsheet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **environment},
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("Serving at "):
                break
        yield lines
    finally:
        process.send_signal(end)
        rest = process.communicate(timeout=30)[0]
    assert "Traceback" not in rest
    assert process.returncode == 0


def address(lines: list[str]) -> str:
    return lines[-1].split()[2]


def test_the_key_is_printed_once(tmp_path: Path) -> None:
    """The first start makes the administrator and the standard statuses; the second keeps both silently."""
    with serving(tmp_path / "show.db") as lines:
        key = next(line for line in lines if line.startswith("cs_"))
        with callsheet.Session(address(lines), api_user="admin", api_key=key) as session:
            assert session.query('Status where state.short is "done" order by sort').first()["name"] == "Approved"
    with serving(tmp_path / "show.db") as lines:
        assert not any("cs_" in line for line in lines)
        with callsheet.Session(address(lines), api_user="admin", api_key=key) as session:
            assert session.query("Status").count() == 9


def test_the_key_from_the_environment(tmp_path: Path) -> None:
    """``CALLSHEET_ADMIN_KEY`` is the administrator's key, and is not printed; SIGTERM ends the server as well."""
    with serving(tmp_path / "show.db", signal.SIGTERM, CALLSHEET_ADMIN_KEY="given by hand") as lines:
        assert len(lines) == 1
        with callsheet.Session(address(lines), api_user="admin", api_key="given by hand") as session:
            assert session.server_information.user == "admin"


def test_a_taken_port_is_told_before_a_database_is_made(tmp_path: Path) -> None:
    """With what to do about it, and no key is told for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        database = tmp_path / "show.db"
        result = CliRunner().invoke(commands, ["serve", "--database", f"sqlite:///{database}", "--port", str(port)])
    assert result.exit_code == 1
    assert f"cannot listen at 127.0.0.1, port {port}" in result.output
    assert "another port" in result.output
    assert not database.exists()


def test_half_a_certificate_is_refused() -> None:
    """HTTPS needs the certificate and its key."""
    result = CliRunner().invoke(commands, ["serve", "--certificate", __file__])
    assert result.exit_code == 2
    assert "both --certificate and --certificate-key" in result.output


def test_an_unknown_schema_is_refused(tmp_path: Path) -> None:
    """A preset that does not exist is told with the nearest."""
    database = f"sqlite:///{(tmp_path / 'x.db').as_posix()}"
    result = CliRunner().invoke(commands, ["serve", "--schema", "prodution", "--database", database, "--port", "0"])
    assert result.exit_code == 1
    assert "did you mean `production`" in result.output


def test_a_language_that_nobody_speaks_is_refused() -> None:
    """With those that there are."""
    result = CliRunner().invoke(commands, ["serve", "--dialect", "ftrac"])
    assert result.exit_code == 2
    assert "'native', 'ftrack'" in result.output
