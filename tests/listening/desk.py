"""A small server in this process, plugin files, and listeners on them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

from callsheet.listening.runner import Runner
from callsheet.listening.shelf import Shelf
from callsheet.listening.station import Pace
from callsheet.server.service import Service
from callsheet.session.blocking import Session
from callsheet.session.connection import over

DOCUMENT: dict[str, Any] = {
    "name": "desk",
    "types": {
        "Shot": {"attributes": {"name": {"type": "string"}, "count": {"type": "integer", "default": 0}}},
        "Note": {"attributes": {"text": {"type": "string"}, "shot": {"type": "reference", "target": "Shot"}}},
    },
}
SHOTS = "topic=callsheet.update and entity.type=Shot"


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What the condition gives as soon as it is true; an error where it never is."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
    return found


class Desk:
    """A service, a folder of plugins, and what runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: How far the server's clock is ahead of this machine's.
        self.ahead = timedelta()
        self.service = Service.open("memory:", DOCUMENT, clock=lambda: datetime.now(UTC) + self.ahead)
        self.sessions: list[Session] = []
        self.runners: list[tuple[Runner, threading.Thread]] = []
        self.session = self.connect()
        #: Whether listeners end when a handler hangs, for others to follow.
        self.restarts = False

    def connect(self) -> Session:
        session = Session(connection=over(self.service.backend("admin")), plugin_paths=False)
        session.open()
        self.sessions.append(session)
        return session

    def plugin(self, text: str, name: str = "plugin.py") -> Path:
        """Write a plugin file."""
        path = self.folder / name
        path.write_text("import callsheet\n" + dedent(text))
        return path

    def runner(self, workers: int = 4, lease: float = 30.0, stop_seconds: float = 4.5) -> Runner:
        """A listener on the plugins, not started."""
        pace = Pace(workers, poll=0.05)
        return Runner(self.connect(), Shelf([self.folder]), None, pace, lease, stop_seconds, self.restarts)

    def listen(self, workers: int = 4, lease: float = 30.0, stop_seconds: float = 4.5) -> Runner:
        """A listener at work; its handlers are known to the server when this returns."""
        runner = self.runner(workers, lease, stop_seconds)
        thread = threading.Thread(target=runner.run, daemon=True)
        thread.start()
        self.runners.append((runner, thread))
        until(lambda: runner.stations and set(runner.stations) <= self.known())
        return runner

    def shots(self, *names: str) -> list[Any]:
        """New shots, in one commit."""
        found = [self.session.create("Shot", {"name": name}) for name in names]
        self.session.commit()
        return found

    def notes(self) -> list[str]:
        """The texts of all notes, sorted."""
        with self.session.fork() as fork:
            return sorted(note["text"] for note in fork.query("select text from Note").all())

    def status(self) -> list[dict[str, Any]]:
        with self.session.fork() as fork:
            return list(fork.call("handlers.status"))

    def schedules(self) -> list[dict[str, Any]]:
        with self.session.fork() as fork:
            return list(fork.call("handlers.schedules"))

    def known(self) -> set[str]:
        """The handlers and schedules that the server knows."""
        return {each["handler"] for each in self.status()} | {each["schedule"] for each in self.schedules()}

    def dead(self) -> list[dict[str, Any]]:
        return self.deliveries(state="dead")

    def deliveries(self, **wanted: Any) -> list[dict[str, Any]]:
        """What is in the queues."""
        with self.session.fork() as fork:
            return list(fork.call("handlers.deliveries", **wanted))

    def idle(self) -> bool:
        """Whether every handler has handled all there is."""
        return all(each["behind"] == each["ready"] == each["leased"] == 0 for each in self.status())

    def close(self) -> None:
        for runner, thread in self.runners:
            runner.stop()
            thread.join(30)
        for session in self.sessions:
            session.close()
        self.service.close()
