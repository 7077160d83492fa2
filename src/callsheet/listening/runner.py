"""A listener: the handlers of some plugin files at work, until it is told to stop.

Everything that must survive is on the server: which events a handler still has to do, and which it has done. So a
listener may be killed at any moment and started again, and any number of them may run the same plugins: each gets
the events that no other has a lease on. What plugins subscribe to on the session's hub is heard here as well, while
it runs and by each listener: that is not kept anywhere.

A thread that hangs can only be ended with its process. So where a listener can be started anew (``restarts``), `run`
returns when a handler hangs: all others end what they have begun, for `DRAIN` seconds at most, and `hung` says which
handlers are why, for the listener that follows (``restart.py``).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Event as Flag
from threading import Lock
from typing import Any
from uuid import uuid4

from attrs import evolve

from callsheet.errors import CallsheetError, UsageError, WrongThread
from callsheet.listening.declaration import Declared, Handler
from callsheet.listening.doorbell import Doorbell
from callsheet.listening.schedule import Schedule
from callsheet.listening.shelf import Shelf
from callsheet.listening.state import StateFile
from callsheet.listening.station import Pace, Station
from callsheet.listening.work import WorkQueue
from callsheet.session.blocking import Session

__all__ = ["Runner", "worker_name"]

LOOK = 0.5
"""Seconds between two looks at the plugin files."""
PATIENCE = 30.0
"""Seconds between two attempts to connect the hub."""
STOP_SECONDS = 3.5
DRAIN = 30.0
STUCK = "stuck: its last attempt did not end in its time; `callsheet events list` says which event, `show` where it was"

log = logging.getLogger("callsheet.listening")


def worker_name() -> str:
    """A name for this process that no other has had."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid4().hex[:12]}"


