"""A sync that is killed at any moment is finished by running it again: no row is lost, none doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callsheet import Session, serve

ROWS = 400
SYNC = """
[[sync]]
type = "Sequence"
rows = "shots.csv"
key = ["parent.name", "name"]
columns = { Seq = "name", Show = "parent.name" }
[[sync]]
type = "Shot"
rows = "shots.csv"
key = ["parent.name", "name"]
columns = { Shot = "name", Seq = "parent.name", In = "fstart" }
"""


def killed_after(seconds: float, folder: Path, environment: dict[str, str]) -> bool:
    """Run the job and kill it; whether it had ended before."""
    main = "from callsheet.cli import main; main()"
    command = [sys.executable, "-c", main, "sync", str(folder / "show.toml"), "--yes", "--chunk", "25"]
    job = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        job.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        job.send_signal(signal.SIGKILL)
        job.wait()
        return False


def check(tmp_path: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    (tmp_path / "show.toml").write_text(SYNC)
    with serve() as server, Session(server.url, "admin", server.admin_key) as session:
        session.create("Project", {"name": "sintel"})
        session.commit()
        environment = {**os.environ, "CALLSHEET_SERVER": server.url, "CALLSHEET_API_USER": "admin"}
        environment["CALLSHEET_API_KEY"] = server.admin_key or ""
        for kill in range(kills):
            lines = [f"sintel,sq{number % 7},sh{number:04},{kill * 1_000 + number}" for number in range(ROWS)]
            (tmp_path / "shots.csv").write_text("\n".join(["Show,Seq,Shot,In", *lines]))
            killed_after(chance.uniform(0.6, 2.2), tmp_path, environment)
            assert killed_after(120, tmp_path, environment)
            found = {each["name"]: each["fstart"] for each in session.fork().query("select name, fstart from Shot")}
            assert found == {f"sh{number:04}": kill * 1_000 + number for number in range(ROWS)}
            assert session.fork().query("Shot").count() == ROWS
            assert session.fork().query("Sequence").count() == 7


def test_a_killed_job_is_finished_by_the_next(tmp_path: Path) -> None:
    """Two jobs that are killed in their first seconds, each run again."""
    check(tmp_path, 2, 1)


@pytest.mark.proof
def test_many_killed_jobs_are_finished(tmp_path: Path) -> None:
    """Eight of them, at random moments, on one server."""
    check(tmp_path, 8, 2)


def test_without_running_it_again_rows_are_missing(tmp_path: Path) -> None:
    """The control: a job that is killed at once has brought nothing, so the check above sees what is missing."""
    (tmp_path / "show.toml").write_text(SYNC)
    (tmp_path / "shots.csv").write_text("Show,Seq,Shot,In\nsintel,sq1,sh010,1\n")
    with serve() as server, Session(server.url, "admin", server.admin_key) as session:
        environment = {**os.environ, "CALLSHEET_SERVER": server.url, "CALLSHEET_API_USER": "admin"}
        environment["CALLSHEET_API_KEY"] = server.admin_key or ""
        assert not killed_after(0.01, tmp_path, environment)
        assert session.query("Shot").count() == 0
