"""The tutorial of handlers, done step by step: written, run, killed, broken, repaired, replayed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.docs.test_docs import DOCS, blocks

import callsheet

MAIN = "from callsheet.cli import main; main()"
EXAMPLES = [block.text for block in blocks(DOCS / "tutorial" / "first-handler.md") if block.kind == "python"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[callsheet.Server]:
    with callsheet.serve(seed=True) as running:
        monkeypatch.setenv("CALLSHEET_SERVER", running.url)
        monkeypatch.setenv("CALLSHEET_API_USER", "admin")
        monkeypatch.setenv("CALLSHEET_API_KEY", str(running.admin_key))
        yield running


def run(*arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *arguments], env=os.environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def listening(folder: Path) -> Iterator[None]:
    """The listener in its terminal; it ends as by ``kill -9``."""
    command = [sys.executable, "-c", MAIN, "listen", "--plugins", str(folder)]
    with (folder.parent / "log").open("a") as output:
        listener = subprocess.Popen(command, env=os.environ, stderr=output)
    try:
        yield
    finally:
        listener.kill()
        listener.wait()


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 90
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)
    return found


def test_the_tutorial_of_handlers_works(server: callsheet.Server, tmp_path: Path) -> None:
    """Each step comes out as the page says; only the delay between attempts is shortened."""
    written, finished, _ = EXAMPLES
    written = written.replace('name="roll-up"', 'name="roll-up", delay=0.01')
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    plugin = plugins / "roll_up.py"
    plugin.write_text(written)
    names: dict[str, Any] = {}

    with listening(plugins):
        until(lambda: "roll-up" in run("events", "list"))
        exec(finished, names)
        session, shot, task = names["session"], names["shot"], names["task"]

        def status() -> str | None:
            session.refresh(shot)
            return shot["status"] and str(shot["status"]["name"])

        until(lambda: status() == "Done")

    # Killed; what happens meanwhile is handled afterwards.
    shot["status"] = None
    task["status"] = None
    session.commit()
    task["status"] = names["done"]
    session.commit()
    with listening(plugins):
        until(lambda: status() == "Done")

        head = "def roll_up(event, session):\n"
        plugin.write_text(written.replace(head, head + '    raise ValueError("no such luck")\n'))
        time.sleep(2)
        task["status"] = None
        session.commit()
        (dead,) = until(lambda: session.call("handlers.deliveries", state="dead"))
        event = dead["event"]["id"]
        assert dead["attempt"] == 6
        assert event in run("events", "list")
        assert 'raise ValueError("no such luck")' in run("events", "show", event)

        plugin.write_text(written)
        time.sleep(2)
        assert run("events", "replay", event) == "1 given back\n"
        until(lambda: not session.call("handlers.deliveries"))
        assert "No dead letters." in run("events", "list")
    session.close()
