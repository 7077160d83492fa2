"""Listening to a server's events: connect, read, deliver, and begin again where it ended.

How to use it. A transport makes a listener: ``transport.listen(open_stream, deliver, on_state, after=…)`` gives a
`Listener`, whose thread begins with ``start()`` and ends with ``stop()``; ``alisten(…)`` gives an
`AsyncListener`, which runs the same listener in a worker thread for a task, under asyncio or trio: ``await run()`` ends
when the task is cancelled or after ``stop()``. ``LocalTransport`` has both.

- ``open_stream(position)`` gives a new `EventStream` for the events after a position (None: from now on); it is
  called for each attempt. A dialect's ``events`` bound to expressions and subscriber is one.
- ``deliver(events)`` is given events in order, each once, as long as they have positions. While it works nothing more
  is read, so that a slow one delays only itself. (``await``-ed by `AsyncListener`.) It must not raise.
- ``on_state(State)`` is called with ``connected``, ``disconnected`` (with the error, if any; another attempt is made)
  and ``failed``: the server refused (a key, a right, an expression), no other attempt is made.
- ``resubscribe()`` has a new stream opened at once, from the position where the old one was.
- ``position`` is behind everything that was delivered; ``connected`` says whether there is a connection now.

Theory. Who listens keeps a position and asks for what comes after it, so nothing is lost between two connections, and
what is told twice is recognised by its position. A server that tells nothing for ``keep_alive`` seconds, not even that
it lives, is taken for gone. Waits between attempts grow and are random (``retry.py``); there is no last attempt.
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
"""Seconds that a connection must have lasted for the next wait to be short again."""
REMEMBERED = 1_000

Deliver: TypeAlias = Callable[[Sequence[Event]], None]
DeliverAsync: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]


@frozen
class State:
    """What became of the connection. ``error`` says why it is not there."""

    kind: Literal["connected", "disconnected", "failed"]
    error: Exception | None = None


OnState: TypeAlias = Callable[[State], None]


class ListenProgress:
    """Where a listener is, and how long it waits: what both kinds agree on. It does nothing itself.

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
        """Those that have not been here before."""
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
        """These were delivered: the next connection begins behind them, or where the stream says that it is."""
        places = [event.position for event in events if event.position is not None]
        told = getattr(stream, "position", None)
        places += [place for place in (self.position, told) if place is not None]
        self.position = max(places, default=None)

    def wait(self, lasted: float, error: Exception | None) -> float:
        """The seconds until the next attempt, after a connection that lasted so long."""
        if lasted >= STEADY:
            self._failures = 0
        longest = min(self._policy.longest, self._policy.first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        asked = error.retry_after if isinstance(error, Unavailable) and error.retry_after is not None else 0.0
        return asked + self._random() * longest


def has_begun(stream: EventStream) -> bool:
    """Whether it is known where the stream begins: one of events from now on is told when now is.

    One whose events have no positions says itself whether it has ``begun``.
    """
    begun: bool | None = getattr(stream, "begun", None)
    return getattr(stream, "position", "nowhere") is not None if begun is None else begun


def is_final(error: Exception) -> bool:
    """Whether another attempt would meet the same: all but silence, losses, and servers that cannot answer now."""
    return not isinstance(error, Disconnected | Timeout | Unavailable)


class Listener:
    """Listens in a thread of its own."""

    def __init__(self, listening: Listening, deliver: Deliver, on_state: OnState) -> None:
        self._listening, self._deliver, self._on_state = listening, deliver, on_state
        self._course = ListenProgress(listening.after, listening.policy, listening.random)
        self._lock = threading.Lock()
        self._connection: EventConnection | None = None
        self._thread: threading.Thread | None = None
        self._stopped, self._hurry = threading.Event(), threading.Event()
        self.connected = False

    @property
    def position(self) -> Position | None:
        """Behind everything that was delivered."""
        return self._course.position

    def start(self) -> None:
        """Begin, in a thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="callsheet-listener", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 1.0) -> bool:
        """End it; whether the thread has ended within so many seconds. What is being delivered is not cut off."""
        self._stopped.set()
        self._interrupt()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def resubscribe(self) -> None:
        """Open another stream at once, from where this one is."""
        self._interrupt()

    def _interrupt(self) -> None:
        with self._lock:
            self._hurry.set()
            connection = self._connection
        if connection is not None:
            connection.interrupt()

    def run(self) -> None:
        """Listen in this thread until it is stopped, or the server refuses."""
        while not self._stopped.is_set():
            self._hurry.clear()
            begun = time.monotonic()
            error = self._listen_once()
            if self._stopped.is_set():
                break
            if self._hurry.is_set():
                continue
            if error is not None and is_final(error):
                self._tell(State("failed", error))
                return
            wait = self._course.wait(time.monotonic() - begun, error)
            self._tell(State("disconnected", error))
            self._hurry.wait(wait)
        self._tell(State("disconnected"))

    def _listen_once(self) -> Exception | None:
        """Connect and deliver until the end; why it ended."""
        connection: EventConnection | None = None
        try:
            stream = self._listening.open_stream(self._course.position)
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
        told = False
        while not self._stopped.is_set():
            if not told and has_begun(stream):
                told = True
                self._course.delivered((), stream)
                self._tell(State("connected"))
            received = connection.receive()
            # Who asks for another stream wants what comes from then on by it: this one did not look for all of that.
            if received is None or (told and self._hurry.is_set()):
                return
            if events := self._course.fresh(received):
                self._deliver(events)
            self._course.delivered(events, stream)

    def _tell(self, state: State) -> None:
        self.connected = state.kind == "connected"
        self._on_state(state)


class AsyncListener:
    """A `Listener` for a task: it listens in a worker thread, and what it delivers is awaited in the task's loop."""

    def __init__(self, listening: Listening, deliver: DeliverAsync, on_state: OnState) -> None:
        self._deliver, self._on_state = deliver, on_state
        self._listener = Listener(listening, self._hand_over, self._report)
        self._delivery: Any = None

    @property
    def position(self) -> Position | None:
        """Behind everything that was delivered."""
        return self._listener.position

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._listener.connected

    def stop(self) -> None:
        """Have `run` return soon."""
        self._listener.stop()

    def resubscribe(self) -> None:
        """Open another stream at once, from where this one is."""
        self._listener.resubscribe()

    async def run(self) -> None:
        """Listen until it is stopped or cancelled, or the server refuses."""
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
        """Deliver in the task's loop; the thread waits meanwhile, and reads nothing more."""
        from anyio import from_thread

        from_thread.run(self._awaited, events)

    async def _awaited(self, events: Sequence[Event]) -> None:
        from anyio import CancelScope

        with CancelScope() as self._delivery:
            await self._deliver(events)
        self._delivery = None

    def _report(self, state: State) -> None:
        from anyio import from_thread

        # Nobody waits for the last state of a task that was cancelled: its loop may have ended.
        with suppress(RuntimeError):
            from_thread.run_sync(self._on_state, state)
