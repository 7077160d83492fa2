"""Several verbs in one transaction, for wires whose requests are batches (see `UserBackend.together`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from callsheet import collector
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Forbidden
from callsheet.model.language.checking import check, check_aggregate
from callsheet.model.operation import ChangeSet
from callsheet.model.query import Aggregate, Select
from callsheet.model.record import Page
from callsheet.model.schema import Schema
from callsheet.server.access.access import Access
from callsheet.server.access.audit import Audit
from callsheet.server.log.broker import Broker
from callsheet.server.reading.cost import check_cost
from callsheet.server.reading.pages import read_aggregate, read_page
from callsheet.server.store.store import Store
from callsheet.server.writing import apply as writing
from callsheet.server.writing.custom_attributes import CONFIGURATION

__all__ = ["TransactionBackend", "in_one_transaction"]

T = TypeVar("T")


class TransactionHost(Protocol):
    """What a transaction needs of a service."""

    store: Store
    clock: Callable[[], datetime]
    audit: Audit
    broker: Broker

    def access(self, user: str) -> Access: ...

    def reload(self) -> None: ...


def in_one_transaction(
    service: TransactionHost, user: str, address: str, function: Callable[[TransactionBackend], T]
) -> T:
    """What the function gives; all that it did is done when this returns, and nothing of it where it raised."""

    def work(connection: Connection) -> tuple[T, TransactionBackend]:
        inside = TransactionBackend(service, user, connection)
        with collector.paused():
            return function(inside), inside

    try:
        answer, inside = service.store.write(work)
    except Forbidden as error:
        service.audit.note("commit", str(error), account=user, entity=error.entity, address=address)
        raise
    if inside.position:
        service.broker.announce(inside.position)
    if inside.configures:
        service.reload()
    return answer


class TransactionBackend:
    """A server seen by one user from inside of a transaction; what it reads is what it has written."""

    def __init__(self, service: TransactionHost, user: str, connection: Connection) -> None:
        self._store, self._user, self._connection = service.store, user, connection
        self._now = service.clock()
        self._access = service.access(user)
        self.configures = False
        self.position = 0
        """That of the last commit, or 0."""

    @property
    def schema(self) -> Schema:
        return self._store.schema

    def select(self, select: Select, size: int, cursor: str | None = None) -> Page:
        """At most ``size`` results, after ``cursor``."""
        checked = check(select, self._store.schema)
        check_cost(checked)
        with self._store.limited(self._connection):
            return read_page(self._store, self._connection, checked, size, cursor, self._access)

    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        """One tuple for each group."""
        checked = check_aggregate(aggregate, self._store.schema)
        check_cost(checked)
        with self._store.limited(self._connection):
            return read_aggregate(self._store, self._connection, checked, self._access)

    def commit(self, changes: ChangeSet) -> CommitResult:
        """Apply a change set as a part of the transaction; at most as many operations as all parts of a commit."""
        result = writing.apply(self._store, self._connection, changes, self._user, self._now, self._access)
        self.position = result.position
        touched = [operation.identity for operation in changes.operations]
        if any(identity.entity_type == CONFIGURATION for identity in (*touched, *result.deleted)):
            self.configures = True
        return result

    def may(self, verb: str, entity_type: str, key: str) -> bool:
        """Whether the user may do this with the entity of a key; where there is none, only who may with all."""
        if not key:
            return self._access.anywhere(verb, entity_type)
        root = self.schema.type(entity_type).root
        return key in self._access.among(verb, self._connection, root, [key])

    def call(self, action: str, arguments: Any) -> Any:
        raise NotImplementedError(f"{action} has a transaction of its own")

    def together(self, function: Callable[[TransactionBackend], T]) -> T:
        """Call the function with this backend: the transaction is there already."""
        return function(self)
