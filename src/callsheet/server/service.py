"""The server without a wire: a store, its accounts, and a `Backend` for each user.

What speaks to it (the HTTP server, a session in the same process) gets a backend for the account that asks,
and calls its verbs. Every verb asks ``permissions.py`` first; reads go to ``reading.py``, commits to
``writing.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from callsheet import __version__
from callsheet.dialects.protocol import CommitResult, Description, Features
from callsheet.errors import Invalid, NotFound, TooLarge, Unauthorised
from callsheet.model.checking import check, check_aggregate
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Aggregate, Select
from callsheet.model.record import Page
from callsheet.server import receipts, writing
from callsheet.server.accounts import Account, Accounts
from callsheet.server.computed import MOVES
from callsheet.server.constraints import lock_name
from callsheet.server.customs import CONFIGURATION
from callsheet.server.permissions import Permissions
from callsheet.server.reading import read_aggregate, read_page
from callsheet.server.rules import rules_of
from callsheet.server.schema_file import load_schema_document
from callsheet.server.seeding import SEED_COMMIT, seed_operations
from callsheet.server.store import Store

__all__ = ["ADMINISTRATOR", "Service", "UserBackend"]

ADMINISTRATOR = "admin"
FEATURES = Features()


def _now() -> datetime:
    return datetime.now(UTC)


class Service:
    """A server in this process. ``Service.open`` makes one; ``close`` it, or use it as a context manager.

    ``new_admin_key`` is the key of the account ``admin`` if it was made just now, else None.

    >>> with Service.open("memory:", {"name": "tiny", "types": {"Dot": {}}}) as service:
    ...     service.backend("anna").describe().schema.name
    'tiny'
    """

    def __init__(self, store: Store, clock: Callable[[], datetime] = _now) -> None:
        self.store, self.clock = store, clock
        self.accounts = Accounts(store, clock)
        self.new_admin_key: str | None = None

    @staticmethod
    def open(
        url: str,
        schema: str | Path | Mapping[str, Any] = "production",
        admin_key: str | None = None,
        clock: Callable[[], datetime] = _now,
        seed: bool = False,
    ) -> Service:
        """Open a database (see `Store.open`), or make a new one with this schema: a preset, a file or a document.

        A new database gets the account ``admin``, with ``admin_key`` or a key of its own; in an older one, a
        given ``admin_key`` takes the place of the one before. ``seed`` fills a new one with standard entities.
        """
        service = Service(Store.open(url, _document(schema)), clock)
        try:
            service._begin(admin_key, seed)
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

    def close(self) -> None:
        """Finish what is being written and let go of the database."""
        self.store.close()

    def backend(self, user: str) -> UserBackend:
        """The server as this user sees it. Whoever asks here has authenticated the user, or is the user."""
        return UserBackend(self, user)

    def role(self, user: str) -> str:
        """A user's role. Whoever opened the database in this process needs no account and may do everything."""
        account = self.accounts.get(user)
        if account is None:
            return "admin"
        if account.disabled:
            raise Unauthorised(f"the account `{user}` is disabled")
        return account.role

    def commit(self, changes: ChangeSet, user: str) -> CommitResult:
        """Apply a change set in one transaction; custom attributes it configures are known afterwards."""
        now = self.clock()
        result = self.store.write(lambda connection: writing.apply(self.store, connection, changes, user, now))
        if CONFIGURATION in self.store.schema.types and (changes.parts or _configures(changes, result)):
            self._reload()
        return result

    def _begin(self, admin_key: str | None, seed: bool) -> None:
        now = self.clock()
        if not self.store.created:
            self.store.write(lambda connection: receipts.drop_old_parts(self.store, connection, now))
        if self.store.engine_name != "sqlite":
            self._make_locks()
        if self.accounts.get(ADMINISTRATOR) is None:
            made = self.accounts.add(ADMINISTRATOR, "admin", admin_key)
            self.new_admin_key = made if admin_key is None else None
        elif admin_key is not None:
            self.accounts.new_key(ADMINISTRATOR, admin_key)
        if seed and self.store.created:
            self.commit(ChangeSet(SEED_COMMIT, seed_operations(self.store.schema)), ADMINISTRATOR)

    def _make_locks(self) -> None:
        """The counter row, and a row to lock for each unique combination, where writers run side by side."""
        counter = self.store.table("_counter")
        schema = self.store.schema
        rules = rules_of(schema)
        found = [rules.of(schema, name).unique for name, each in schema.types.items() if not each.abstract]
        names = {lock_name(combination) for combinations in found for combination in combinations} | {"log", MOVES}
        with self.store.reading() as connection:
            known = set(connection.execute(select(counter.c.name)).scalars())
        if missing := sorted(names - known):
            rows = [{"name": name, "value": 0} for name in missing]
            self.store.write(lambda connection: connection.execute(insert(counter), rows))

    def _reload(self) -> None:
        with self.store.reading() as connection:
            self.store.reload_custom(connection)


