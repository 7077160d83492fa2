"""Views: the state that a backend reads and writes: the present, a past state, a scenario, or an open transaction.

`ServiceBackend` implements the verbs once; a `View` provides their store, connection and transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy import Connection

from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Forbidden, Invalid, StateError, TooLarge
from callsheet.model.operation import ChangeSet
from callsheet.server.access.access import Access
from callsheet.server.context import ServerContext
from callsheet.server.deadline import check_deadline
from callsheet.server.log import commits as log
from callsheet.server.log.history import LAST_POSITION, check_position
from callsheet.server.scenarios import registry
from callsheet.server.scenarios.scenario import Chain
from callsheet.server.scenarios.staging import stage
from callsheet.server.store.overlaid import OverlaidStore
from callsheet.server.store.store import Store
from callsheet.server.writing import apply as writing

if TYPE_CHECKING:
    from callsheet.server.mirror.mirror import Mirror, MirroredState
    from callsheet.server.scenarios.mirrored import MirroredScenarios

__all__ = [
    "ExternalView",
    "Mirrored",
    "MirroredPastView",
    "PastView",
    "PresentView",
    "ScenarioView",
    "TransactionView",
    "View",
]

T = TypeVar("T")


class Mirrored(Protocol):
    """What a view has in the mirror."""

    def reading(self) -> AbstractContextManager[MirroredState]:
        """Its state of now, or of a moment later."""


class ScenarioMirror:
    """The mirror with a scenario over it."""

    def __init__(self, mirrored: MirroredScenarios, chain_of: Callable[[Connection], Chain]) -> None:
        self._mirrored, self._chain_of = mirrored, chain_of

    def reading(self) -> AbstractContextManager[MirroredState]:
        """The state of now, or of a moment later."""
        return self._mirrored.reading(self._chain_of)


class View(Protocol):
    """One view of a server's database.

    ``until`` is the last visible commit. ``limited`` is true if the limits of a request apply (rows of a page,
    operations of a commit). ``audits`` is true if refusals are recorded here, not by an outer view.
    """

    until: int
    limited: bool
    audits: bool

    @property
    def mirror(self) -> Mirrored | None:
        """What answers aggregates of this view, if anything does."""

    def open(self) -> AbstractContextManager[Store]:
        """The store to read, with the schema of this view."""

    def connect(self, store: Store) -> AbstractContextManager[Connection]:
        """A connection for reads of a store of this view, or of the present store's log; limited in time."""

    def begin(self) -> None:
        """Raise if the view cannot do what needs a transaction of its own."""

    def check_present(self) -> None:
        """Raise if the view is a past state."""

    def write(self, function: Callable[[Connection], T]) -> T:
        """Call the function in a transaction; raises if the view is read-only."""

    def apply(
        self, connection: Connection, changes: ChangeSet, user: str, now: datetime, access: Access | None
    ) -> CommitResult:
        """Commit a change set in a transaction of `write`."""

    def committed(self, position: int, configured: bool, seen: bool = False) -> None:
        """Follow up a commit. ``configured``: it may have changed custom attributes; ``seen``: visible projects."""

    def now(self) -> datetime:
        """The time to record with writes."""


class PresentView:
    """The present state of the database; each write is one transaction."""

    until = LAST_POSITION
    limited = True
    audits = True

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self.write, self.now, self.committed = context.store.write, context.now, context.committed

    @property
    def mirror(self) -> Mirror | None:
        return self._context.mirror

    def __repr__(self) -> str:
        return "now"

    def open(self) -> AbstractContextManager[Store]:
        return nullcontext(self._context.store)

    def connect(self, store: Store) -> AbstractContextManager[Connection]:
        return store.reading()

    def begin(self) -> None:
        """The present allows everything."""

    check_present = begin

    def apply(
        self, connection: Connection, changes: ChangeSet, user: str, now: datetime, access: Access | None
    ) -> CommitResult:
        return writing.apply(self._context.store, connection, changes, user, now, access)


class PastView:
    """The state of the database after one commit, with the present permissions. It is read-only."""

    limited = True
    audits = True
    mirror = None

    def __init__(self, context: ServerContext, position: int) -> None:
        self._context, self.until = context, position
        self.now = context.now

    def __repr__(self) -> str:
        return f"after commit {self.until}"

    def _check(self) -> None:
        """Raise for a position that is not in the log."""
        with self._context.store.reading() as connection:
            last = log.last_position(self._context.store, connection)
            log.check_begun(self._context.store, connection, self.until)
        check_position(self.until, last)

    @contextmanager
    def open(self) -> Iterator[Store]:
        self._check()
        with self._context.snapshots.at(self.until) as store:
            yield store

    def connect(self, store: Store) -> AbstractContextManager[Connection]:
        return store.reading()

    def begin(self) -> None:
        raise Invalid(f"this is the state of the server after commit {self.until}: it is read-only")

    check_present = begin

    def write(self, function: Callable[[Connection], T]) -> T:
        self.begin()
        raise AssertionError("a view of the past begins no transaction")

    def apply(
        self, connection: Connection, changes: ChangeSet, user: str, now: datetime, access: Access | None
    ) -> CommitResult:
        self.begin()
        raise AssertionError("a view of the past takes no commit")

    def committed(self, position: int, configured: bool, seen: bool = False) -> None:
        """Nothing is committed in the past."""


