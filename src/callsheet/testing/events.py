"""Durable handlers in tests: the code of ``callsheet listen``, one event at a time, in the test's own thread.

The handlers are on a queue of the test's server, get a session of their own, and have their changes committed with
the checkpoint. Only who calls them is another: nothing happens until the test says so.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve

from callsheet.entity.entity import Entity
from callsheet.errors import UsageError
from callsheet.events.checking import check_event
from callsheet.listening.attempt import Outcome, attempt
from callsheet.listening.declaration import Declared, Handler, handlers_of
from callsheet.listening.schedule import Schedule
from callsheet.listening.shelf import load_handlers
from callsheet.listening.work import Claimed, WorkQueue
from callsheet.model.event import Event, Position, event_from_plain
from callsheet.model.language.events import event_matches, parse_expression
from callsheet.model.values import unpack
from callsheet.testing import session_on

__all__ = ["FakeEvents", "HandlerFailed"]

TICK = "callsheet.tick"
"""The topic of ticks in the queue."""
MADE_UP = 1_000_000_000
"""Places in the log where no commit has events."""


class HandlerFailed(AssertionError):
    """A handler raised, or its commit was refused; the message is the traceback."""


class FakeEvents:
    """Runs handlers: ``load`` or ``add`` them, then ``emit`` events, or let some happen and ``run``.

    Schedules are loaded and added like handlers; ``tick`` has one done.
    Handlers have an account of their own where ``user`` says so. Where a handler fails, `HandlerFailed` is raised,
    unless ``check=False`` is said: then what became of each event is in the answer.
    """

    def __init__(self, service: Any, user: str = "admin") -> None:
        self._service, self._user = service, user
        self.session = session_on(service, user)
        self.session.open()
        self._queue = WorkQueue(self.session, "test")
        self._made_up = MADE_UP
        self.handlers: dict[str, Handler] = {}
        self.schedules: dict[str, Schedule] = {}

    def close(self) -> None:
        """End the handlers' session; the server stays."""
        self.session.close()

    def load(self, path: str | Path) -> list[str]:
        """Use the handlers and schedules of a plugin file; their names."""
        found = load_handlers(Path(path), allow_writable=True)
        if not found:
            raise UsageError(f"{path} marks no function with @callsheet.handler(…)")
        return self._use(found)

    def add(self, *functions: Callable[[Any, Any], Any]) -> list[str]:
        """Use functions that were marked with `callsheet.handler` or `callsheet.schedule`; their names."""
        found = [each for function in functions for each in handlers_of({"": function})]
        if len(found) < len(functions):
            raise UsageError("these are no handlers: mark each with @callsheet.handler(…)")
        return self._use(found)

    def _use(self, declared: Iterable[Declared]) -> list[str]:
        names = []
        for each in declared:
            each.check(self.session.schema)
            # What a listener waits for between two attempts, a test does not.
            prompt = evolve(each, delay=1e-6)
            if isinstance(prompt, Schedule):
                self.schedules[each.name] = prompt
                self._queue.claim_tick(prompt, [])
            else:
                self.handlers[each.name] = prompt
                self._queue.claim(prompt, 1)
            names.append(each.name)
        return names

    def emit(
        self,
        topic: str,
        *,
        entity: Any = None,
        changes: Mapping[str, Any] | None = None,
        action: str = "update",
        data: Mapping[str, Any] | None = None,
        check: bool = True,
    ) -> list[Outcome]:
        """Make up an event and have it handled by all whose expression is true of it.

        ``entity`` is an entity (or a mapping with ``type`` and ``id``), ``changes`` maps attributes to new values, or
        to ``(old, new)``; entities stand for references. ``data`` is what else the event holds. Nothing of it is
        written to the server: what handlers read there is what the test committed. Raises `UsageError` for what the
        server would never publish: another topic of Callsheet's, a type or an attribute that the schema lacks.
        """
        held = {**_about(entity, changes or {}, action, self.session.schema), **(data or {})}
        event = Event(topic, held, sent=datetime.now(UTC))
        check_event(event, self.session.schema)
        return self.deliver(event, check)

    def deliver(self, event: Event, check: bool = True) -> list[Outcome]:
        """Have an event handled, as `emit` does; a tick of a schedule is done, if the schedule is in use here."""
        if event.topic == TICK:
            name, due = event.data["schedule"], event.data["due"]
            return self.tick(name, due, check) if name in self.schedules else []
        found = [each for each in self.handlers.values() if event_matches(parse_expression(each.expression), event)]
        for handler in found:
            self._put(handler, event)
        return self._run(found, check)

    def replay(self, path: str | Path, check: bool = True) -> list[Outcome]:
        """Have recorded events handled: a file of ``callsheet events list --json``, one event a line."""
        outcomes: list[Outcome] = []
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            if line.strip():
                outcomes += self.deliver(event_from_plain(unpack(json.loads(line))), check)
        return outcomes

    def run(self, check: bool = True) -> list[Outcome]:
        """Handle all events since the handlers were loaded, and the events that these cause."""
        return self._run(list(self.handlers.values()), check)

    def tick(self, schedule: str, due: datetime | None = None, check: bool = True) -> list[Outcome]:
        """Run a schedule as if it was due at this moment, or now, whatever its expression."""
        from callsheet.server.queues.deliveries import Queue
        from callsheet.server.queues.schedules import tick

        declared, now = self.schedules[schedule], self._service.clock()
        event = tick(schedule, int((due or now).timestamp()))

        def put(connection: Any) -> None:
            queue = Queue(self._service.store, connection, self._user, schedule, now)
            row = queue.schedule(lock=True)
            assert row is not None
            queue.add_ticks([event], row.due)

        self._service.store.write(put)
        outcomes: list[Outcome] = []
        while claimed := self._queue.claim_tick(declared, []).claimed:
            outcomes += [self._attempt(declared, each, check) for each in claimed]
        return outcomes

    def _run(self, handlers: list[Handler], check: bool) -> list[Outcome]:
        outcomes: list[Outcome] = []
        working = True
        while working:
            working = False
            for handler in handlers:
                for claimed in self._queue.claim(handler, 100):
                    outcomes.append(self._attempt(handler, claimed, check))
                    working = True
        return outcomes

    def _attempt(self, declared: Declared, claimed: Claimed, check: bool) -> Outcome:
        with _interruptible():
            outcome = attempt(declared, claimed, self.session, self._queue)
        if check and outcome.kind != "handled":
            raise HandlerFailed(self._why(declared, claimed.event.id, outcome))
        return outcome

    def _why(self, handler: Declared, event_id: str, outcome: Outcome) -> str:
        found = self._queue.call("deliveries", handler=handler.name, event_id=event_id)
        reason = found[0]["traceback"] if found else outcome.error
        kind = "schedule" if isinstance(handler, Schedule) else "handler"
        return f"the {kind} `{handler.name}` failed:\n{reason}"

    def _put(self, handler: Handler, event: Event) -> None:
        """Put an event into the queue of a handler, as if it had been read from the log."""
        from callsheet.server.queues.deliveries import Queue
        from callsheet.server.queues.handlers import stream_of

        store, now = self._service.store, self._service.clock()
        self._made_up += 1

        def put(connection: Any) -> None:
            queue = Queue(store, connection, self._user, handler.name, now)
            row = queue.known(lock=True)
            assert row is not None
            there = evolve(event, position=Position(row.position, self._made_up))
            queue.add([(there, stream_of(store, event))], Position(row.position, row.event_index))

        store.write(put)


