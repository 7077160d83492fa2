"""A bounded queue of received events, between the reader and the dispatcher.

If it is full, the reader waits, and the server keeps the rest in its log. So memory is bounded, however slow a callback
is. Events received before are dropped: those with a position by their position, others by their id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from threading import Condition
from time import monotonic

from callsheet.model.event import Event, Position

__all__ = ["Inbox"]

SIZE = 1_000
REMEMBERED = 10_000


class Inbox:
    """A bounded queue of events; when it is closed, it accepts no events, and no call waits.

    >>> inbox = Inbox()
    >>> inbox.put([Event("a", id="1"), Event("a", id="1"), Event("b", id="2")])
    True
    >>> inbox.pop().topic, inbox.pop().topic, inbox.pop()
    ('a', 'b', None)
    """

    def __init__(self, size: int = SIZE, after: Position | None = None) -> None:
        self._size = size
        self._events: deque[Event] = deque()
        self._changed = Condition()
        self._seen: dict[str, None] = {}
        self._wakes = 0
        self.closed = False
        #: The position of the last received event.
        self.position = after

    def __len__(self) -> int:
        return len(self._events)

    def put(self, events: Iterable[Event]) -> bool:
        """Add events, in order; blocks while the inbox is full. Returns false if the inbox was closed."""
        for event in events:
            with self._changed:
                while len(self._events) >= self._size and not self.closed:
                    self._changed.wait()
                if self.closed:
                    return False
                if self._is_new(event):
                    self._events.append(event)
                    self._changed.notify_all()
        return True

    def pop(self) -> Event | None:
        """The oldest event, or None."""
        with self._changed:
            if not self._events:
                return None
            self._changed.notify_all()
            return self._events.popleft()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until there is an event, for ``timeout`` seconds, or until `close`; returns whether there is one."""
        end = None if timeout is None else monotonic() + timeout
        with self._changed:
            begun = self._wakes
            while not self._events and not self.closed and self._wakes == begun:
                left = None if end is None else end - monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
            return bool(self._events)

    def wake(self) -> None:
        """Wake the threads that wait now."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Accept no more events, and wake all waiting threads. Queued events can still be popped."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _is_new(self, event: Event) -> bool:
        if event.position is not None:
            if self.position is not None and event.position <= self.position:
                return False
            self.position = event.position
            return True
        if event.id in self._seen:
            return False
        self._seen[event.id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True
