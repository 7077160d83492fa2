"""The server without a wire: a store, its accounts, and a `Backend` for each user.

What speaks to it (the HTTP server, a session in the same process) gets a backend for the account that asks,
and calls its verbs. What the account may do (``permissions.py``, compiled in ``access.py``) goes with every
read to ``reading.py`` and with every commit to ``writing.py``; what is refused is noted in the ``audit.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, insert, select

from callsheet import __version__
from callsheet.dialects.ftrack.common.schema import vendor_schemas
from callsheet.dialects.ftrack.server.seeding import essential_operations
from callsheet.dialects.protocol import CommitResult, Description, EventBatch, Features
from callsheet.errors import Closed, Forbidden, Invalid, NotFound, TooLarge, Unauthorised, UsageError
from callsheet.model.event import Event, Position
from callsheet.model.language.checking import check, check_aggregate
from callsheet.model.operation import ChangeSet, Delete, Operation
from callsheet.model.query import Aggregate, Select
from callsheet.model.record import Page
from callsheet.model.schema import Schema
from callsheet.server.access.access import Access
from callsheet.server.access.accounts import Accounts
from callsheet.server.access.audit import Audit
from callsheet.server.access.permissions import Permissions
from callsheet.server.access.roles import Roles
from callsheet.server.actions import perform
from callsheet.server.files.access import FileAccess
from callsheet.server.files.uploads import FileStore
from callsheet.server.log import history, receipts
from callsheet.server.log.broker import Broker
from callsheet.server.log.events import condition_of
from callsheet.server.log.publications import drop_old_events
from callsheet.server.past import PastBackend
from callsheet.server.queues import handlers
from callsheet.server.reading.cost import check_cost
from callsheet.server.reading.pages import read_aggregate, read_page
from callsheet.server.reading.snapshot import Snapshots
from callsheet.server.schemas.document import load_schema_document
from callsheet.server.schemas.seeding import SEED_COMMIT, seed_operations
from callsheet.server.store.rules import rules_of
from callsheet.server.store.store import Store
from callsheet.server.transaction import TransactionBackend, in_one_transaction
from callsheet.server.writing import apply as writing
from callsheet.server.writing import custom_attributes as customs
from callsheet.server.writing.computed import MOVES
from callsheet.server.writing.constraints import lock_name
from callsheet.server.writing.custom_attributes import CONFIGURATION

__all__ = ["ADMINISTRATOR", "Service", "UserBackend"]

T = TypeVar("T")

ADMINISTRATOR = "admin"
FEATURES = Features(handlers=True)
EVENTS = 1_000
"""At most so many events in one answer."""
REMEMBERED_SECONDS = 1.0
"""How long what another server process changed of an account may go unseen."""


class _CachedAccess(NamedTuple):
    """An account's access, as it was looked up."""

    access: Access
    generation: int
    until: float


def _now() -> datetime:
    return datetime.now(UTC)


