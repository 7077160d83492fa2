"""Listening to a server's events: connect, read, deliver, and reconnect at the last position.

How to use it. A transport makes a listener: ``transport.listen(open_stream, deliver, on_state, after=…)`` returns a
`Listener`, whose thread begins with ``start()`` and ends with ``stop()``; ``alisten(…)`` returns an `AsyncListener`,
which runs the same listener in a worker thread for a task, under asyncio or trio: ``await run()`` ends when the task is
cancelled or after ``stop()``. ``LocalTransport`` has both.

- ``open_stream(position)`` returns a new `EventStream` for the events after a position (None: from now on); it is
  called for each attempt. A dialect's ``events`` bound to expressions and subscriber is one.
- ``deliver(events)`` gets events in order, each once, if they have positions. While it runs, nothing more is read, so
  that a slow one delays only itself. (`AsyncListener` awaits it.) It must not raise.
- ``on_state(State)`` is called with ``connected``, ``disconnected`` (with the error, if any; another attempt follows)
  and ``failed``: the server refused (a key, a right, an expression), and no other attempt follows.
- ``resubscribe()`` opens a new stream at once, from the position of the old one.
- ``position`` is after all delivered events; ``connected`` is whether there is a connection now.

Theory. A listener keeps a position and requests the events after it, so nothing is lost between two connections, and
repeated events are recognised by their position. A server that sends nothing for ``keep_alive`` seconds, not even a
keep-alive, is considered gone. Waits between attempts grow and are random (``retry.py``); the attempts never end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias

from attrs import frozen

from callsheet.dialects.protocol import EventStream
from callsheet.errors import Disconnected, Timeout, Unavailable
from callsheet.model.event import Event, Position
from callsheet.transport.pumps import EventConnection, Listening, OpenStream, connected
from callsheet.transport.retry import RetryPolicy

__all__ = [
    "AsyncListener",
    "EventConnection",
    "Deliver",
    "DeliverAsync",
    "Listener",
    "Listening",
    "OnState",
    "OpenStream",
    "State",
]

STEADY = 5.0
"""After a connection of at least so many seconds, the next wait is short again."""
REMEMBERED = 1_000

Deliver: TypeAlias = Callable[[Sequence[Event]], None]
DeliverAsync: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]


@frozen
class State:
    """The state of the connection. ``error`` is the reason why there is none."""

    kind: Literal["connected", "disconnected", "failed"]
    error: Exception | None = None


OnState: TypeAlias = Callable[[State], None]


class ListenProgress:
    """The position of a listener, and its waits, without input or output.

    >>> course = ListenProgress(Position(4, 0), RetryPolicy(first=1.0, longest=30.0), lambda: 1.0)
    >>> [event.position.index for event in course.fresh([Event("x", position=Position(4, n)) for n in range(3)])]
    [1, 2]
    >>> course.wait(0.0, None), course.wait(0.0, None), course.wait(60.0, None)
    (1.0, 2.0, 1.0)
    """

    def __init__(self, after: Position | None, policy: RetryPolicy, random: Callable[[], float]) -> None:
        self.position = after
        self._policy, self._random = policy, random
        self._failures = 0
        self._seen: dict[str, None] = {}

    def fresh(self, events: Sequence[Event]) -> list[Event]:
        """The events that were not delivered before."""
        found = []
        reached = self.position
        for event in events:
            if event.position is None:
                known = event.id in self._seen
                self._seen[event.id] = None
            else:
                known = reached is not None and event.position <= reached
                reached = reached if known else event.position
            if not known:
                found.append(event)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return found

    def delivered(self, events: Sequence[Event], stream: EventStream) -> None:
        """These were delivered: the next connection begins after them, or at the stream's own position."""
        places = [event.position for event in events if event.position is not None]
        reached = getattr(stream, "position", None)
        places += [place for place in (self.position, reached) if place is not None]
        self.position = max(places, default=None)

    def wait(self, lasted: float, error: Exception | None) -> float:
        """The seconds until the next attempt, after a connection that lasted ``lasted`` seconds."""
        if lasted >= STEADY:
            self._failures = 0
        longest = min(self._policy.longest, self._policy.first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        least = error.retry_after if isinstance(error, Unavailable) and error.retry_after is not None else 0.0
        return least + self._random() * longest


def has_begun(stream: EventStream) -> bool:
    """Whether the stream's first position is known: for a stream from now on, the server sends it.

    A stream whose events have no positions has an attribute ``begun``.
    """
    begun: bool | None = getattr(stream, "begun", None)
    return getattr(stream, "position", "nowhere") is not None if begun is None else begun


def is_final(error: Exception) -> bool:
    """Whether another attempt would fail again: true except for timeouts, lost connections and unavailable servers."""
    return not isinstance(error, Disconnected | Timeout | Unavailable)


class Listener:
    """Listens in a thread of its own."""

    def __init__(self, listening: Listening, deliver: Deliver, on_state: OnState) -> None:
        self._listening, self._deliver, self._on_state = listening, deliver, on_state
        self._progress = ListenProgress(listening.after, listening.policy, listening.random)
        self._lock = threading.Lock()
        self._connection: EventConnection | None = None
        self._thread: threading.Thread | None = None
        self._stopped, self._hurry = threading.Event(), threading.Event()
        self.connected = False

    @property
    def position(self) -> Position | None:
        """The position after all delivered events."""
        return self._progress.position

    def start(self) -> None:
        """Start the thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="callsheet-listener", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 1.0) -> bool:
        """Stop; returns whether the thread ended within ``timeout`` seconds. A running delivery is completed."""
        self._stopped.set()
        self._interrupt()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def resubscribe(self) -> None:
        """Open another stream at once, from the position of this one."""
        self._interrupt()

    def _interrupt(self) -> None:
        with self._lock:
            self._hurry.set()
            connection = self._connection
        if connection is not None:
            connection.interrupt()

    def run(self) -> None:
        """Listen in this thread until `stop`, or until the server refuses."""
        while not self._stopped.is_set():
            self._hurry.clear()
            begun = time.monotonic()
            error = self._listen_once()
            if self._stopped.is_set():
                break
            if self._hurry.is_set():
                continue
            if error is not None and is_final(error):
                self._set_state(State("failed", error))
                return
            wait = self._progress.wait(time.monotonic() - begun, error)
            self._set_state(State("disconnected", error))
            self._hurry.wait(wait)
        self._set_state(State("disconnected"))

    def _listen_once(self) -> Exception | None:
        """Connect and deliver until the connection ends; returns its error."""
        connection: EventConnection | None = None
        try:
            stream = self._listening.open_stream(self._progress.position)
            connection = connected(self._listening, stream)
            with self._lock:
                self._connection = connection
            if self._hurry.is_set():
                return None
            self._pump(connection, stream)
        except Exception as error:
            return error
        finally:
            with self._lock:
                self._connection = None
            if connection is not None:
                connection.close()
        return None

    def _pump(self, connection: EventConnection, stream: EventStream) -> None:
        reported = False
        while not self._stopped.is_set():
            if not reported and has_begun(stream):
                reported = True
                self._progress.delivered((), stream)
                self._set_state(State("connected"))
            received = connection.receive()
            # After `resubscribe`, events must come from the new stream: this one has the old expressions.
            if received is None or (reported and self._hurry.is_set()):
                return
            if events := self._progress.fresh(received):
                self._deliver(events)
            self._progress.delivered(events, stream)

    def _set_state(self, state: State) -> None:
        self.connected = state.kind == "connected"
        self._on_state(state)


class AsyncListener:
    """A `Listener` for a task: it listens in a worker thread, and deliveries are awaited in the task's loop."""

    def __init__(self, listening: Listening, deliver: DeliverAsync, on_state: OnState) -> None:
        self._deliver, self._on_state = deliver, on_state
        self._listener = Listener(listening, self._hand_over, self._report)
        self._delivery: Any = None

    @property
    def position(self) -> Position | None:
        """The position after all delivered events."""
        return self._listener.position

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._listener.connected

    def stop(self) -> None:
        """Make `run` return soon."""
        self._listener.stop()

    def resubscribe(self) -> None:
        """Open another stream at once, from the position of this one."""
        self._listener.resubscribe()

    async def run(self) -> None:
        """Listen until `stop`, until it is cancelled, or until the server refuses."""
        from anyio import CapacityLimiter, create_task_group, sleep_forever, to_thread

        async def stop_when_cancelled() -> None:
            try:
                await sleep_forever()
            finally:
                self._listener.stop()
                if self._delivery is not None:
                    self._delivery.cancel()

        async with create_task_group() as group:
            group.start_soon(stop_when_cancelled)
            await to_thread.run_sync(self._listener.run, limiter=CapacityLimiter(1))
            group.cancel_scope.cancel()

    def _hand_over(self, events: Sequence[Event]) -> None:
        """Deliver in the task's loop; the thread waits for it, and reads nothing more."""
        from anyio import from_thread

        from_thread.run(self._awaited, events)

    async def _awaited(self, events: Sequence[Event]) -> None:
        from anyio import CancelScope

        with CancelScope() as self._delivery:
            await self._deliver(events)
        self._delivery = None

    def _report(self, state: State) -> None:
        from anyio import from_thread

        # The last state of a cancelled task is not needed: its loop may be closed.
        with suppress(RuntimeError):
            from_thread.run_sync(self._on_state, state)
