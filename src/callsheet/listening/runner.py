"""A listener runs the handlers of plugin files until it is stopped.

All state that must survive is on the server: the open and the handled events of each handler. So a listener may be
killed at any time and started again, and any number of listeners may run the same plugins: each gets the events that no
other one has leased. Subscriptions of plugins on the session's hub are served as well, in each running listener; these
events are not stored.

A hanging thread ends only with its process. So if a listener can be restarted (``restarts``), `run` returns when a
handler hangs: all others finish what they have begun, within `DRAIN` seconds, and `hung` has the hanging handlers, for
the next listener (``restart.py``).
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

POLL_SECONDS = 0.5
"""Seconds between two checks of the plugin files."""
PATIENCE = 30.0
"""Seconds between two attempts to connect the hub."""
STOP_SECONDS = 3.5
DRAIN = 30.0
STUCK = "stuck: its last attempt exceeded its timeout; `callsheet events list` has the event, `show` the traceback"

log = logging.getLogger("callsheet.listening")


def worker_name() -> str:
    """A unique name for this process."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid4().hex[:12]}"


class Runner:
    """Runs the handlers of a shelf. ``run`` returns after ``stop``, which any thread or signal may call.

    ``session`` is the session of the handlers; the queues are on its server, or in a ``state`` file. With ``restarts``,
    the caller starts another runner when a handler hangs; ``timeouts`` are the attempts given up before, by handler.
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
        #: Attempts given up, by handler, if `run` returned because a handler hangs.
        self.hung: dict[str, int] = {}
        self._stopping, self._stop_seconds = Flag(), stop_seconds
        self._status: tuple[float, dict[str, dict[str, Any]]] = (0.0, {})
        self._status_lock = Lock()
        self._doorbell = Doorbell(self.queue.session, self.wake, self.queue.worker)
        self.problem = ""
        self._connect_at, self.hub_problem = 0.0, ""
        self._looked = False
        #: Whether the session of the queues is open: until then, only the thread of `run` uses it.
        self._open = False

    def run(self) -> bool:
        """Run until `stop`; returns whether all running attempts ended in time."""
        self.session.open()
        self.queue.session.open()
        self._open = True
        if self.state is not None:
            self.state.belong_to(self.session)
        self.shelf.schema = self.session.schema
        if not self.queue.session.features.handlers:
            raise UsageError("this server has no queues of handlers; keep them in a local file: --state FILE")
        try:
            while not self._stopping.is_set():
                if self.shelf.refresh():
                    self._arrange()
                elif not self._looked and not self.shelf.problems:
                    places = ", ".join(map(str, self.shelf.paths))
                    log.warning("no file in %s marks a handler with `@callsheet.handler(…)`; waiting for one", places)
                self._looked = True
                self._serve_hub()
                for station in self.stations.values():
                    station.give_up_late()
                if self.restarts and any(station.hangs for station in self.stations.values()):
                    self._begin_anew()
                    break
                self._stopping.wait(POLL_SECONDS)
        finally:
            ended = self._end()
        return ended

    def stop(self) -> None:
        """Finish running attempts, and end `run`."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def wake(self) -> None:
        """Make all handlers look for events now."""
        for station in list(self.stations.values()):
            station.wake()

    def _arrange(self) -> None:
        """Create, update and stop stations, so that each handler of the shelf runs with its newest code."""
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
        """Start a handler or a schedule. Ticks are handled one after the other, so a schedule needs one thread."""
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

    def _serve_hub(self) -> None:
        """Serve the plugins' subscriptions on the session's hub in a thread, which then owns the session."""
        hub = self.session.event_hub
        if hub.listening or not hub.asks_server or time.monotonic() < self._connect_at:
            return
        try:
            hub.connect(timeout=2.0)
        except CallsheetError as error:
            self._connect_at, self.hub_problem = time.monotonic() + PATIENCE, str(error)
            log.warning("cannot receive the server's events: %s", error, extra={"facts": {"error": str(error)}})
            return
        self.hub_problem = ""
        with suppress(WrongThread):
            # A session that was opened in another thread stays with that thread.
            self.session.hand_over()
        hub.start()

    def _begin_anew(self) -> None:
        """Let all attempts that do not hang finish, before another listener starts."""
        stations = list(self.stations.values())
        names = ", ".join(station.handler.name for station in stations if station.hangs)
        log.error("%s: does not end; the listener finishes the other attempts, and restarts", names)
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

    # -- health ----------------------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """The state of every handler, in this process and on the server."""
        server = self._server_status()
        stations = sorted(self.stations.items())
        handlers = [self._handler_health(name, station, server.get(name, {})) for name, station in stations]
        problems = dict(self.shelf.problems)
        if self.problem:
            problems["server"] = self.problem
        if self.hub_problem:
            problems["hub"] = self.hub_problem
        problems |= {f"handler {name}": STUCK for name, station in list(self.stations.items()) if station.stuck}
        state = "stopping" if self.stopping else "degraded" if problems else "ok"
        return {"status": state, "worker": self.queue.worker, "handlers": handlers, "problems": problems}

    def _handler_health(self, name: str, station: Station, server: dict[str, Any]) -> dict[str, Any]:
        health = {"name": name, "file": station.handler.file, "busy": station.busy, "claimed": station.claimed}
        health |= {"stuck": int(station.stuck), **station.metrics.plain()}
        position = station.metrics.last_position
        health["last_commit"] = None if position is None else position.commit
        if isinstance(station.handler, Schedule):
            due = station.handler.next_due()
            health["next_due"] = None if due is None else due.isoformat()
        if server:
            health |= {key: server[key] for key in ("behind", "waiting_seconds") if key in server}
            health |= {"queued": server["ready"] + server["leased"], "dead_letters": server["dead"]}
        return health

    def _server_status(self) -> dict[str, dict[str, Any]]:
        """The server's state of the handlers, read at most once a second."""
        if not self._open:
            return {}
        with self._status_lock:
            read_at, known = self._status
            if time.monotonic() - read_at < 1.0:
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
    """Log when a schedule is due next."""
    if isinstance(declared, Schedule):
        due = declared.next_due()
        facts = {"schedule": declared.name, "next_due": None if due is None else due.isoformat()}
        text = "never" if due is None else f"{due:%Y-%m-%d %H:%M %Z}"
        log.info(
            "%s: %s in %s, next %s", declared.name, declared.expression, declared.zone, text, extra={"facts": facts}
        )
