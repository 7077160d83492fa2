"""A server that is killed while its mirror is fed loses nothing; mirror and stored cubes are never torn."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select
from stored_world import agree

from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.measures import parse_level, parse_measure
from callsheet.model.measure import Aggregate
from callsheet.model.query import Select
from callsheet.model.question import Answer, Question
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.service import Service

SERVER = """
import sys
from uuid import uuid4
from stored_world import SCHEMA, cube
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity
from callsheet.server.service import Service

attributes = {"name": {"type": "string"}, "size": {"type": "number"}, "kind": {"type": "string"}}
schema = {"types": {**SCHEMA["types"], "Dot": {"attributes": attributes}}}
stored = cube("Dots", ["kind"], ["count", "sum(size)", "maximum(size)", "distinct(name)"], table="Dot")
with Service.open(sys.argv[1], schema, analytics=True) as service:
    # Done once, however often it is sent.
    service.commit(ChangeSet("cube", tuple(stored)), "admin")
    before = []
    while True:
        name, keys = uuid4().hex, [Identity("Dot", str(uuid4())) for _ in range(50)]
        made = [Create(key, {"name": name, "size": 0.1, "kind": f"k{n % 7}"}) for n, key in enumerate(keys)]
        made += [Update(key, {"size": 0.7, "kind": f"k{n % 5}"}) for n, key in enumerate(before[:20])]
        service.commit(ChangeSet(name, tuple(made)), "admin")
        before = keys
        print(name, flush=True)
"""


DOTS = Aggregate(
    Select("Dot"),
    tuple(map(parse_measure, ("count", "sum(size)", "maximum(size)", "distinct(name)"))),
    (parse_level("kind"),),
)


def killed(url: str, seconds: float) -> list[str]:
    """The names of the commits that a server answered before it was killed."""
    command, here = [sys.executable, "-c", SERVER, url], str(Path(__file__).parent)
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=paths) as server:
        assert server.stdout is not None
        first = server.stdout.readline()
        time.sleep(seconds)
        server.kill()
        rest = server.stdout.read()
    return [line for line in (first + rest).split("\n")[:-1] if line]


def check(url: str, answered: set[str], copies: int) -> None:
    """All that was answered is there, whole; the mirror goes on, and has the same rows as the database.

    The stored cube has what the database computes anew.
    """
    with Service.open(url, analytics=True) as service:
        assert service.mirror is not None
        dots = service.store.tables["Dot"]
        with service.mirror.reading() as state, service.store.reading() as connection:
            mirrored = sorted(map(repr, state.connection.execute(select(*dots.c))))
            assert mirrored == sorted(map(repr, connection.execute(select(*dots.c))))
            names = connection.execute(select(dots.c.name)).scalars().all()
        found = service.backend("admin").ask([Question(DOTS, explain=True)])[0]
        assert (found.plan or {})["stored"] == "Dots"
        with service.store.reading() as connection:
            right = read_aggregate(service.store, connection, check_aggregate(DOTS, service.store.schema))
        agree(found, Answer(right))
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
