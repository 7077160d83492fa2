"""`session.event_hub`: subscribe to events, publish them, and dispatch those of the server; blocking or awaited.

One hub has local and remote events. Subscriptions are active at once, and receive the session's own events
(``topics.py``). After ``connect`` they also receive the server's: a listener (``transport/listen.py``) reads into a
bounded queue; ``wait`` calls the callbacks in the caller's thread or task, ``start`` in the background. Callbacks run
nowhere else. If the queue is full, the listener stops reading, and the server keeps the rest, so a slow callback causes
delay but no use of memory.

A published event goes to the server, and comes back from it, in the order of all events, to the subscribers here.
Without a connection, the subscribers here are called at once.

Each verb is declared once, as a flow (``hub_verbs.py``, ``hub_flows.py``). The two hubs differ only in how they wait:
for an event, for an answer, and for background work (``waiting.py``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from callsheet.core.verb import Awaiting, Blocking, Verb
from callsheet.errors import StateError
from callsheet.events.hub import Hub
from callsheet.flow import Flow
from callsheet.model.event import Event, Position
from callsheet.session import hub_flows
from callsheet.session.hub_verbs import TalkingHub
from callsheet.session.inbox import Inbox
from callsheet.session.subscribing import PATIENCE, QUEUE
from callsheet.transport import drive

if TYPE_CHECKING:
    from callsheet.model.schema import Schema
    from callsheet.session.connection import ServerConnection

__all__ = ["AsyncEventHub", "EventHub"]

BACKGROUND = "callsheet-events"
"""The name of the thread that `EventHub.start` begins."""
T = TypeVar("T")
_log = logging.getLogger("callsheet.events")


class EventHub(Blocking, TalkingHub):
    """The event hub of a `Session`: its verbs block."""

    connect = Verb(hub_flows.connect)

    def __init__(
        self,
        hub: Hub,
        connection: ServerConnection,
        open_session: Callable[[], Any],
        known_schema: Callable[[], Schema | None],
    ) -> None:
        super().__init__(hub, connection, open_session, known_schema)
        self._inbox: Inbox | None = None
        self._dispatcher: threading.Thread | None = None
        self._stopping = threading.Event()

    def run(self, flow: Flow[T]) -> T:
        """Run a flow of the hub."""
        return drive.run(flow, self._connection.transport)

    def start(self) -> None:
        """Call the callbacks in a thread of their own, until `stop` or `disconnect`.

        A callback that needs a session must use a fork.
        """
        self._check_startable(self._dispatcher)
        self._stopping.clear()
        self._dispatcher = threading.Thread(target=self._dispatch_all, name=BACKGROUND, daemon=True)
        self._dispatcher.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread of `start`: the current event is finished, later ones stay for `wait`."""
        thread, self._dispatcher = self._dispatcher, None
        if thread is None:
            return
        self._stopping.set()
        if self._inbox is not None:
            self._inbox.wake()
        if thread is not threading.current_thread():
            thread.join(timeout)

    def _dispatch_all(self) -> None:
        while not self._stopping.is_set() and not self._is_over:
            self.run(hub_flows.step(self, 0.5))

    @property
    def _has_inbox(self) -> bool:  # type: ignore[override]
        return self._inbox is not None

    @property
    def _is_over(self) -> bool:  # type: ignore[override]
        inbox = self._inbox
        return inbox is None or (inbox.closed and not len(inbox))

    @property
    def _has_background(self) -> bool:  # type: ignore[override]
        return self._dispatcher is not None

    @property
    def _is_background(self) -> bool:  # type: ignore[override]
        return self._dispatcher is threading.current_thread()

    def _flag(self) -> threading.Event:
        return threading.Event()

    def _wait_for(self, flag: threading.Event, seconds: float) -> None:
        flag.wait(seconds)

    def _receive(self, timeout: float | None) -> Event | None:
        inbox = self._inbox
        if inbox is None or not inbox.wait(timeout):
            return None
        # Events after `stop` stay for `wait`.
        ended = self._stopping.is_set() and threading.current_thread().name == BACKGROUND
        return None if ended else inbox.pop()

    def _begin_inbox(self, begin: Position | None) -> None:
        self._inbox = Inbox(QUEUE, begin)

    def _put_own(self, event: Event) -> None:
        if self._inbox is not None:
            self._inbox.put([event])

    def _end_inbox(self) -> None:
        if self._inbox is not None:
            self._inbox.close()

    def _listen(self, on_state: Callable[[Any], None], begin: Position | None) -> Any:
        assert self._inbox is not None
        return self._connection.transport.listen(self._open_stream, self._inbox.put, on_state, after=begin)

    def _run(self, listener: Any) -> None:
        listener.start()

    def _end(self, listener: Any) -> None:
        self._end_inbox()
        listener.stop()
        self.stop()
        self._inbox = None


