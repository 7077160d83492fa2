"""Everything Callsheet raises, grouped by what a caller would do about it.

CallsheetError
├─ UsageError            the call is wrong: fix the code
│  ├─ SchemaError           a type, attribute or value the schema does not allow
│  │  ├─ UnknownAttribute      also an AttributeError and a KeyError
│  │  ├─ UnknownType           also an AttributeError
│  │  └─ UnknownName           no table or variable is called so; also a KeyError
│  │     └─ AmbiguousName         several are
│  ├─ QueryError            a query that cannot be read; has position and hint
│  ├─ CapabilityError       this account may not do it here; names the conditions that failed
│  └─ StateError            right call, wrong moment
│     ├─ NotLoaded             the value is on the server only
│     ├─ ForbiddenRequest      this session may not talk to its server
│     ├─ Detached              the entity is deleted, or belongs to no session
│     ├─ Closed                the session is closed
│     └─ WrongThread           one session, one thread at a time
├─ ResultError           a query found more or fewer entities than required
│  ├─ NoResult
│  └─ MultipleResults
├─ ServerError           the server refused the request
│  ├─ Unauthorised          the API key is missing or wrong
│  ├─ Forbidden             this account may not do it
│  ├─ NotFound              it does not exist
│  ├─ Conflict              another session changed it meanwhile
│  │  └─ AlreadyHandled        another attempt has, or may have, done what the event asks for
│  ├─ Invalid               the server's rules refuse the values
│  ├─ TooLarge              more than the server takes at once
│  └─ Unavailable           not now: may be retried later
├─ TransportError        no answer: may be retried
│  ├─ Timeout
│  └─ Disconnected
├─ CommitError           a commit failed: which operation, which entity; nothing local is lost
│  ├─ MissingValues         required attributes of new entities have no value; nothing was sent
│  └─ ConflictError         base, ours and theirs of every attribute in conflict
├─ StorageError          a file, a disk or a journal
│  ├─ FileMissing           there is no file under this identifier
│  ├─ AlreadyThere          the place is taken, or the component is in the location already
│  ├─ NotInLocation         the component has no file in this location
│  ├─ UnsafePath            an identifier that leads out of its location
│  ├─ Unsupported           this kind of storage cannot do that
│  ├─ StructureError        no identifier can be made for this component
│  ├─ DamagedCopy           the copy differs from its source
│  ├─ RegistrationInDoubt   files are there; whether their rows are is not known
│  └─ MountMissing          the disk of a location is not mounted on this machine
└─ PluginError           a plugin could not be loaded
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "AlreadyHandled",
    "AlreadyThere",
    "AmbiguousName",
    "CallsheetError",
    "CapabilityError",
    "Closed",
    "CommitError",
    "Conflict",
    "ConflictError",
    "DamagedCopy",
    "Detached",
    "Disconnected",
    "FileMissing",
    "Forbidden",
    "ForbiddenRequest",
    "Invalid",
    "MountMissing",
    "MultipleResults",
    "NoResult",
    "NotFound",
    "NotInLocation",
    "NotLoaded",
    "PluginError",
    "QueryError",
    "RegistrationInDoubt",
    "ResultError",
    "SchemaError",
    "ServerError",
    "StateError",
    "StorageError",
    "StructureError",
    "Timeout",
    "TooLarge",
    "TransportError",
    "Unauthorised",
    "Unavailable",
    "UnknownAttribute",
    "UnknownName",
    "UnknownType",
    "UnsafePath",
    "Unsupported",
    "UsageError",
    "WrongThread",
]


class CallsheetError(Exception):
    """The base of all errors that Callsheet raises."""

    def __str__(self) -> str:
        # KeyError, a base of UnknownAttribute, would quote the message.
        return str(self.args[0]) if self.args else ""


class UsageError(CallsheetError):
    """The call is wrong; trying again will not help."""


class SchemaError(UsageError):
    """The schema does not allow this type, attribute or value."""


class UnknownAttribute(SchemaError, AttributeError, KeyError):
    """The entity type has no attribute of this name."""


class UnknownType(SchemaError, AttributeError):
    """The schema has no entity type of this name; or the session has nothing of this name."""


class UnknownName(SchemaError, KeyError):
    """No table or variable is called so."""


class AmbiguousName(UnknownName):
    """Several tables or variables are called so; the message lists them."""


class QueryError(UsageError):
    """A query cannot be read. ``position`` is the offset in the text (-1: unknown), ``hint`` a proposal.

    ``place`` is where it is in a query as JSON: ``__query__.created_at.__time__``.
    """

    def __init__(self, message: str, position: int = -1, hint: str = "", text: str = "", place: str = "") -> None:
        self.message, self.position, self.hint, self.text = message, position, hint, text
        self.place = place
        lines = [f"{place}: {message}" if place else message]
        if text and position >= 0:
            start = max(0, position - 60)
            lines += [f"  {text[start : position + 40]}", "  " + " " * (position - start) + "^"]
        if hint:
            lines.append(f"  hint: {hint}")
        super().__init__("\n".join(lines))


class CapabilityError(UsageError):
    """The account may not do it here, and nothing was sent.

    ``capability`` is its name, ``failed`` the conditions that are not fulfilled, ``cure`` what would help.
    """

    def __init__(self, message: str, *, capability: str, failed: tuple[str, ...], cure: str) -> None:
        super().__init__(message)
        self.capability, self.failed, self.cure = capability, failed, cure


class StateError(UsageError):
    """The call is correct, but not possible in the present state."""


class NotLoaded(StateError):
    """The value is on the server and was not fetched; the message says how to fetch it."""


class ForbiddenRequest(StateError):
    """A session that may not talk to its server would have sent a request; the message names it and the line."""


class Detached(StateError):
    """The entity was deleted, rolled back, or belongs to no session any more."""


class Closed(StateError):
    """The session is closed."""


class WrongThread(StateError):
    """A session is used by a thread that does not own it; ``session.fork()`` gives each thread its own."""


class ResultError(CallsheetError):
    """A query found more or fewer entities than the call requires."""


class NoResult(ResultError):
    """``one()`` found nothing."""


class MultipleResults(ResultError):
    """``one()`` found more than one."""


class ServerError(CallsheetError):
    """The server refused. ``operation`` is the index in the batch, where one operation was at fault.

    ``entity`` is the ``(type, key)`` of the entity concerned, ``attribute`` its attribute, ``details``
    whatever else the server told, as plain data.
    """

    kind = "error"
    status = 500

    def __init__(
        self,
        message: str,
        *,
        operation: int | None = None,
        entity: tuple[str, Any] | None = None,
        attribute: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.operation, self.entity, self.attribute = operation, entity, attribute
        self.details: dict[str, Any] = dict(details or {})


class Unauthorised(ServerError):
    """The user or the API key is missing, wrong, disabled or expired."""

    kind, status = "unauthorised", 401


class Forbidden(ServerError):
    """The user may not do this."""

    kind, status = "forbidden", 403


class NotFound(ServerError):
    """There is no such entity, type or address, or it is hidden from this user."""

    kind, status = "not_found", 404


class Conflict(ServerError):
    """Another session changed it meanwhile; ``details["conflicts"]`` lists the attributes."""

    kind, status = "conflict", 409


class AlreadyHandled(Conflict):
    """The event of a handler's commit is no longer its own: it was handled, or its lease ran out. Nothing was done."""

    kind = "already_handled"


