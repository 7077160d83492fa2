"""A two-way sync between two servers that is killed at any moment is finished by the same command."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet import Session, serve

SHOTS = 90
MIRROR = """
name = "mirror"
[right]
environment = "MIRROR"
[[pair]]
left = "Shot"
attributes = ["name", "parent", "fstart"]
adopt = ["parent", "name"]
delete = "delete"
max_deleted = 1
[[pair]]
left = "Project"
attributes = ["name"]
adopt = "name"
"""


class Sides:
    """Two servers with a project each, and the command that keeps them in step."""

    def __init__(self, left: Session, right: Session, folder: Path, environment: dict[str, str]) -> None:
        self.sessions = {"left": left, "right": right}
        self.folder, self.environment = folder, environment

    def run(self, seconds: float) -> bool:
        """Run the command, and kill it after so many seconds; whether it had ended before."""
        main = "from callsheet.cli import main; main()"
        command = [sys.executable, "-c", main, "sync", str(self.folder / "mirror.toml"), "--yes", "--chunk", "10"]
        job = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            assert job.wait(seconds) == 0
            return True
        except subprocess.TimeoutExpired:
            job.send_signal(signal.SIGKILL)
            job.wait()
            return False

    def edit(self, chance: random.Random, turn: int) -> dict[str, Any]:
        """Make, change and delete shots on both sides, never the same on both; what there has to be afterwards."""
        expected = dict(self.shots("left"))
        names = chance.sample(sorted(expected), len(expected))
        for place, side in enumerate(("left", "right")):
            session = self.sessions[side].fork()
            there = {each["name"]: each for each in session.query("select name, fstart from Shot")}
            project = session.query("Project").one()
            for number in range(SHOTS // 3):
                name = f"{side}{turn}-{number:03}"
                session.create("Shot", {"name": name, "parent": project, "fstart": number})
                expected[name] = number
            own = names[place::2]
            for name in own[:20]:
                there[name]["fstart"] = expected[name] = turn * 1_000 + len(name)
            for name in own[20:25]:
                session.delete(there[name])
                del expected[name]
            session.commit()
        return expected

    def shots(self, side: str) -> dict[str, Any]:
        found = list(self.sessions[side].fork().query("select name, fstart from Shot"))
        assert len({each["name"] for each in found}) == len(found)
        return {each["name"]: each["fstart"] for each in found}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    tmp_path = tmp_path_factory.mktemp("sides")
    (tmp_path / "mirror.toml").write_text(MIRROR)
    with serve() as one, serve() as other:
        environment = {**os.environ}
        for prefix, server in (("CALLSHEET", one), ("MIRROR", other)):
            named = {"SERVER": server.url, "API_USER": "admin", "API_KEY": server.admin_key or ""}
            environment |= {f"{prefix}_{name}": value for name, value in named.items()}
        with Session(one.url, "admin", one.admin_key) as left, Session(other.url, "admin", other.admin_key) as right:
            for session in (left, right):
                session.create("Project", {"name": "sintel"})
                session.commit()
            yield Sides(left, right, tmp_path, environment)


def check(sides: Sides, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for turn in range(10 * seed, 10 * seed + kills):
        expected = sides.edit(chance, turn)
        sides.run(chance.uniform(0.8, 3.0))
        assert sides.run(120)
        assert sides.shots("left") == expected
        assert sides.shots("right") == expected
    assert sides.sessions["left"].fork().query("Project").count() == 1


def test_a_killed_run_of_two_ways_is_finished_by_the_next(sides: Sides) -> None:
    """Two runs that are killed in their first seconds: no shot is lost, none doubled, and no edit of either side."""
    check(sides, 2, 1)


@pytest.mark.deep
@pytest.mark.timeout(1_800)
def test_many_killed_runs_of_two_ways_are_finished(sides: Sides) -> None:
    """Twenty of them, at random moments, between the same servers."""
    check(sides, 20, 2)


def test_without_running_it_again_the_sides_differ(sides: Sides) -> None:
    """The control: a run that is killed at once has carried nothing, so the check above sees what is missing."""
    expected = sides.edit(random.Random(3), 0)
    assert not sides.run(0.01)
    assert (sides.shots("left") == expected, sides.shots("right") == expected) == (False, False)
    assert sides.run(120)
    assert sides.shots("left") == sides.shots("right") == expected