class Runner:
    """Runs the handlers of a shelf. ``run`` returns after ``stop``, which any thread or signal may call.

    ``session`` is what handlers work with; the queues are on its server, or in a ``state`` file. ``restarts`` says
    that whoever runs it starts another when a handler hangs, ``timeouts`` how many attempts of which handlers were
    given up before.
    """

    def __init__(
        self,
        session: Session,
        shelf: Shelf,
        state: StateFile | None = None,
        pace: Pace | None = None,
        lease: float = 30.0,
        stop_seconds: float = STOP_SECONDS,
        restarts: bool = False,
        timeouts: Mapping[str, int] | None = None,
    ) -> None:
        self.session, self.shelf, self.pace = session, shelf, pace or Pace()
        self.state = state
        name = worker_name()
        self.queue = WorkQueue(session, name, lease) if state is None else state.queue(name, lease)
        self.stations: dict[str, Station] = {}
        self.restarts, self.timeouts = restarts, dict(timeouts or {})
        #: Attempts given up, by handler, when `run` returned since one hangs.
        self.hung: dict[str, int] = {}
        self._stopping, self._stop_seconds = Flag(), stop_seconds
        self._status: tuple[float, dict[str, dict[str, Any]]] = (0.0, {})
        self._asking = Lock()
        self._doorbell = Doorbell(self.queue.session, self.wake, self.queue.worker)
        self.problem = ""
        self._hear_at, self.deaf = 0.0, ""
        self._looked = False

    def run(self) -> bool:
        """Work until stopped; whether everything that was begun came to its end in time."""
        self.session.open()
        self.queue.session.open()
        self.shelf.schema = self.session.schema
        if not self.queue.session.features.handlers:
            raise UsageError(
                "this server keeps no queues of handlers; keep them in a file beside the listener: --state FILE"
            )
        try:
            while not self._stopping.is_set():
                if self.shelf.refresh():
                    self._arrange()
                elif not self._looked and not self.shelf.problems:
                    places = ", ".join(map(str, self.shelf.paths))
                    log.warning("no file in %s marks a handler with `@callsheet.handler(…)`; waiting for one", places)
                self._looked = True
                self._hear()
                for station in self.stations.values():
                    station.give_up_late()
                if self.restarts and any(station.hangs for station in self.stations.values()):
                    self._begin_anew()
                    break
                self._stopping.wait(LOOK)
        finally:
            ended = self._end()
        return ended

    def stop(self) -> None:
        """Finish what was begun, and end `run`."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def wake(self) -> None:
        """Something happened: look for it now."""
        for station in list(self.stations.values()):
            station.wake()

    def _arrange(self) -> None:
        """A station for each handler of the shelf, with its newest code."""
        wanted = self.shelf.handlers
        for name in [name for name in self.stations if name not in wanted]:
            log.info("%s: is no longer in any file; stops", name, extra={"facts": {"handler": name}})
            self.stations.pop(name).stop(time.monotonic() + self._stop_seconds)
        for name, handler in wanted.items():
            station = self.stations.get(name)
            if station is None:
                self._begin(handler)
            elif station.handler is not handler:
                self._replace(station, handler)
        expressions = sorted({each.expression for each in wanted.values() if isinstance(each, Handler)})
        if self.state is not None:
            self.state.follow(self.session, expressions)
        self._doorbell.listen_for(expressions)

    def _begin(self, handler: Declared) -> None:
        """Put a handler, or a schedule, to work. Ticks are done one after the other, so one thread is enough."""
        pace = evolve(self.pace, workers=1) if isinstance(handler, Schedule) else self.pace
        given_up = self.timeouts.pop(handler.name, 0)
        self.stations[handler.name] = Station(handler, self.session, self.queue, pace, given_up)
        self.stations[handler.name].start()
        _note_due(handler)

    def _replace(self, station: Station, handler: Declared) -> None:
        if type(station.handler) is type(handler):
            station.replace(handler)
            _note_due(handler)
            return
        self.stations.pop(handler.name).stop(time.monotonic() + self._stop_seconds)
        self._begin(handler)

    def _hear(self) -> None:
        """Call what plugins subscribed on the session's hub, in a thread of its own, which has the session then."""
        hub = self.session.event_hub
        if hub.listening or not hub.asks_server or time.monotonic() < self._hear_at:
            return
        try:
            hub.connect(timeout=2.0)
        except CallsheetError as error:
            self._hear_at, self.deaf = time.monotonic() + PATIENCE, str(error)
            log.warning("the server's events are not heard: %s", error, extra={"facts": {"error": str(error)}})
            return
        self.deaf = ""
        with suppress(WrongThread):
            # One that was opened elsewhere stays with the thread it was opened in.
            self.session.hand_over()
        hub.start()

    def _begin_anew(self) -> None:
        """Let all that does not hang come to its end, for another listener is to follow."""
        stations = list(self.stations.values())
        names = ", ".join(station.handler.name for station in stations if station.hangs)
        log.error("%s: does not end; the listener ends what else is being handled, and starts anew", names)
        for station in stations:
            station.begin_stop()
        end = time.monotonic() + DRAIN
        while not self.stopping and any(station.busy for station in stations) and time.monotonic() < end:
            for station in stations:
                with suppress(CallsheetError):
                    station.renew()
            self._stopping.wait(0.05)
        if not self.stopping:
            counted = {name: station.metrics.timeouts for name, station in self.stations.items() if station.stuck}
            self.hung = self.timeouts | counted

    def _end(self) -> bool:
        self._doorbell.close()
        self.session.event_hub.stop(1.0)
        self.session.event_hub.disconnect()
        stations = list(self.stations.values())
        for station in stations:
            station.begin_stop()
        until = time.monotonic() + self._stop_seconds
        ended = [station.stop(until) for station in stations]
        return all(ended)

    # -- how it does -----------------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """How every handler does, here and on the server."""
        server = self._server_status()
        handlers = [self._told(name, station, server.get(name, {})) for name, station in sorted(self.stations.items())]
        problems = dict(self.shelf.problems)
        if self.problem:
            problems["server"] = self.problem
        if self.deaf:
            problems["hub"] = self.deaf
        problems |= {f"handler {name}": STUCK for name, station in list(self.stations.items()) if station.stuck}
        state = "stopping" if self.stopping else "degraded" if problems else "ok"
        return {"status": state, "worker": self.queue.worker, "handlers": handlers, "problems": problems}

    def _told(self, name: str, station: Station, server: dict[str, Any]) -> dict[str, Any]:
        told = {"name": name, "file": station.handler.file, "busy": station.busy, "claimed": station.claimed}
        told |= {"stuck": int(station.stuck), **station.metrics.told()}
        position = station.metrics.last_position
        told["last_commit"] = None if position is None else position.commit
        if isinstance(station.handler, Schedule):
            due = station.handler.next_due()
            told["next_due"] = None if due is None else due.isoformat()
        if server:
            told |= {key: server[key] for key in ("behind", "waiting_seconds") if key in server}
            told |= {"queued": server["ready"] + server["leased"], "dead_letters": server["dead"]}
        return told

    def _server_status(self) -> dict[str, dict[str, Any]]:
        """What the server says, at most once a second."""
        with self._asking:
            asked, known = self._status
            if time.monotonic() - asked < 1.0:
                return known
            try:
                known = {each["handler"]: each for each in self.queue.status()}
                known |= {each["schedule"]: each for each in self.queue.schedules()}
                self.problem = ""
            except CallsheetError as error:
                known, self.problem = {}, str(error)
            self._status = (time.monotonic(), known)
            return known


def _note_due(declared: Declared) -> None:
    """Write to the log when a schedule is due."""
    if isinstance(declared, Schedule):
        due = declared.next_due()
        facts = {"schedule": declared.name, "next_due": None if due is None else due.isoformat()}
        told = "never" if due is None else f"{due:%Y-%m-%d %H:%M %Z}"
        log.info(
            "%s: %s in %s, next %s", declared.name, declared.expression, declared.zone, told, extra={"facts": facts}
        )
