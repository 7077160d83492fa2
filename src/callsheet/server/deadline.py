"""A request's deadline: until when it may go on, and whether anybody still waits for its answer.

The deadline of a request goes with its context, into worker threads and the writer's. Whatever reads the database looks
at it before each read, and statements under way are given up when it is over. What is written is not cut off in the
middle: a commit either has begun, or is not begun.
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
    """When one request of an account has to end.

    >>> deadline = Deadline("anna", 60)
    >>> deadline.check()
    >>> deadline.give_up()
    >>> deadline.check()
    Traceback (most recent call last):
    callsheet.errors.Unavailable: nobody waits for the answer any more
    """

    def __init__(self, account: str, seconds: float) -> None:
        self.account, self.seconds = account, seconds
        self.until = monotonic() + seconds
        self.gone = False
        """Whether the client has left."""
        self._lock = Lock()
        self._cancel: Callable[[], object] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more is to be done."""
        return self.gone or monotonic() > self.until

    def check(self) -> None:
        """Raise where nothing more is to be done."""
        if self.gone:
            raise Unavailable("nobody waits for the answer any more")
        if monotonic() > self.until:
            raise TooLarge(
                f"the request took longer than {self.seconds:g} s, the server's limit; ask for less, or in several "
                "requests"
            )

    def give_up(self) -> None:
        """The client has left: what is under way is cancelled."""
        self.gone = True
        if self._cancel is not None:
            # It may wait for the network.
            Thread(target=self._cancelled, name="callsheet-cancel", daemon=True).start()

    @contextmanager
    def cancelling(self, cancel: Callable[[], object]) -> Iterator[None]:
        """A block that is cancelled by this function when the client leaves; never called after the block."""
        with self._lock:
            self._cancel = cancel
        try:
            yield
        finally:
            with self._lock:
                self._cancel = None

    def _cancelled(self) -> None:
        with self._lock:
            if self._cancel is not None:
                self._cancel()


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current_deadline() -> Deadline | None:
    """The deadline of the request that this is done for; None where it is done for no request."""
    return _CURRENT.get()


def check_deadline() -> None:
    """Raise where the request that this is done for is over."""
    deadline = _CURRENT.get()
    if deadline is not None:
        deadline.check()


@contextmanager
def within(deadline: Deadline | None) -> Iterator[None]:
    """A block that is done for a request with this deadline."""
    token = _CURRENT.set(deadline)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def without_deadline() -> AbstractContextManager[None]:
    """A block that is done to its end, whoever waits."""
    return within(None)