class Service:
    """A server in this process. ``Service.open`` makes one; ``close`` it, or use it as a context manager.

    ``new_admin_key`` is the key of the account ``admin`` if it was made just now, else None.

    >>> with Service.open("memory:", {"name": "tiny", "types": {"Dot": {}}}) as service:
    ...     service.backend("anna").describe().schema.name
    'tiny'
    """

    def __init__(self, store: Store, clock: Callable[[], datetime] = _now, files: Path | None = None) -> None:
        self.store, self.clock = store, clock
        self.files = FileStore(files or _files_folder(store.url))
        self.accounts = Accounts(store, clock)
        self.roles = Roles(store, self.accounts)
        self.audit = Audit(store, clock)
        self.snapshots = Snapshots(store)
        self.broker = Broker(self)
        self.new_admin_key: str | None = None
        self._known: dict[str, _CachedAccess] = {}
        self._customs_seen = -1

    @staticmethod
    def open(
        url: str,
        schema: str | Path | Mapping[str, Any] = "production",
        admin_key: str | None = None,
        clock: Callable[[], datetime] = _now,
        seed: bool = False,
        administrator: bool = True,
        files: Path | None = None,
        essentials: bool = True,
    ) -> Service:
        """Open a database (see `Store.open`), or make a new one with this schema: a preset, a file or a document.

        A new database gets the account ``admin``, with ``admin_key`` or a key of its own; in an older one, a
        given ``admin_key`` takes the place of the one before. Without ``administrator`` no account is made: who
        opens a database in its own process needs none, and a server started on it later makes one and tells its
        key. ``seed`` fills a new one with standard entities. ``files`` is the folder for uploaded files; without
        it they are beside the database's file, else in a temporary folder. Without ``essentials`` a new store with
        the vendor's schema begins without the rows that its clients take for granted.
        """
        service = Service(Store.open(url, _document(schema)), clock, files)
        try:
            service._begin(admin_key, seed, administrator, essentials)
        except BaseException:
            service.close()
            raise
        return service

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Service of {self.store.schema.name!r} on {self.store.engine_name}>"

    def backup(self, path: str | Path) -> None:
        """Copy the database, as of one moment, to a new file (see `Store.backup`); commits go on meanwhile."""
        self.store.backup(path)

    def close(self) -> None:
        """Finish what is being written and let go of the database."""
        self.broker.close()
        self.snapshots.close()
        self.files.close()
        self.store.close()

    def backend(self, user: str, address: str = "") -> UserBackend:
        """The server as this user sees it. Whoever asks here has authenticated the user, or is the user.

        ``address`` is where the user asks from, for the audit.
        """
        return UserBackend(self, user, address)

    def access(self, user: str) -> Access:
        """What a user may do. Whoever opened the database in this process needs no account and may do everything.

        Changes of accounts, roles and grants count at once; those of other processes within a second.
        """
        generation, now = self.accounts.generation, monotonic()
        known = self._known.get(user)
        # A SQLite file has no other process to change it.
        fresh = known is not None and (self.store.engine_name == "sqlite" or now < known.until)
        if known is not None and fresh and (known.generation, known.access.schema) == (generation, self.store.schema):
            return known.access
        account = self.accounts.get(user)
        if account is not None and account.disabled:
            raise Unauthorised(f"the account `{user}` is disabled")
        permissions = Permissions(user) if account is None else self.roles.permissions(account)
        access = Access(permissions, self.store)
        if len(self._known) >= 1024:
            self._known.clear()
        self._known[user] = _CachedAccess(access, generation, now + REMEMBERED_SECONDS)
        return access

    def commit(self, changes: ChangeSet, user: str, access: Access | None = None) -> CommitResult:
        """Apply a change set in one transaction; custom attributes it configures are known afterwards."""
        now = self.clock()
        result = self.store.write(lambda connection: writing.apply(self.store, connection, changes, user, now, access))
        self.broker.announce(result.position)
        if CONFIGURATION in self.store.schema.types and (changes.parts or _configures(changes, result)):
            self.reload()
        return result

    def refused_key(self, user: str | None, reason: str, address: str) -> None:
        """Note that somebody did not get in. A name that is no account's is not kept: it may be a key."""
        known = user is not None and self.accounts.get(user) is not None
        self.audit.note("authenticate", reason, account=(user or "") if known else "", address=address)

    def refresh(self) -> bool:
        """Learn of custom attributes that another server process configured; whether there were any."""
        if self.store.engine_name == "sqlite" or CONFIGURATION not in self.store.schema.types:
            return False
        with self.store.reading() as connection:
            counted = customs.changes(self.store, connection)
            if counted == self._customs_seen:
                return False
            self._customs_seen = counted
            return self.store.reload_custom(connection)

    def _begin(self, admin_key: str | None, seed: bool, administrator: bool, essentials: bool) -> None:
        now = self.clock()
        if not self.store.created:
            self.store.write(lambda connection: _drop_old(self.store, connection, now))
        if self.store.engine_name != "sqlite":
            self._make_locks()
        if administrator and self.accounts.get(ADMINISTRATOR) is None:
            made = self.accounts.add(ADMINISTRATOR, "admin", admin_key)
            self.new_admin_key = made if admin_key is None else None
        elif admin_key is not None:
            self.accounts.new_key(ADMINISTRATOR, admin_key)
        if self.store.created and not essentials:
            return
        if self.store.created and vendor_schemas(self.store.schema.document):
            # The vendor's clients name these rows by well-known ids, and cannot create a task without them.
            self.commit(ChangeSet(SEED_COMMIT, essential_operations(self.store.schema)), ADMINISTRATOR)
        elif seed and self.store.created:
            self.commit(ChangeSet(SEED_COMMIT, seed_operations(self.store.schema)), ADMINISTRATOR)

    def _make_locks(self) -> None:
        """The counter row, and a row to lock for each unique combination, where writers run side by side."""
        counter = self.store.table("_counter")
        schema = self.store.schema
        rules = rules_of(schema)
        found = [rules.of(schema, name).unique for name, each in schema.types.items() if not each.abstract]
        names = {lock_name(combination) for combinations in found for combination in combinations}
        names |= {"log", MOVES, customs.COUNTER}
        with self.store.reading() as connection:
            known = set(connection.execute(select(counter.c.name)).scalars())
        if missing := sorted(names - known):
            rows = [{"name": name, "value": 0} for name in missing]
            self.store.write(lambda connection: connection.execute(insert(counter), rows))

    def reload(self) -> None:
        """Know the custom attributes that the database now configures."""
        with self.store.reading() as connection:
            self._customs_seen = customs.changes(self.store, connection)
            self.store.reload_custom(connection)