class ExternalView(PastView):
    """The tables of an external database, as they are there now. It is read-only, and has no positions."""

    def __init__(self, context: ServerContext, database: str) -> None:
        super().__init__(context, LAST_POSITION)
        self.database = database

    def __repr__(self) -> str:
        return f"in {self.database}"

    @contextmanager
    def open(self) -> Iterator[Store]:
        yield self._context.external.store(self.database)

    def begin(self) -> None:
        raise Invalid(f"the tables of the external database `{self.database}` can only be read")


class ScenarioView:
    """The present with a scenario over it, for one account. A commit is kept in the scenario."""

    until = LAST_POSITION
    limited = True
    audits = True

    def __init__(self, context: ServerContext, account: str, label: str) -> None:
        self._context, self._account, self._label = context, account, label
        self.now = context.now
        self.write = context.store.write

    @property
    def mirror(self) -> ScenarioMirror | None:
        mirrored = self._context.mirrored_scenarios
        return None if mirrored is None else ScenarioMirror(mirrored, self._chain)

    def __repr__(self) -> str:
        return f"in the scenario {self._label!r}"

    @contextmanager
    def open(self) -> Iterator[Store]:
        present = self._context.store
        with present.reading() as connection:
            store = self._context.scenarios.over(present, self._chain(connection))
            if self._context.mirror is None and isinstance(store, OverlaidStore):
                # The rows are read as of the moment at which the scenario was.
                yield store.within(connection)
                return
        # The mirror may have to read the store meanwhile, which has one connection if it is in memory.
        yield store

    def _chain(self, connection: Connection) -> Chain:
        present = self._context.store
        scenario = registry.named(present, connection, self._account, self._label, self.now())
        return registry.chain_of(present, connection, scenario)

    def connect(self, store: Store) -> AbstractContextManager[Connection]:
        return store.reading()

    def begin(self) -> None:
        raise Invalid(f"this is {self!r}: call it in a session without a scenario")

    check_present = begin

    def apply(
        self, connection: Connection, changes: ChangeSet, user: str, now: datetime, access: Access | None
    ) -> CommitResult:
        """Keep the change set in the scenario; only its owner may."""
        present, stores = self._context.store, self._context.scenarios
        scenario = registry.named(present, connection, self._account, self._label, now, lock=True)
        if scenario.owner != self._account:
            raise Forbidden(f"only its owner, `{scenario.owner}`, may change the scenario {scenario.name!r}")
        most = self._context.limits.account_staged_bytes
        return stage(
            present,
            connection,
            stores,
            registry.chain_of(present, connection, scenario),
            changes,
            user,
            now,
            lambda store: access if access is None or store is present else access.over(store),
            most,
        )

    def committed(self, position: int, configured: bool, seen: bool = False) -> None:
        """Nobody is notified of what happens in a scenario."""


class MirroredPastView(PastView):
    """The same for questions: the mirror takes back what has changed since, if it is not too much."""

    def __init__(self, context: ServerContext, position: int) -> None:
        super().__init__(context, position)
        self._state: MirroredState | None = None

    @property
    def mirror(self) -> Mirrored | None:  # type: ignore[override]
        return None if self._state is None else self

    @contextmanager
    def reading(self) -> Iterator[MirroredState]:
        """The state that is open."""
        assert self._state is not None, "it is read while it is open"
        yield self._state

    @contextmanager
    def open(self) -> Iterator[Store]:
        mirror = self._context.mirror
        if mirror is None:
            with super().open() as store:
                yield store
            return
        self._check()
        with mirror.past(self.until) as state:
            self._state = state
            if state is not None:
                yield state.store
                return
        with super().open() as store:
            yield store


class TransactionView:
    """An open transaction: reads see its writes. Limits and audit are those of the view that opened it."""

    until = LAST_POSITION
    limited = False
    audits = False
    mirror = None

    def __init__(self, context: ServerContext, connection: Connection) -> None:
        self._context, self._connection = context, connection
        self._now = context.now()
        self._reading = 0.0
        self.position = 0
        """The position of its last commit, or 0."""
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
        raise StateError("a transaction is open: this call has its own transaction; call it before or after")

    def check_present(self) -> None:
        """A transaction is part of the present."""

    def write(self, function: Callable[[Connection], T]) -> T:
        return function(self._connection)

    def apply(
        self, connection: Connection, changes: ChangeSet, user: str, now: datetime, access: Access | None
    ) -> CommitResult:
        return writing.apply(self._context.store, connection, changes, user, now, access)

    def committed(self, position: int, configured: bool, seen: bool = False) -> None:
        self.position = max(self.position, position)
        self.configured = self.configured or configured
        self.seen = self.seen or seen

    def now(self) -> datetime:
        return self._now