def _configures(changes: ChangeSet, result: CommitResult) -> bool:
    """Whether a commit touched the configuration of a custom attribute."""
    if any(operation.identity.entity_type == CONFIGURATION for operation in changes.operations):
        return True
    return any(identity.entity_type == CONFIGURATION for identity in result.deleted)


def _document(schema: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    return _preset(schema) if isinstance(schema, str) else load_schema_document(schema)


@lru_cache(maxsize=8)
def _preset(name: str) -> Mapping[str, Any]:
    return load_schema_document(name)


class UserBackend:
    """A `Backend`: the service, as one user sees it."""

    def __init__(self, service: Service, user: str) -> None:
        self._service, self._store, self._user = service, service.store, user
        self._permissions: Permissions | None = None

    def __repr__(self) -> str:
        return f"<Backend for {self._user!r}>"

    def describe(self, known_hash: str = "") -> Description:
        """Say who you are and what you know."""
        self._authorise("describe")
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
        checked = check(select, self._store.schema)
        self._authorise("select", [checked.entity_type])
        with self._store.reading() as connection:
            return read_page(self._store, connection, checked, min(size, FEATURES.rows), cursor)

    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        """One tuple for each group: the group's values, then the functions'."""
        checked = check_aggregate(aggregate, self._store.schema)
        self._authorise("aggregate", [checked.select.entity_type])
        with self._store.reading() as connection:
            return read_aggregate(self._store, connection, checked)

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> None:
        """Keep part ``number`` (from 0) of a commit that is too large for one request; may be repeated."""
        self._authorise("commit", _types(operations))
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
        self._authorise("commit", _types(changes.operations))
        _bound(changes.operations)
        return self._service.commit(changes, self._user)

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Manage accounts: ``users.add`` (name, role), ``users.list``, ``users.key`` and ``users.disable`` (name)."""
        function = _ACTIONS.get(action)
        if function is None:
            raise NotFound(f"there is no action `{action:.80}`; known are {', '.join(_ACTIONS)}")
        self._authorise(action)
        try:
            bound = signature(function).bind(self._service.accounts, **arguments)
        except TypeError as error:
            raise Invalid(f"{action}: {error}") from None
        return function(*bound.args, **bound.kwargs)

    def _authorise(self, action: str, entity_types: Sequence[str] = ()) -> None:
        if self._permissions is None or action.startswith("users."):
            self._permissions = Permissions(self._user, self._service.role(self._user))
        self._permissions.authorise(action, entity_types)


def _types(operations: Sequence[Operation]) -> list[str]:
    return list(dict.fromkeys(operation.identity.entity_type for operation in operations))


def _bound(operations: Sequence[Operation]) -> None:
    if len(operations) > FEATURES.operations:
        raise TooLarge(
            f"{len(operations):,} operations in one request; at most {FEATURES.operations:,} are taken: "
            "stage larger commits in parts"
        )


def _told(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "role": account.role,
        "disabled": account.disabled,
        "created": account.created,
        "expires": account.expires,
        "last_used": account.last_used,
    }


def _add(accounts: Accounts, name: str, role: str = "user", expires: datetime | None = None) -> dict[str, Any]:
    return {"name": name, "role": role, "key": accounts.add(name, role, expires=expires)}


def _list(accounts: Accounts) -> list[dict[str, Any]]:
    return [_told(account) for account in accounts.list()]


def _key(accounts: Accounts, name: str, expires: datetime | None = None) -> dict[str, Any]:
    return {"name": name, "key": accounts.new_key(name, expires=expires)}


def _disable(accounts: Accounts, name: str) -> None:
    accounts.disable(name)


_ACTIONS: dict[str, Callable[..., Any]] = {
    "users.add": _add,
    "users.disable": _disable,
    "users.key": _key,
    "users.list": _list,
}