class AsyncEventHub(Awaiting, TalkingHub):
    """The event hub of an `AsyncSession`: its verbs are awaited, and callbacks may be ``async``."""

    def __init__(
        self,
        hub: Hub,
        connection: ServerConnection,
        open_session: Callable[[], Any],
        known_schema: Callable[[], Schema | None],
    ) -> None:
        super().__init__(hub, connection, open_session, known_schema)
        self._sender: Any = None
        self._receiver: Any = None
        self._task_group: Any = None
        self._tasks: list[Any] = []
        self._dispatching: Any = None
        self._ended = False

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow of the hub."""
        return await drive.arun(flow, self._connection.transport)

    async def connect(
        self, after: Position | str | None = None, timeout: float = PATIENCE, *, task_group: Any = None
    ) -> None:
        self._task_group = task_group
        await self.run(hub_flows.connect(self, after, timeout))

    connect.__doc__ = hub_flows.connect.__doc__

    def start(self, *, task_group: Any = None) -> None:
        """Call the callbacks in a task of their own: of ``task_group``, or under asyncio of the hub."""
        self._check_startable(self._dispatching)
        import anyio

        self._dispatching = scope = anyio.CancelScope()

        async def dispatch() -> None:
            with scope:
                while not self._is_over:
                    await self.run(hub_flows.step(self, None))

        self._spawn(dispatch, task_group)

    def stop(self) -> None:
        """End the task of `start`; the current callback is cancelled where it awaits."""
        scope, self._dispatching = self._dispatching, None
        if scope is not None:
            scope.cancel()

    @property
    def _has_inbox(self) -> bool:  # type: ignore[override]
        return self._receiver is not None

    @property
    def _is_over(self) -> bool:  # type: ignore[override]
        return self._receiver is None or self._ended

    @property
    def _has_background(self) -> bool:  # type: ignore[override]
        return self._dispatching is not None

    def _flag(self) -> Any:
        import anyio

        return anyio.Event()

    async def _wait_for(self, flag: Any, seconds: float) -> None:
        import anyio

        with anyio.move_on_after(seconds):
            await flag.wait()

    async def _receive(self, timeout: float | None) -> Event | None:
        import anyio

        receiver = self._receiver
        if receiver is None:
            return None
        event: Event | None = None
        with anyio.move_on_after(timeout):
            try:
                event = await receiver.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                self._ended = True
        return event

    def _begin_inbox(self, begin: Position | None) -> None:
        import anyio

        self._ended = False
        self._sender, self._receiver = anyio.create_memory_object_stream[Event](QUEUE)

    def _put_own(self, event: Event) -> None:
        import anyio

        try:
            self._sender.send_nowait(event)
        except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError, AttributeError):
            _log.info("the event %s is dropped: the queue is full", event.topic)

    def _end_inbox(self) -> None:
        if self._sender is not None:
            self._sender.close()

    async def _put(self, events: Any) -> None:
        import anyio

        sender = self._sender
        for event in events:
            try:
                await sender.send(event)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                return

    def _listen(self, on_state: Callable[[Any], None], begin: Position | None) -> Any:
        return self._connection.transport.alisten(self._open_stream, self._put, on_state, after=begin)

    def _run(self, listener: Any) -> None:
        self._spawn(listener.run, self._task_group)

    async def _end(self, listener: Any) -> None:
        listener.stop()
        self.stop()
        sender, receiver = self._sender, self._receiver
        self._sender = self._receiver = None
        await _end_tasks(self._tasks)
        sender.close()
        receiver.close()

    def _spawn(self, function: Callable[[], Any], task_group: Any) -> None:
        if task_group is not None:
            if hasattr(task_group, "start_soon"):
                task_group.start_soon(function)
            else:
                task_group.create_task(function())
            return
        import asyncio

        try:
            self._tasks.append(asyncio.get_running_loop().create_task(function()))
        except RuntimeError:
            raise StateError("under trio, tasks have a nursery: `task_group=nursery`") from None


async def _end_tasks(tasks: list[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    import asyncio

    current = asyncio.current_task() if tasks else None
    others = [task for task in tasks if task is not current]
    tasks.clear()
    for task in others:
        task.cancel()
    if others:
        await asyncio.gather(*others, return_exceptions=True)
