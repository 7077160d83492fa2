"""The verbs every server understands, in the two shapes they take.

A `Backend` is a server in plain calls (the embedded server's service is one). A `Dialect` is the client's
side: the same verbs as flows, which talk some wire language, or call a backend directly (``local.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from callsheet.flow import Flow
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Aggregate, Select
from callsheet.model.record import Identity, Page
from callsheet.model.schema import Schema

__all__ = ["Backend", "CommitResult", "Description", "Dialect", "Features", "HistoricDialect", "VerifyingDialect"]


@frozen
class Features:
    """What a server can do; the core asks before it tries.

    ``operations`` and ``bytes`` bound one request of a commit (larger commits are staged in parts, when
    ``staging``); ``rows`` bounds a page and ``literals`` the values in one ``in`` list.
    """

    atomic: bool = True
    assigns_keys: bool = False
    versions: bool = True
    commit_ids: bool = True
    aggregate: bool = True
    staging: bool = True
    history: bool = True
    operations: int = 5_000
    bytes: int = 8 * 2**20
    rows: int = 1_000
    literals: int = 1_000


@frozen
class Description:
    """What a server says of itself. ``schema`` is None when the hash the client knows is still right."""

    server: str
    version: str
    time: datetime
    schema_hash: str
    schema: Schema | None
    user: str = ""
    features: Features = field(factory=Features)


@frozen
class CommitResult:
    """What became of a change set.

    ``position`` is its number in the server's commit log; ``versions`` the new version of each operation's
    entity (None for deletes); ``merged`` the indices of updates whose entity had been changed by somebody
    else since (other attributes, or a policy decided); ``deleted`` what went with the deletes by cascade;
    ``replayed`` says that the commit had been done before, and this is its first answer again.
    """

    commit_id: str
    position: int
    time: datetime
    versions: Sequence[int | None]
    merged: Sequence[int] = ()
    deleted: Sequence[Identity] = ()
    replayed: bool = False


class Backend(Protocol):
    """A server, seen by one user. Every verb raises the errors of ``callsheet.errors``."""

    def describe(self, known_hash: str = "") -> Description:
        """Say who you are and what you know."""

    def select(self, select: Select, size: int, cursor: str | None = None) -> Page:
        """At most ``size`` results, after ``cursor``."""

    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        """One tuple for each group: the group's values, then the functions'."""

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> None:
        """Keep part ``number`` (from 0) of a commit that is too large for one request; may be repeated."""

    def commit(self, changes: ChangeSet) -> CommitResult:
        """Apply all, or nothing; once, however often it is sent."""

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Anything else a server offers, by name, with plain data."""

    def at(self, position: int) -> Backend:
        """The server as it was after the commit of this position, to be read only; where it keeps a history."""


class Dialect(Protocol):
    """The same verbs as flows."""

    name: str

    def describe(self, known_hash: str = "") -> Flow[Description]: ...

    def select(self, select: Select, size: int, cursor: str | None = None) -> Flow[Page]: ...

    def aggregate(self, aggregate: Aggregate) -> Flow[list[tuple[Any, ...]]]: ...

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> Flow[None]: ...

    def commit(self, changes: ChangeSet) -> Flow[CommitResult]: ...

    def call(self, action: str, arguments: Mapping[str, Any]) -> Flow[Any]: ...

    def learn(self, schema: Schema) -> None:
        """Know the schema that replies are decoded by."""


@runtime_checkable
class HistoricDialect(Dialect, Protocol):
    """A dialect of a server that can be read as it was."""

    def at(self, position: int) -> Dialect:
        """The same server as it was after the commit of this position, to be read only."""


@runtime_checkable
class VerifyingDialect(Dialect, Protocol):
    """A dialect of a server that knows no commit ids, but can be asked what became of a commit."""

    def verify(self, changes: ChangeSet) -> Flow[CommitResult | None]:
        """The result of a change set that was sent and not answered, or None where it was not done."""
        ...