@contextmanager
def _interruptible() -> Iterator[None]:
    """A real Ctrl-C ends the test, although an attempt treats every exception as a failure of the handler."""
    known = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(known):
        yield
        return
    pressed = []

    def note(number: int, frame: Any) -> Any:
        pressed.append(number)
        return known(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, known)
    if pressed:
        raise KeyboardInterrupt


def _about(entity: Any, changes: Mapping[str, Any], action: str, schema: Any) -> dict[str, Any]:
    """The data of an event of a changed entity, in the server's form."""
    if entity is None:
        return {"changes": _changes(changes)} if changes else {}
    reference = _reference(entity)
    kind = reference["type"]
    ancestors = schema.types[kind].ancestors if kind in schema.types else ()
    return {
        "entity": {**reference, "types": [kind, *ancestors]},
        "action": action,
        "changes": _changes(changes),
        "added": {},
        "removed": {},
        "user": "admin",
        "commit_id": "",
        "origin": "test",
        "time": datetime.now(UTC),
        "entity_type": kind,
        "entity_id": reference["id"],
        "project_id": None,
        "version": getattr(entity, "_version", None) or 1,
    }


def _changes(changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for name, value in changes.items():
        old, new = value if isinstance(value, tuple) and len(value) == 2 else (None, value)
        found[name] = {"old": _reference(old), "new": _reference(new)}
    return found


def _reference(value: Any) -> Any:
    """An entity as events name it; any other value as it is."""
    return {"type": value.identity.entity_type, "id": value.identity.key} if isinstance(value, Entity) else value
