"""A process that is killed while it adds or drops a workspace leaves no half one, wherever it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callsheet.server.service import Service

pytestmark = pytest.mark.proof

SCRIPT = """
import json, os, signal, sys
from callsheet.server.files.folder import UploadFolder
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from callsheet.server.workspaces.hosting import Workspaces
from callsheet.server.workspaces.places import Places
from callsheet.server.workspaces.registry import Registry


def work(url, action, place, moment):
    owner, _, name = place.partition(".")
    kind = {"Registry": Registry, "Places": Places, "Workspaces": Workspaces}[owner]
    real = getattr(kind, name)

    def killed(*arguments, **options):
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    with Service.open(url) as main:
        if action == "drop":
            main.workspaces.service("lab")
        setattr(kind, name, killed)
        if action == "add":
            main.workspaces.add("lab", {"name": "tiny", "types": {"Dot": {}}})
        else:
            main.workspaces.drop("lab", "delete")

# Each case in a process of its own, which need not import everything again.
for case in json.load(sys.stdin):
    child = os.fork()
    if child == 0:
        try:
            work(*case)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
ADDING = ["Registry.begin", "Places.make", "Workspaces._made", "Registry.finish"]
DROPPING = ["Registry.move", "Workspaces._end", "Places.delete", "Registry.remove"]


MOMENTS = ("before", "after")
CASES = [
    *(("add", place, moment) for place in ADDING for moment in MOMENTS),
    *(("drop", place, moment) for place in DROPPING for moment in MOMENTS),
]


def name_of(action: str, place: str, moment: str) -> str:
    return f"{action}-{place}-{moment}"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each case, in which a process was killed there."""
    folder = tmp_path_factory.mktemp("killed")
    urls = []
    for case in CASES:
        own = folder / name_of(*case)
        own.mkdir()
        url = f"sqlite:///{own}/show.db"
        with Service.open(url, {"name": "tiny", "types": {"Dot": {}}}) as main:
            assert main.workspaces is not None
            if case[0] == "drop":
                main.workspaces.add("lab", {"name": "tiny", "types": {"Dot": {}}})
        urls.append((url, *case))
    ended = subprocess.run([sys.executable, "-c", SCRIPT], input=json.dumps(urls), capture_output=True, text=True)
    assert ended.stdout.split() == [str(-signal.SIGKILL)] * len(CASES), ended.stderr
    return folder


def left(folder: Path) -> list[str]:
    """What there is of workspaces on disk."""
    found = folder / "show-workspaces"
    return sorted(each.name for each in found.iterdir()) if found.is_dir() else []


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("place", ADDING)
def test_an_addition_that_is_killed_is_done_or_not(folders: Path, place: str, moment: str) -> None:
    """Afterwards the workspace opens, or there is none, nothing of it is on disk, and its name is free."""
    folder = folders / name_of("add", place, moment)
    url = f"sqlite:///{folder}/show.db"
    with Service.open(url) as main:
        assert main.workspaces is not None
        names = [each.name for each in main.workspaces.list()]
        if (place, moment) == ("Registry.finish", "after"):
            assert names == ["lab"]
            service = main.workspaces.service("lab")
            assert service is not None
            assert [account.name for account in service.accounts.list()] == ["admin"]
        else:
            assert names == []
            assert main.workspaces.service("lab") is None
            assert left(folder) == []
            main.workspaces.add("lab", {"name": "tiny", "types": {"Dot": {}}})
            assert len(left(folder)) == 1


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("place", DROPPING)
def test_a_drop_that_is_killed_is_done_or_not(folders: Path, place: str, moment: str) -> None:
    """Afterwards the workspace is whole, or gone, and nothing of it is on disk."""
    folder = folders / name_of("drop", place, moment)
    url = f"sqlite:///{folder}/show.db"
    with Service.open(url) as main:
        assert main.workspaces is not None
        names = [each.name for each in main.workspaces.list()]
        if (place, moment) == ("Registry.move", "before"):
            assert names == ["lab"]
            assert main.workspaces.service("lab") is not None
        else:
            assert names == []
            assert left(folder) == []