class Invalid(ServerError):
    """The values break a rule of the server: required, unique, reference, limit of a query."""

    kind, status = "invalid", 422


class TooLarge(ServerError):
    """The request is larger than the server takes at once."""

    kind, status = "too_large", 413


class Unavailable(ServerError):
    """The server cannot answer now. ``retry_after`` is the server's advice, in seconds."""

    kind, status = "unavailable", 503
    retry_after: float | None = None


class TransportError(CallsheetError):
    """No answer came, or it was not readable."""


class Timeout(TransportError):
    """The answer did not come in time."""


class Disconnected(TransportError):
    """The connection could not be made, or was lost."""


class CommitError(CallsheetError):
    """A commit failed as a whole; everything recorded is still pending.

    ``operation`` is the failing operation (or None), ``index`` its place in the change set, ``entity``
    its identity, ``attribute`` its attribute. Commit again after a repair, or ``rollback()``.

    A server without transactions may have done a part: ``outcomes`` says of each operation what became of it, and
    only what was not done is still pending. Elsewhere it is empty. Of a plan that was being applied, ``result`` is the
    `SyncResult` of the commits before this one.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: Any = None,
        index: int | None = None,
        entity: tuple[str, Any] | None = None,
        attribute: str | None = None,
        outcomes: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(message)
        self.operation, self.index, self.entity, self.attribute = operation, index, entity, attribute
        self.outcomes = outcomes
        self.result: Any = None


class MissingValues(CommitError):
    """Required attributes have no value; nothing was sent. ``missing`` maps each entity's identity to their names."""

    def __init__(self, message: str, *, missing: Mapping[Any, tuple[str, ...]], **facts: Any) -> None:
        super().__init__(message, **facts)
        self.missing = missing


class ConflictError(CommitError):
    """Another session changed what this commit changes; ``conflicts`` lists every attribute concerned."""

    def __init__(self, message: str, *, conflicts: tuple[Any, ...] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.conflicts = conflicts


class StorageError(CallsheetError):
    """A file, a disk or a journal refused."""


class FileMissing(StorageError):
    """There is no file under this identifier."""


class AlreadyThere(StorageError):
    """The place is taken by another file, or the component is in the location already; nothing is overwritten."""


class NotInLocation(StorageError):
    """The component has no file in this location. ``components`` are the keys of those that have none."""

    components: tuple[str, ...] = ()


class UnsafePath(StorageError):
    """An identifier leads out of its location; nothing was opened."""


class Unsupported(StorageError):
    """This kind of storage does not support the call, such as giving a path on disk."""


class StructureError(StorageError):
    """The structure of a location cannot make an identifier for a component."""


class DamagedCopy(StorageError):
    """The copy differs from its source; it was removed."""


class RegistrationInDoubt(StorageError):
    """No answer came to the commit of a transfer. Its files are kept; ``location.recover()`` finishes or undoes it."""


class MountMissing(StorageError):
    """The disk of a location is not mounted on this machine, or has no mount point for its operating system."""


class PluginError(CallsheetError):
    """A plugin could not be imported or registered."""
