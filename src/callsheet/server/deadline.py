"""The deadline of a request: its time limit, and whether its client has disconnected.

The deadline is a context variable, so it applies in worker threads and in the writer's thread. It is checked before
each read of the database, and running statements are cancelled when it is over. A commit is never interrupted: it is
either completed, or does not begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from threading import Lock, Thread
from time import monotonic

from callsheet.errors import TooLarge, Unavailable

__all__ = ["Deadline", "check_deadline", "current_deadline", "within", "without_deadline"]


class Deadline:
    """The deadline of one request of an account.

    >>> deadline = Deadline("anna", 60)
    >>> deadline.check()
    >>> deadline.give_up()
    >>> deadline.check()
    Traceback (most recent call last):
    callsheet.errors.Unavailable: the client has disconnected
    """

    def __init__(self, account: str, seconds: float) -> None:
        self.account, self.seconds = account, seconds
        self.until = monotonic() + seconds
        self.gone = False
        """Whether the client has disconnected."""
        self._lock = Lock()
        self._cancel: Callable[[], object] | None = None

    @property
    def over(self) -> bool:
        """Whether the client has disconnected, or the time is over."""
        return self.gone or monotonic() > self.until

    def check(self) -> None:
        """Raise `Unavailable` if the client has disconnected, `TooLarge` if the time is over."""
        if self.gone:
            raise Unavailable("the client has disconnected")
        if monotonic() > self.until:
            raise TooLarge(
                f"the request took longer than {self.seconds:g} s, the server's limit; ask for less, or in several "
                "requests"
            )

    def give_up(self) -> None:
        """The client has disconnected: cancel the running statement."""
        self.gone = True
        if self._cancel is not None:
            # In a thread, because cancelling may wait for the network.
            Thread(target=self.interrupt, name="callsheet-cancel", daemon=True).start()

    @contextmanager
    def cancelling(self, cancel: Callable[[], object]) -> Iterator[None]:
        """A block that calls ``cancel`` when the client disconnects; it is never called after the block."""
        with self._lock:
            self._cancel = cancel
        try:
            yield
        finally:
            with self._lock:
                self._cancel = None

    def interrupt(self) -> None:
        """Cancel the running statement, if there is one."""
        with self._lock:
            if self._cancel is not None:
                self._cancel()


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current_deadline() -> Deadline | None:
    """The deadline of the current request; None outside a request."""
    return _CURRENT.get()


def check_deadline() -> None:
    """Raise if the deadline of the current request is over."""
    deadline = _CURRENT.get()
    if deadline is not None:
        deadline.check()


@contextmanager
def within(deadline: Deadline | None) -> Iterator[None]:
    """A block in which this is the current deadline."""
    token = _CURRENT.set(deadline)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def without_deadline() -> AbstractContextManager[None]:
    """A block that is completed even if the client disconnects."""
    return within(None)
