"""A process that is killed while it adds or drops a workspace leaves no half one, wherever it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callsheet.server.service import Service

pytestmark = pytest.mark.proof

SCRIPT = """
import os, signal, sys
from callsheet.server.files.folder import UploadFolder
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from callsheet.server.workspaces.hosting import Workspaces
from callsheet.server.workspaces.places import Places
from callsheet.server.workspaces.registry import Registry

url, action, place, moment = sys.argv[1:]
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
"""
ADDING = ["Registry.begin", "Places.make", "Workspaces._made", "Registry.finish"]
DROPPING = ["Registry.move", "Workspaces._end", "Places.delete", "Registry.remove"]


def run(url: str, action: str, place: str, moment: str) -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT, url, action, place, moment], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def left(folder: Path) -> list[str]:
    """What there is of workspaces on disk."""
    found = folder / "show-workspaces"
    return sorted(each.name for each in found.iterdir()) if found.is_dir() else []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", ADDING)
def test_an_addition_that_is_killed_is_done_or_not(tmp_path: Path, place: str, moment: str) -> None:
    """Afterwards the workspace opens, or there is none, nothing of it is on disk, and its name is free."""
    url = f"sqlite:///{tmp_path}/show.db"
    Service.open(url, {"name": "tiny", "types": {"Dot": {}}}).close()
    run(url, "add", place, moment)
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
            assert left(tmp_path) == []
            main.workspaces.add("lab", {"name": "tiny", "types": {"Dot": {}}})
            assert len(left(tmp_path)) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", DROPPING)
def test_a_drop_that_is_killed_is_done_or_not(tmp_path: Path, place: str, moment: str) -> None:
    """Afterwards the workspace is whole, or gone, and nothing of it is on disk."""
    url = f"sqlite:///{tmp_path}/show.db"
    with Service.open(url, {"name": "tiny", "types": {"Dot": {}}}) as main:
        assert main.workspaces is not None
        main.workspaces.add("lab", {"name": "tiny", "types": {"Dot": {}}})
    run(url, "drop", place, moment)
    with Service.open(url) as main:
        assert main.workspaces is not None
        names = [each.name for each in main.workspaces.list()]
        if (place, moment) == ("Registry.move", "before"):
            assert names == ["lab"]
            assert main.workspaces.service("lab") is not None
        else:
            assert names == []
            assert left(tmp_path) == []
