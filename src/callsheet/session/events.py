"""`session.event_hub`: subscribe, publish, and dispatch what the server tells; blocking or awaiting.

One hub, local and remote. Subscriptions are there at once, and hear what the session itself tells (``topics.py``).
After ``connect`` they also hear what the server tells: a listener (``transport/listen.py``) reads into a bounded
queue; ``wait`` calls the callbacks where it is called, and ``start`` has that done in the background. Which of
them is for the caller to choose: callbacks run nowhere else. When the queue is full nothing more is read, and the
server keeps the rest, so a slow callback costs patience and no memory.

What is published goes to the server, and comes back from it, in its order among all events, to whoever subscribed
here; without a connection, those who subscribed here are told at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from callsheet.errors import CallsheetError, StateError, Timeout
from callsheet.events.hub import Callback, Hub, report
from callsheet.model.event import Event, Position
from callsheet.session.inbox import Inbox
from callsheet.session.subscribing import PATIENCE, QUEUE, Subscribing, check_event, failure
from callsheet.transport import drive

if TYPE_CHECKING:
    from callsheet.session.connection import ServerConnection

__all__ = ["EventHub"]

_log = logging.getLogger("callsheet.events")


class EventHub(Subscribing):
    """The event hub of a `Session`: its callbacks are called, and its verbs block."""

    def __init__(self, hub: Hub, connection: ServerConnection, open_session: Callable[[], Any]) -> None:
        super().__init__(hub, connection, open_session)
        self._inbox: Inbox | None = None
        self._dispatcher: threading.Thread | None = None
        self._ending = threading.Event()

    def connect(self, after: Position | str | None = None, timeout: float = PATIENCE) -> None:
        """Listen to the server; what comes waits for `wait` or `start`. A session that is not open is opened first.

        ``after`` is a position to go on from (`position` of an earlier hub): everything after it comes, in order, each
        once. None goes on from this hub's own position, or from now. Raises what the server answers, or
        `Timeout` (after ``timeout`` seconds without connection); afterwards connections that break are made again.
        """
        self._check_connectable()
        self._open_session()
        begin = self._beginning(after)
        self._inbox = inbox = Inbox(QUEUE, begin)
        known = threading.Event()
        outcome: list[Any] = []

        def on_state(state: Any) -> None:
            outcome.append(state)
            del outcome[:-1]
            if state.kind == "connected":
                self._arrived(listener)
            if state.kind != "disconnected":
                known.set()
            if event := self._state_event(state.kind, state.error):
                inbox.put([event])
            if state.kind == "failed":
                inbox.close()

        listener = self._connection.transport.listen(self._open_stream, inbox.put, on_state, after=begin)
        self._listener = listener
        self._hub.on_change.append(self._resubscribed)
        listener.start()
        known.wait(timeout)
        if not listener.connected:
            self.disconnect()
            raise failure(outcome, timeout)

    def disconnect(self) -> None:
        """Stop listening, and dispatching in the background. What came and was not dispatched is let go."""
        listener, self._listener = self._listener, None
        self._stream = None
        if listener is None:
            return
        self._hub.on_change.remove(self._resubscribed)
        if self._inbox is not None:
            self._inbox.close()
        listener.stop()
        self.stop()
        self._inbox = None

    def publish(
        self,
        event: Event,
        synchronous: bool = False,
        on_reply: Callback | None = None,
        on_error: str = "raise",
    ) -> list[Any] | None:
        """Tell of an event.

        ``synchronous`` tells those only who subscribed here, now; gives what they returned, in order. Otherwise the
        server is told, and through it everybody who subscribed; without a connection those who subscribed here are
        told at once. ``on_reply`` is called with each answer. ``on_error="ignore"`` lets no error of the way out.
        """
        check_event(event)
        if synchronous:
            return self._hub.dispatch(event)
        if on_reply is not None:
            self._await_replies(event, on_reply)
        try:
            if self._dialect is not None:
                drive.run(self._dialect.publish(self._sourced(event)), self._connection.transport)
        except CallsheetError:
            self._replies.pop(event.id, None)
            if on_error != "ignore":
                raise
            _log.info("the event %s of %s could not be published", event.id, event.topic, exc_info=True)
        if self._listener is None:
            results = self._hub.dispatch(event)
            if self._replies.pop(event.id, None) is not None and on_reply is not None:
                self._answer_here(event, results, on_reply)
        return None

    def publish_reply(self, source_event: Event, data: Any, source: Mapping[str, Any] | None = None) -> None:
        """Answer an event: ``data`` goes to the hub that published it."""
        self.publish(self._reply(source_event, data, source))

    def request(self, event: Event, timeout: float = PATIENCE) -> Event:
        """Publish an event and wait for the first answer; other events are dispatched meanwhile, as in `wait`.

        Raises `Timeout` where none comes in so many seconds.
        """
        if self._inbox is None:
            raise StateError("the hub is not connected, so no answer can come; `connect()` first")
        answers: list[Event] = []
        answered = threading.Event()

        def note(reply: Event) -> None:
            answers.append(reply)
            answered.set()

        self.publish(event, on_reply=note)
        end = monotonic() + timeout
        try:
            while not answers and (left := end - monotonic()) > 0:
                if self._dispatcher is not None and self._dispatcher is not threading.current_thread():
                    answered.wait(left)
                elif not self._step(left):
                    break
        finally:
            self._replies.pop(event.id, None)
        if not answers:
            raise Timeout(f"nobody answered the event {event.id} of {event.topic} within {timeout} seconds")
        return answers[0]

    def wait(self, duration: float | None = None) -> None:
        """Call the callbacks of what comes, here, for so many seconds (None: until the hub is disconnected)."""
        if self._inbox is None:
            raise StateError("the hub is not connected, so nothing will come; `connect()` first")
        if self._dispatcher is not None:
            raise StateError("events are dispatched in the background already; `stop()` first")
        end = None if duration is None else monotonic() + duration
        while True:
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return
            if not self._step(left) and (self._inbox is None or self._inbox.closed):
                return

    def start(self) -> None:
        """Have callbacks called in a thread of their own, until `stop` or `disconnect`.

        Callbacks that need a session fork one there.
        """
        if self._inbox is None:
            raise StateError("the hub is not connected; `connect()` first")
        if self._dispatcher is not None:
            raise StateError("events are dispatched in the background already")
        self._ending.clear()
        self._dispatcher = threading.Thread(target=self._dispatch_all, name="callsheet-events", daemon=True)
        self._dispatcher.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End what `start` began: the event under way is finished, others stay for `wait`."""
        thread, self._dispatcher = self._dispatcher, None
        if thread is None:
            return
        self._ending.set()
        if self._inbox is not None:
            self._inbox.wake()
        if thread is not threading.current_thread():
            thread.join(timeout)

    def _dispatch_all(self) -> None:
        inbox = self._inbox
        while inbox is not None and not self._ending.is_set() and (len(inbox) or not inbox.closed):
            self._step(0.5, self._ending)

    def _step(self, timeout: float | None, ending: threading.Event | None = None) -> bool:
        """Dispatch the next event, if one comes in time and it is not to end before."""
        inbox = self._inbox
        if inbox is None or not inbox.wait(timeout) or (ending is not None and ending.is_set()):
            return False
        event = inbox.pop()
        if event is None:
            return False
        try:
            self._tell(self._received(event))
        finally:
            if event.position is not None:
                self.position = event.position
        return True

    def _tell(self, event: Event) -> None:
        waiting = self._answered(event)
        if waiting is not None:
            waiting(event)
        for subscriber, call in self._hub.calls(event):
            try:
                result = call()
                if self._wants_reply(event, result):
                    self.publish(self._reply(event, result, {"id": subscriber.id}), on_error="ignore")
            except Exception:
                report(event, subscriber)
