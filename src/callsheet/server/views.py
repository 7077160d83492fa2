"""What a backend reads from and whether it can write there: the present, the past, the inside of a transaction.

`ServiceBackend` has the verbs, once; a `View` supplies the store, the connection and the transaction they use. A
further view, such as a scenario (the present with uncommitted operations applied), needs no verbs of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from time import monotonic
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from callsheet.errors import Invalid, StateError, TooLarge
from callsheet.server.context import ServerContext
from callsheet.server.deadline import check_deadline
from callsheet.server.log import commits as log
from callsheet.server.log.history import LAST_POSITION, check_position
from callsheet.server.store.store import Store

__all__ = ["PastView", "PresentView", "TransactionView", "View"]

T = TypeVar("T")


class View(Protocol):
    """One way to see a server's database.

    ``until`` is the last commit that is visible. ``limited`` says that the bounds of one request hold (rows of a
    page, operations of a commit). ``audits`` says that refusals are noted here, not by the view around this one.
    """

    until: int
    limited: bool
    audits: bool

    def open(self) -> AbstractContextManager[Store]:
        """The store that is read, with the schema that holds in this view."""

    def connect(self, store: Store) -> AbstractContextManager[Connection]:
        """A connection to read a store of this view, or the log of the present store; bounded in time."""

    def begin(self) -> None:
        """Raise where nothing that has a transaction of its own can be done."""

    def check_present(self) -> None:
        """Raise where the view is of the past."""

    def write(self, function: Callable[[Connection], T]) -> T:
        """Call the function in a transaction; raises where the view is read-only."""

    def committed(self, position: int, configured: bool, seen: bool = False) -> None:
        """Follow up a successful `write` that committed; ``configured``: it may have changed custom attributes,
        ``seen``: which projects accounts see."""

    def now(self) -> datetime:
        """The time of what is written."""


class PresentView:
    """The database as it is now; each write is one transaction."""

    until = LAST_POSITION
    limited = True
    audits = True

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self.write, self.now, self.committed = context.store.write, context.now, context.committed

    def __repr__(self) -> str:
        return "now"

    def open(self) -> AbstractContextManager[Store]:
        return nullcontext(self._context.store)

    def connect(self, store: Store) -> AbstractContextManager[Connection]:
        return store.reading()

    def begin(self) -> None:
        """Anything can be done in the present."""

    check_present = begin


class PastView:
    """The database as it was after one commit, under the permissions of now. It is read-only."""

    limited = True
    audits = True

    def __init__(self, context: ServerContext, position: int) -> None:
        self._context, self.until = context, position
        self.now = context.now

    def __repr__(self) -> str:
        return f"after commit {self.until}"

    @contextmanager
    def open(self) -> Iterator[Store]:
        with self._context.store.reading() as connection:
            last = log.last_position(self._context.store, connection)
            log.check_begun(self._context.store, connection, self.until)
        check_position(self.until, last)
        with self._context.snapshots.at(self.until) as store:
            yield store

    def connect(self, store: Store) -> AbstractContextManager[Connection]:
        return store.reading()

    def begin(self) -> None:
        raise Invalid(f"this is the server as it was after commit {self.until}: it can only be read")

    check_present = begin

    def write(self, function: Callable[[Connection], T]) -> T:
        self.begin()
        raise AssertionError("a view of the past begins no transaction")

    def committed(self, position: int, configured: bool, seen: bool = False) -> None:
        """Nothing is committed in the past."""


class TransactionView:
    """The inside of one transaction: reads see what it has written. Bounds and audit are those of what opened it."""

    until = LAST_POSITION
    limited = False
    audits = False

    def __init__(self, context: ServerContext, connection: Connection) -> None:
        self._context, self._connection = context, connection
        self._now = context.now()
        self._reading = 0.0
        self.position = 0
        """That of the last commit, or 0."""
        self.configured = self.seen = False

    def __repr__(self) -> str:
        return "in a transaction"

    def open(self) -> AbstractContextManager[Store]:
        return nullcontext(self._context.store)

    @contextmanager
    def connect(self, store: Store) -> Iterator[Connection]:
        seconds = self._context.limits.batch_seconds
        if self._reading > seconds:
            raise TooLarge(
                f"the request has read for {seconds:g} s inside its transaction, the server's limit, while others wait "
                "to write; send what reads in requests of its own"
            )
        check_deadline()
        began = monotonic()
        try:
            with store.limited(self._connection):
                yield self._connection
        finally:
            self._reading += monotonic() - began

    def begin(self) -> None:
        raise StateError("a transaction is open: call what has a transaction of its own before or after it")

    def check_present(self) -> None:
        """A transaction is in the present."""

    def write(self, function: Callable[[Connection], T]) -> T:
        return function(self._connection)

    def committed(self, position: int, configured: bool, seen: bool = False) -> None:
        self.position = max(self.position, position)
        self.configured = self.configured or configured
        self.seen = self.seen or seen

    def now(self) -> datetime:
        return self._now