def _drop_old(store: Store, connection: Connection, now: datetime) -> None:
    """Forget parts of commits that were never sent, and events published long ago."""
    receipts.drop_old_parts(store, connection, now)
    drop_old_events(store, connection, now)


def _configures(changes: ChangeSet, result: CommitResult) -> bool:
    """Whether a commit touched the configuration of a custom attribute."""
    if any(operation.identity.entity_type == CONFIGURATION for operation in changes.operations):
        return True
    return any(identity.entity_type == CONFIGURATION for identity in result.deleted)


def _files_folder(url: str) -> Path | None:
    """The folder for files that belongs to a database in a file."""
    scheme, _, rest = url.partition("://")
    if not scheme.startswith("sqlite") or rest in ("", "/", "/:memory:"):
        return None
    path = Path(rest.removeprefix("/"))
    return path.with_name(f"{path.stem}-files")


def _document(schema: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    return _preset(schema) if isinstance(schema, str) else load_schema_document(schema)


@lru_cache(maxsize=8)
def _preset(name: str) -> Mapping[str, Any]:
    return load_schema_document(name)


class UserBackend:
    """A `Backend`: the service, as one user sees it."""

    def __init__(self, service: Service, user: str, address: str = "", store: Store | None = None) -> None:
        self._service, self._user, self._address = service, user, address
        self._store = service.store if store is None else store

    def __repr__(self) -> str:
        return f"<Backend for {self._user!r}>"

    def describe(self, known_hash: str = "") -> Description:
        """Say who you are and what you know."""
        self._access()
        self._service.refresh()
        schema = self._store.schema
        return Description(
            server="callsheet",
            version=__version__,
            time=self._service.clock(),
            schema_hash=schema.hash,
            schema=None if known_hash == schema.hash else schema,
            user=self._user,
            features=FEATURES,
        )

    def select(self, select: Select, size: int, cursor: str | None = None) -> Page:
        """At most ``size`` results, and no more than the server gives at once, after ``cursor``."""
        access = self._access()
        checked = self._checked(lambda: check(select, self._store.schema))
        check_cost(checked)
        with self._store.reading() as connection:
            return read_page(self._store, connection, checked, min(size, FEATURES.rows), cursor, access)

    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        """One tuple for each group: the group's values, then the functions'."""
        access = self._access()
        checked = self._checked(lambda: check_aggregate(aggregate, self._store.schema))
        check_cost(checked)
        with self._store.reading() as connection:
            return read_aggregate(self._store, connection, checked, access)

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> None:
        """Keep part ``number`` (from 0) of a commit that is too large for one request; may be repeated."""
        self._access()
        _bound(operations)
        writing.check_commit_id(commit_id)
        most = writing.OPERATIONS // 100
        if not 0 <= number < most:
            raise Invalid(f"the number of a part is from 0 to {most - 1:,}, not {number}")
        now = self._service.clock()
        self._store.write(
            lambda connection: receipts.stage(
                self._store, connection, self._user, commit_id, number, operations, now
            )
        )

    def commit(self, changes: ChangeSet) -> CommitResult:
        """Apply all, or nothing; once, however often it is sent."""
        access = self._access()
        _bound(changes.operations)
        if changes.parts or any(name.startswith("custom_attributes.") for name in _names(changes.operations)):
            self._service.refresh()
        try:
            return self._service.commit(changes, self._user, access)
        except Forbidden as error:
            self._refused("commit", str(error), error.entity)
            raise
        except (Invalid, NotFound) as error:
            if not access.reads_all:
                self._note_hidden(changes, access, str(error))
            raise

    @property
    def schema(self) -> Schema:
        """The schema of the store, custom attributes included."""
        return self._store.schema

    @property
    def files(self) -> FileAccess:
        """The uploaded files, as far as the user may see and change them."""
        return FileAccess(self._service.files, self, self._user)

    def together(self, function: Callable[[TransactionBackend], T]) -> T:
        """Call the function with a backend whose verbs all happen in one transaction; raising undoes all of them.

        On PostgreSQL it may be called more than once.
        """
        return in_one_transaction(self._service, self._user, self._address, function)

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Tell what happened (``history.py``); manage accounts, roles, grants; read the audit (``actions.py``).

        ``own.key`` gives one's own account another key, which everybody may; it expires when the old one would.
        """
        if action == "own.key":
            self._access()
            return {"name": self._user, "key": self._service.accounts.renew(self._user)}
        if action in history.ACTIONS:
            return self.tell(action, arguments)
        if action in handlers.ACTIONS:
            asking = handlers.HandlerRequest(self._service, self._user, self._access(), self._service.broker.recent)
            return handlers.answer(asking, action, arguments)
        try:
            self._access().permissions.authorise(action)
        except Forbidden as error:
            self._refused(action, str(error))
            raise
        return perform(self._service, action, arguments)

    def publish(self, event: Event) -> Position:
        """Tell everybody who asks for it, and keep it for some days; once for an id, however often it is sent."""
        self._access()
        return self._service.broker.publish(event, self._user)

    def events(
        self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any], limit: int
    ) -> EventBatch:
        """Events after a position (None: none yet) that fulfil any of the expressions (see `Broker.batch`)."""
        condition = condition_of(expressions)
        return self._service.broker.batch(self._access(), after, condition, subscriber, min(limit, EVENTS))

    def wait_events(self, after: Position, timeout: float) -> bool:
        """Whether there is anything after a position; blocks for so many seconds until there is."""
        if self._service.broker.closed:
            raise Closed("the service is closed; open it again to hear of events")
        return self._service.broker.wait(after, timeout)

    def at(self, position: int) -> PastBackend:
        """The server as it was after the commit of this position, to be read only."""
        return PastBackend(self, position)

    def on(self, store: Store) -> UserBackend:
        """The same user, on the store as it was at some moment."""
        return UserBackend(self._service, self._user, self._address, store)

    @property
    def snapshots(self) -> Snapshots:
        """The past of the store."""
        return self._service.snapshots

    def tell(
        self, action: str, arguments: Mapping[str, Any], until: int = history.LAST_POSITION, past: Store | None = None
    ) -> Any:
        """What happened, as far as the user may know of it, and not after the commit ``until``."""
        access = self._access()
        with self._store.reading() as connection:
            return history.answer(history.HistoryScope(self._store, connection, access, until, past), action, arguments)

    def may(self, verb: str, entity_type: str, key: str) -> bool:
        """Whether the user may do this with the entity of a key; where there is none, only who may with all.

        With an empty key: whether with any entity of the type.
        """
        access = self._access()
        if not key:
            return access.anywhere(verb, entity_type)
        if access.everywhere(verb, entity_type):
            return True
        root = self.schema.type(entity_type).root
        with self._store.reading() as connection:
            return key in access.among(verb, connection, root, [key])

    def _access(self) -> Access:
        access = self._service.access(self._user)
        # What belongs to which project is asked of the store that is read.
        return access if self._store is self._service.store else Access(access.permissions, self._store)

    def _checked(self, function: Callable[[], T]) -> T:
        """What a check gives; once more where another process has configured custom attributes meanwhile."""
        try:
            return function()
        except UsageError:
            if not self._service.refresh():
                raise
        return function()

    def _refused(self, action: str, reason: str, entity: tuple[str, Any] | None = None) -> None:
        self._service.audit.note(action, reason, account=self._user, entity=entity, address=self._address)

    def _note_hidden(self, changes: ChangeSet, access: Access, reason: str) -> None:
        """Note what a refused commit named that is there, but not for this user."""
        with self._store.reading() as connection:
            hidden = writing.hidden_from(self._store, connection, access, changes, self._user)
        for identity in hidden[:1]:
            self._refused("commit", f"may not read it; was told: {reason}", identity)


def _names(operations: Sequence[Operation]) -> Iterator[str]:
    """The attributes that operations write."""
    for operation in operations:
        if not isinstance(operation, Delete):
            yield from operation.values


def _bound(operations: Sequence[Operation]) -> None:
    if len(operations) > FEATURES.operations:
        raise TooLarge(
            f"{len(operations):,} operations in one request; at most {FEATURES.operations:,} are taken: "
            "stage larger commits in parts"
        )
