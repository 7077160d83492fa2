"""`session.event_hub` of an `AsyncSession`: the hub of ``events.py``, awaited, under asyncio and trio."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from callsheet.errors import CallsheetError, StateError, Timeout
from callsheet.events.hub import Callback, Hub, report
from callsheet.model.event import Event, Position
from callsheet.session.subscribing import PATIENCE, QUEUE, Subscribing, check_event, failure
from callsheet.transport import drive

if TYPE_CHECKING:
    from callsheet.session.connection import ServerConnection

__all__ = ["AsyncEventHub", "dispatch_awaiting"]

_log = logging.getLogger("callsheet.events")


class AsyncEventHub(Subscribing):
    """The event hub of an `AsyncSession`: callbacks may be ``async``, and verbs are awaited."""

    def __init__(self, hub: Hub, connection: ServerConnection, open_session: Callable[[], Any]) -> None:
        super().__init__(hub, connection, open_session)
        self._sender: Any = None
        self._receiver: Any = None
        self._tasks: list[Any] = []
        self._dispatching: Any = None
        self._ended = False

    async def connect(
        self, after: Position | str | None = None, timeout: float = PATIENCE, *, task_group: Any = None
    ) -> None:
        """Listen to the server; what comes waits for `wait` or `start`. A session that is not open is opened first.

        Reading is a task: of ``task_group`` (anyio's, asyncio's, or a nursery of trio), or under asyncio of its own.
        The rest is as in `EventHub.connect`.
        """
        import anyio

        self._check_connectable()
        await self._open_session()
        begin = self._beginning(after)
        self._ended = False
        self._sender, self._receiver = anyio.create_memory_object_stream[Event](QUEUE)
        known = anyio.Event()
        outcome: list[Any] = []

        def on_state(state: Any) -> None:
            outcome.append(state)
            del outcome[:-1]
            if state.kind == "connected":
                self._arrived(listener)
            if state.kind != "disconnected":
                known.set()
            if event := self._state_event(state.kind, state.error):
                try:
                    self._sender.send_nowait(event)
                except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError, AttributeError):
                    _log.info("nobody is told that the hub is %s: the queue is full", state.kind)
            if state.kind == "failed" and self._sender is not None:
                self._sender.close()

        listener = self._connection.transport.alisten(self._open_stream, self._put, on_state, after=begin)
        self._listener = listener
        self._hub.on_change.append(self._resubscribed)
        self._spawn(listener.run, task_group)
        with anyio.move_on_after(timeout):
            await known.wait()
        if not listener.connected:
            await self.disconnect()
            raise failure(outcome, timeout)

    async def disconnect(self) -> None:
        """Stop listening, and dispatching in the background. What came and was not dispatched is let go."""
        listener, self._listener = self._listener, None
        self._stream = None
        if listener is None:
            return
        self._hub.on_change.remove(self._resubscribed)
        listener.stop()
        self.stop()
        sender, receiver = self._sender, self._receiver
        self._sender = self._receiver = None
        await _end(self._tasks)
        sender.close()
        receiver.close()

    async def publish(
        self,
        event: Event,
        synchronous: bool = False,
        on_reply: Callback | None = None,
        on_error: str = "raise",
    ) -> list[Any] | None:
        """Tell of an event; see `EventHub.publish`."""
        check_event(event)
        if synchronous:
            return await dispatch_awaiting(self._hub, event)
        if on_reply is not None:
            self._await_replies(event, on_reply)
        try:
            if self._dialect is not None:
                await drive.arun(self._dialect.publish(self._sourced(event)), self._connection.transport)
        except CallsheetError:
            self._replies.pop(event.id, None)
            if on_error != "ignore":
                raise
            _log.info("the event %s of %s could not be published", event.id, event.topic, exc_info=True)
        if self._listener is None:
            results = await dispatch_awaiting(self._hub, event)
            if self._replies.pop(event.id, None) is not None and on_reply is not None:
                self._answer_here(event, results, on_reply)
        return None

    async def publish_reply(self, source_event: Event, data: Any, source: Mapping[str, Any] | None = None) -> None:
        """Answer an event: ``data`` goes to the hub that published it."""
        await self.publish(self._reply(source_event, data, source))

    async def request(self, event: Event, timeout: float = PATIENCE) -> Event:
        """Publish an event and wait for the first answer; see `EventHub.request`."""
        import anyio

        if self._receiver is None:
            raise StateError("the hub is not connected, so no answer can come; `connect()` first")
        answers: list[Event] = []
        answered = anyio.Event()

        def note(reply: Event) -> None:
            answers.append(reply)
            answered.set()

        await self.publish(event, on_reply=note)
        end = monotonic() + timeout
        try:
            while not answers and (left := end - monotonic()) > 0:
                if self._dispatching is not None:
                    with anyio.move_on_after(left):
                        await answered.wait()
                elif not await self._step(left):
                    break
        finally:
            self._replies.pop(event.id, None)
        if not answers:
            raise Timeout(f"nobody answered the event {event.id} of {event.topic} within {timeout} seconds")
        return answers[0]

    async def wait(self, duration: float | None = None) -> None:
        """Call the callbacks of what comes, in this task, for so many seconds (None: until it is disconnected)."""
        if self._receiver is None:
            raise StateError("the hub is not connected, so nothing will come; `connect()` first")
        end = None if duration is None else monotonic() + duration
        while self._receiver is not None and not self._ended:
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return
            await self._step(left)

    def start(self, *, task_group: Any = None) -> None:
        """Have callbacks called by a task of their own: of ``task_group``, or under asyncio of the hub's."""
        if self._receiver is None:
            raise StateError("the hub is not connected; `connect()` first")
        if self._dispatching is not None:
            raise StateError("events are dispatched in the background already")
        import anyio

        self._dispatching = scope = anyio.CancelScope()

        async def dispatch() -> None:
            with scope:
                await self.wait()

        self._spawn(dispatch, task_group)

    def stop(self) -> None:
        """End what `start` began; the callback under way is cancelled where it awaits."""
        scope, self._dispatching = self._dispatching, None
        if scope is not None:
            scope.cancel()

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

    async def _put(self, events: Any) -> None:
        import anyio

        sender = self._sender
        for event in events:
            try:
                await sender.send(event)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                return

    async def _step(self, timeout: float | None) -> bool:
        """Dispatch the next event, if one comes in time."""
        import anyio

        event: Event | None = None
        with anyio.move_on_after(timeout):
            try:
                event = await self._receiver.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                self._ended = True
                return False
        if event is None:
            return False
        await self._tell(self._received(event))
        if event.position is not None:
            self.position = event.position
        return True

    async def _tell(self, event: Event) -> None:
        waiting = self._answered(event)
        if waiting is not None:
            await _awaited(waiting(event))
        for subscriber, call in self._hub.calls(event):
            try:
                result = await _awaited(call())
                if self._wants_reply(event, result):
                    await self.publish(self._reply(event, result, {"id": subscriber.id}), on_error="ignore")
            except Exception:
                report(event, subscriber)


async def dispatch_awaiting(hub: Hub, event: Event, raises: tuple[type[Exception], ...] = ()) -> list[Any]:
    """`Hub.dispatch`, where what a callback returns is awaited if it can be."""
    results = []
    for subscriber, call in hub.calls(event):
        try:
            results.append(await _awaited(call()))
        except raises:
            raise
        except Exception:
            report(event, subscriber)
    return results


async def _awaited(result: Any) -> Any:
    from inspect import isawaitable

    return await result if isawaitable(result) else result


async def _end(tasks: list[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    import asyncio

    current = asyncio.current_task() if tasks else None
    ending = [task for task in tasks if task is not current]
    tasks.clear()
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.gather(*ending, return_exceptions=True)
