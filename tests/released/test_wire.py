"""A released client works with the present server, and the present client with a released server, over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from exchanges import ADMIN_KEY
from releases import HERE, Release

import callsheet
from callsheet.server.process import serve

SEEN: dict[str, Any] = {
    "tasks": [["animation", 3600.5], ["lighting", 3600.5], ["once", 0.0], ["part 0", 0.0], ["part 1", 0.0]],
    "status": "In progress",
    "due": "2026-06-01",
    "custom": "2026-07-01",
    "metadata": {"$date": "just text", "machine": "ws-12"},
    "lazy": "sq010",
    "contexts": ["animation", "once"],
    "written": ["talked", 12.5, "2026-09-01", {"$date": "text"}],
    "conflict": [["Task", "talked"], "bid"],
    "refusals": ["QueryError", "NotFound"],
    "heard": [["callsheet.update", "heard"], ["studio.talk", "word"]],
    "files": [9, 9, "a picture of a dragon"],
}


@pytest.fixture
def code(release: Release, tmp_path: Path) -> dict[str, str]:
    """The environment in which `callsheet` is the release."""
    return release.environment(tmp_path / "code")


def seen_by(release: Release) -> dict[str, Any]:
    """What a talk with this release at one side shows; the first had no events and no files."""
    return SEEN if release.events else {name: SEEN[name] for name in SEEN if name not in ("heard", "files")}


def test_a_released_client_works_with_the_present_server(release: Release, code: Any, tmp_path: Path) -> None:
    """It reads, commits, gets the conflict, is refused, hears events and moves files, as on its own server."""
    with serve("production", release.studio(tmp_path), admin_key=ADMIN_KEY, files=release.files(tmp_path)) as server:
        found = talk(code, server.url)
    assert (found.pop("version"), found.pop("server")) == (release.version, callsheet.__version__)
    assert found == seen_by(release)


def test_the_present_client_works_with_a_released_server(release: Release, code: Any, tmp_path: Path) -> None:
    """The same talk, from this side."""
    with released_server(release, code, tmp_path) as url:
        found = talk({**code, "PYTHONPATH": str(Path(callsheet.__file__).parents[1])}, url, str(release.events))
    assert (found.pop("version"), found.pop("server")) == (callsheet.__version__, release.version)
    assert found == seen_by(release)


def talk(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    """What ``talker.py`` saw as a client, in a process with this environment."""
    command = [sys.executable, HERE / "talker.py", "client", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def released_server(release: Release, environment: dict[str, str], folder: Path) -> Iterator[str]:
    """The URL of a server of the release, in a process of its own, on its database."""
    database, files = release.studio(folder), str(release.files(folder))
    command = [sys.executable, HERE / "talker.py", "serve", database, files, ADMIN_KEY]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield url
        child.communicate()
    assert child.returncode == 0
