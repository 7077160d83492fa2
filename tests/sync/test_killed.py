"""A sync that is killed at any moment is finished by running it again: no row is lost, none doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
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


class Job:
    """The command, its folder, and a session on the server that it fills."""

    def __init__(self, session: Session, folder: Path, environment: dict[str, str]) -> None:
        self.session, self.folder, self.environment = session, folder, environment

    def run(self, seconds: float) -> bool:
        return killed_after(seconds, self.folder, self.environment)

    def check(self, kills: int, seed: int) -> None:
        """Kill it at random moments; run again, it has brought everything, and nothing twice."""
        chance = random.Random(seed)
        for kill in range(kills):
            lines = [f"sintel,sq{number % 7},sh{number:04},{kill * 1_000 + number}" for number in range(ROWS)]
            (self.folder / "shots.csv").write_text("\n".join(["Show,Seq,Shot,In", *lines]))
            self.run(chance.uniform(0.6, 2.2))
            assert self.run(120)
            found = list(self.session.fork().query("select name, fstart from Shot where project.name is sintel"))
            assert {each["name"]: each["fstart"] for each in found} == {
                f"sh{number:04}": kill * 1_000 + number for number in range(ROWS)
            }
            assert len(found) == ROWS
            assert self.session.fork().query("Sequence where project.name is sintel").count() == 7


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("job")
    (folder / "show.toml").write_text(SYNC)
    with serve() as server, Session(server.url, "admin", server.admin_key) as session:
        for name in ("sintel", "spring"):
            session.create("Project", {"name": name})
        session.commit()
        environment = {**os.environ, "CALLSHEET_SERVER": server.url, "CALLSHEET_API_USER": "admin"}
        environment["CALLSHEET_API_KEY"] = server.admin_key or ""
        yield Job(session, folder, environment)


def test_a_killed_job_is_finished_by_the_next(job: Job) -> None:
    """Two jobs that are killed in their first seconds, each run again."""
    job.check(2, 1)


@pytest.mark.deep
@pytest.mark.timeout(1_800)
def test_many_killed_jobs_are_finished(job: Job) -> None:
    """Twenty of them, at random moments, on one server."""
    job.check(20, 2)


def test_without_running_it_again_rows_are_missing(job: Job) -> None:
    """The control: a job that is killed at once has brought nothing, so the check above sees what is missing."""
    (job.folder / "shots.csv").write_text("Show,Seq,Shot,In\nspring,sq1,sh010,1\n")
    assert not job.run(0.01)
    assert job.session.fork().query("Shot where project.name is spring").count() == 0
