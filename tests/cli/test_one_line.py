"""Where one line is promised, one line comes: what the system or a library refuses is said in words."""

from __future__ import annotations

import logging
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from callsheet.cli.commands import Commands
from callsheet.cli.commands import callsheet as commands
from callsheet.errors import UsageError
from callsheet.listening.health import HealthPage

FULL = Path("/dev/full")
ANYWHERE = {"CALLSHEET_API_KEY": "k", "CALLSHEET_API_USER": "a"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("query", "Shot", "--server", "http://["), "Error: the server's URL cannot be read"),
        (("query", "Shot", "--server", "http://a b"), "Error: the server's URL has an invalid host name"),
        (("query", "Shot", "--server", "sqlite:////nonexistent/x.db"), "Error: cannot open /nonexistent/x.db"),
        (("demo", "--cut", "/nonexistent.csv"), "Error: the edit /nonexistent.csv cannot be read"),
        (
            (
                "serve",
                "--database",
                "memory:",
                "--port",
                "0",
                "--certificate",
                "/etc/hosts",
                "--certificate-key",
                "/etc/hosts",
            ),
            "Error: /etc/hosts and /etc/hosts are not a certificate and a key that HTTPS can use",
        ),
        (("serve", "--database", "memory:", "--host", "300.1.1.1", "--insecure"), "Error: cannot listen at 300.1.1.1"),
    ],
)
def test_refusals(arguments: tuple[str, ...], told: str) -> None:
    """The first line names the thing and the reason; there is no traceback."""
    result = CliRunner().invoke(commands, arguments, env=ANYWHERE)
    assert result.exit_code == 1
    assert result.output.startswith(told), result.output
    assert "Traceback" not in result.output
    assert len(result.output.splitlines()) <= 2


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "/x/y"), "Error: /x/y: Permission denied\n"),
        (OSError(5, "Input/output error"), "Error: Input/output error\n"),
        (ZeroDivisionError("division by zero"), "Error: ZeroDivisionError: division by zero\nThis error is unexpected"),
        (RecursionError(), "Error: RecursionError: \nThis error is unexpected"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "Error: UnicodeDecodeError: 'utf-8' codec"),
    ],
)
def test_what_was_not_foreseen(error: Exception, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for what the system refuses, two for what nobody foresaw; a variable brings the traceback."""

    def fail() -> None:
        raise error

    group: Any = Commands("callsheet")
    monkeypatch.setattr(Commands, "get_command", lambda self, context, name: click.Command(name, callback=fail))
    result = CliRunner().invoke(group, ["x"])
    assert (result.exit_code, result.output[: len(told)]) == (1, told)
    if not isinstance(error, OSError):
        detailed = CliRunner().invoke(group, ["x"], env={"CALLSHEET_LOG_LEVEL": "DEBUG"})
        assert detailed.exception is error


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["query", "Status", "--server", "memory:"]])
def test_a_full_disk(arguments: list[str]) -> None:
    """What cannot be written is one line on standard error."""
    command = [sys.executable, "-c", "from callsheet.cli import main; main()", *arguments]
    with FULL.open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env={**os.environ, **ANYWHERE})
    assert done.returncode == 1
    assert "the output cannot be written: No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


class Idle:
    """What a health page asks of a runner."""

    def health(self) -> dict[str, Any]:
        return {"problems": [], "handlers": [], "padding": "x" * 5_000_000}


def test_a_client_of_the_health_page_hangs_up(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is no error, whether it goes before or during the answer."""
    page = HealthPage(Idle(), ("127.0.0.1", 0))  # type: ignore[arg-type]
    try:
        with caplog.at_level(logging.WARNING):
            for request in (b"GET /health HTTP/1.1\r\n", b"GET /health HTTP/1.1\r\n\r\n"):
                for _ in range(3):
                    client = socket.create_connection(("127.0.0.1", page.port))
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.sendall(request)
                    client.close()
    finally:
        page.close()
    assert caplog.records == []
    assert capfd.readouterr().err == ""


def test_a_health_page_on_a_taken_port() -> None:
    """The place is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"the health page cannot listen at 127\.0\.0\.1, port {port}: Address"):
            HealthPage(Idle(), ("127.0.0.1", port))  # type: ignore[arg-type]
