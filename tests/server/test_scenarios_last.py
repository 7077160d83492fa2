"""Scenarios survive what a server survives: being killed, being moved to another database, a lost answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from databases import new_database
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scenario_server import SCHEMA, scenario_service, staged
from studio import open_studio
from test_permissions_twin import OTHERS, everything, fill, operations
from test_scenario_laws import stage_all, without_versions

from callsheet.errors import Invalid
from callsheet.model.operation import ChangeSet, Create, Operation
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.server.archive.dumping import dump
from callsheet.server.archive.loading import load
from callsheet.server.backend import ServiceBackend
from callsheet.server.service import Service
from callsheet.server.store.store import Store

WRITER = """
import sys
sys.path.insert(0, {folder!r})
from scenario_server import SCHEMA, Service, staged
service = Service.open({url!r}, SCHEMA)
inside = service.backend("admin").scenario("less")
for number in range(10_000):
    inside.commit(staged(number))
    print(number, flush=True)
"""


def rows_of(backend: ServiceBackend) -> list[str]:
    """The keys of all tasks."""
    return sorted(row[0] for block in backend.select(Select("Task"), 10_000).records for row in block.rows)


def kill_while_staging(tmp_path: Path, after: int) -> None:
    """Kill a process in the middle of its work; nothing that was acknowledged is lost, and nothing is half done."""
    url = f"sqlite:///{(tmp_path / 'killed.db').as_posix()}"
    with Service.open(url, SCHEMA) as service:
        service.commit(ChangeSet("one", (Create(Identity("Project", "p"), {"name": "p", "rate": 0.0}),)), "admin")
        service.backend("admin").call("scenarios.create", {"name": "less"})
    code = WRITER.format(folder=str(Path(__file__).parent), url=url)
    paths = [*(str(folder) for folder in Path(__file__).parents[:3]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout.read().split()]
    with Service.open(url, SCHEMA) as service:
        inside = service.backend("admin").scenario("less")
        known = service.backend("admin").call("scenarios.show", {"name": "less"})["revision"]
        assert known in (len(acknowledged), len(acknowledged) + 1)
        for number in range(known + 2):
            assert inside.commit(staged(number)).replayed is (number < known)
        assert rows_of(inside) == sorted(f"t{number}" for number in range(known + 2))
        assert inside.select(Select("Project"), 1).records[0].rows[0][-1] == float(known + 2)
        assert rows_of(service.backend("admin")) == []


def test_a_killed_server_loses_no_stage(tmp_path: Path) -> None:
    """Once; the long form does it fifty times."""
    kill_while_staging(tmp_path, 5)


@pytest.mark.deep
@pytest.mark.parametrize("after", range(1, 51))
def test_a_server_that_is_killed_at_any_moment_loses_no_stage(tmp_path: Path, after: int) -> None:
    """After each of the first fifty stages."""
    kill_while_staging(tmp_path, after)


def test_a_stage_is_done_once(tmp_path: Path) -> None:
    """The same id with other operations is refused; nothing else is kept of it."""
    with scenario_service("memory", tmp_path) as service:
        service.commit(ChangeSet("one", (Create(Identity("Project", "p"), {"name": "p", "rate": 0.0}),)), "admin")
        admin = service.backend("admin")
        admin.call("scenarios.create", {"name": "less"})
        inside = admin.scenario("less")
        first, again = (inside.commit(staged(0)) for _ in range(2))
        assert (first.versions, first.replayed, again.versions, again.replayed) == ((1, 2), False, (1, 2), True)
        with pytest.raises(Invalid, match="was used for other operations"):
            inside.commit(ChangeSet("stage 0", staged(1).operations))
        assert admin.call("scenarios.show", {"name": "less"})["revision"] == 1


def names_in(backend: ServiceBackend) -> list[str]:
    """The keys of the projects."""
    return [row[0] for block in backend.select(Select("Project"), 10).records for row in block.rows]


def test_a_large_commit_is_staged_in_parts_and_kept(tmp_path: Path) -> None:
    """As any commit that is too large for one request; its parts are gone afterwards."""
    with scenario_service("memory", tmp_path) as service:
        admin = service.backend("admin")
        admin.call("scenarios.create", {"name": "less"})
        inside = admin.scenario("less")
        for part in range(2):
            made: tuple[Operation, ...] = (Create(Identity("Project", f"p{part}"), {"name": f"p{part}"}),)
            inside.stage("large", part, made)
        inside.commit(ChangeSet("large", (Create(Identity("Project", "p2"), {"name": "p2"}),), parts=2))
        assert len(names_in(inside)) == 3
        assert len(names_in(admin)) == 0
        admin.call("scenarios.commit", {"name": "less"})
        assert len(names_in(admin)) == 3


def seen(backend: ServiceBackend) -> list[Any]:
    """All that a backend shows."""
    return [without_versions(everything(backend, text, 50)) for text in OTHERS]


@settings(
    max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
@given(
    seed=st.integers(0, 10**6),
    batches=st.lists(st.lists(operations(), min_size=1, max_size=4), min_size=2, max_size=5),
    branches=st.lists(st.booleans(), min_size=6, max_size=6),
    target=st.sampled_from(["file", "file", "postgres"]),
)
def test_scenarios_are_moved_with_their_database(
    tmp_path_factory: pytest.TempPathFactory, seed: int, batches: Any, branches: list[bool], target: str
) -> None:
    """An archive has them; what they show, and that nothing moved below them, is the same where it was loaded."""
    folder = Path(tmp_path_factory.mktemp("moved"))
    with open_studio() as studio, open_studio() as copy:
        for each in (studio, copy):
            fill(each, seed)
        names = stage_all(studio, copy, "admin", batches, branches)
        admin = studio.service.backend("admin")
        shown = {
            name: [without_versions(everything(admin.scenario(name), text, 50)) for text in OTHERS] for name in names
        }
        dump(studio.store, folder / "all.zip")
    with new_database(target, folder) as url:
        load(url, folder / "all.zip")
        with Service.open(url) as service:
            admin = service.backend("admin")
            for name in names:
                assert seen(admin.scenario(name)) == shown[name]
            assert admin.call("scenarios.rebase", {"name": names[-1]})["moved"] == []
            for name in reversed(names):
                admin.call("scenarios.commit", {"name": name})


def test_a_database_of_an_earlier_version_gets_scenarios(tmp_path: Path) -> None:
    """Its tables are added when it is opened."""
    url = f"sqlite:///{(tmp_path / 'old.db').as_posix()}"
    with Service.open(url, SCHEMA):
        pass
    store = Store.open(url)
    for name in ("_scenario", "_scenario_stage"):
        store.write(lambda connection, name=name: store.table(name).drop(connection))  # type: ignore[misc]
    store.close()
    with Service.open(url) as service:
        assert service.backend("admin").call("scenarios.create", {"name": "less"})["revision"] == 0
