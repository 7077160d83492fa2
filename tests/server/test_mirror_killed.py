"""A server that is killed while its mirror is fed loses nothing, and its mirror is never torn."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from callsheet.server.service import Service

SERVER = """
import sys
from uuid import uuid4
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity
from callsheet.server.service import Service

attributes = {"name": {"type": "string"}, "size": {"type": "number"}}
with Service.open(sys.argv[1], {"types": {"Dot": {"attributes": attributes}}}, analytics=True) as service:
    while True:
        name = uuid4().hex
        made = [Create(Identity("Dot", str(uuid4())), {"name": name, "size": 1.0}) for _ in range(50)]
        service.commit(ChangeSet(name, tuple(made)), "admin")
        print(name, flush=True)
"""


def killed(url: str, seconds: float) -> list[str]:
    """The names of the commits that a server answered before it was killed."""
    with subprocess.Popen([sys.executable, "-c", SERVER, url], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        first = server.stdout.readline()
        time.sleep(seconds)
        server.kill()
        rest = server.stdout.read()
    return [line for line in (first + rest).split("\n")[:-1] if line]


def check(url: str, answered: set[str], copies: int) -> None:
    """All that was answered is there, whole; the mirror goes on, and has the same rows as the database."""
    with Service.open(url, analytics=True) as service:
        assert service.mirror is not None
        dots = service.store.tables["Dot"]
        with service.mirror.reading() as state, service.store.reading() as connection:
            mirrored = sorted(map(repr, state.connection.execute(select(*dots.c))))
            assert mirrored == sorted(map(repr, connection.execute(select(*dots.c))))
            names = connection.execute(select(dots.c.name)).scalars().all()
        assert answered <= set(names)
        assert all(names.count(name) == 50 for name in set(names))
        assert service.mirror.copies <= copies


def kill(folder: Path, times: int) -> None:
    chance = random.Random(1)
    url = f"sqlite:///{(folder / 'killed.db').as_posix()}"
    answered: set[str] = set()
    for number in range(times):
        answered |= set(killed(url, chance.uniform(0.0, 0.3)))
        # The first may be killed before its mirror is made.
        check(url, answered, copies=int(number == 0))


def test_killed_while_it_is_fed(tmp_path: Path) -> None:
    """Two servers on one database, one after the other."""
    kill(tmp_path, 2)


@pytest.mark.deep
@pytest.mark.timeout(3_600)
def test_killed_again_and_again(tmp_path: Path) -> None:
    """A hundred servers on one database."""
    kill(tmp_path, 100)
