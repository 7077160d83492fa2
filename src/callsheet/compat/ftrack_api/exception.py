"""Errors under the vendor's names. Each is an error of Callsheet's too, so that both kinds of ``except`` work.

Theory. The vendor's tree is another one than ours: all that a server refuses is one ``ServerError`` there. What a
session raises becomes an error of a class made of both: the vendor's class, found by the nearest error of ours in
`COUNTERPARTS`, and our own. So ``except ftrack_api.exception.ServerError`` catches a conflict, and
``except callsheet.errors.Conflict`` catches the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from callsheet import errors

__all__ = ["COUNTERPARTS", "Error", "translated", "translating"]


class Error(errors.CallsheetError):
    """The root of the vendor's errors; it has ``message`` and ``details``."""

    default_message = "Unspecified error occurred."

    def __init__(self, message: str | None = None, details: Mapping[str, Any] | None = None, **facts: Any) -> None:
        self.message = self.default_message if message is None else message
        self.details: Any = dict(details or {})
        Exception.__init__(self, self.message)


#: The vendor's classes: name, parent, and what they say where nothing else is said.
_TREE = (
    ("AuthenticationError", "Error", "Authentication error."),
    ("ServerError", "Error", "Server reported error processing request."),
    ("ServerCompatibilityError", "ServerError", "Server incompatible."),
    ("NotFoundError", "Error", "Not found."),
    ("NotUniqueError", "Error", "Non-unique value detected."),
    ("IncorrectResultError", "Error", "Incorrect result detected."),
    ("NoResultFoundError", "IncorrectResultError", "Expected result, but no result was found."),
    ("MultipleResultsFoundError", "IncorrectResultError", "Expected single result, but received multiple results."),
    ("EntityTypeError", "Error", "Entity type error."),
    ("UnrecognisedEntityTypeError", "EntityTypeError", "Entity type not recognised."),
    ("OperationError", "Error", "Operation error."),
    ("InvalidStateError", "Error", "Invalid state."),
    ("InvalidStateTransitionError", "InvalidStateError", "Invalid transition of states."),
    ("AttributeError", "Error", "Attribute error."),
    ("ImmutableAttributeError", "AttributeError", "Cannot modify the value of an immutable attribute."),
    ("CollectionError", "Error", "Collection error."),
    ("ImmutableCollectionError", "CollectionError", "Cannot modify an immutable collection."),
    ("DuplicateItemInCollectionError", "CollectionError", "The item is in the collection already."),
    ("ParseError", "Error", "Failed to parse."),
    ("EventHubError", "Error", "Event hub error occurred."),
    ("EventHubConnectionError", "EventHubError", "Event hub is not connected."),
    ("EventHubPacketError", "EventHubError", "Invalid packet."),
    ("PermissionDeniedError", "Error", "Permission denied."),
    ("LocationError", "Error", "Unspecified location error"),
    ("ComponentNotInAnyLocationError", "LocationError", "Component not available in any location."),
    ("ComponentNotInLocationError", "LocationError", "Component not found in location."),
    ("ComponentInLocationError", "LocationError", "Component already in location."),
    ("AccessorError", "Error", "Unspecified accessor error"),
    ("AccessorOperationFailedError", "AccessorError", "Operation failed."),
    ("AccessorUnsupportedOperationError", "AccessorOperationFailedError", "Operation unsupported."),
    ("AccessorPermissionDeniedError", "AccessorOperationFailedError", "Permission denied."),
    ("AccessorResourceIdentifierError", "AccessorError", "Resource identifier is invalid."),
    ("AccessorFilesystemPathError", "AccessorResourceIdentifierError", "No filesystem path can be determined."),
    ("AccessorResourceError", "AccessorError", "Unspecified resource error."),
    ("AccessorResourceNotFoundError", "AccessorResourceError", "Resource not found."),
    ("AccessorParentResourceNotFoundError", "AccessorResourceError", "Parent resource is missing."),
    ("AccessorResourceInvalidError", "AccessorResourceError", "Resource invalid."),
    ("AccessorContainerNotEmptyError", "AccessorResourceError", "Container is not empty."),
    ("StructureError", "Error", "Unspecified structure error"),
    ("ConnectionClosedError", "Error", "Connection closed."),
)

for _name, _parent, _message in _TREE:
    globals()[_name] = type(
        _name, (globals()[_parent],), {"__module__": __name__, "default_message": _message, "__doc__": _message}
    )

#: Which of the vendor's errors stands for an error of ours, and all below it that have none nearer.
COUNTERPARTS: dict[type[errors.CallsheetError], str] = {
    errors.ServerError: "ServerError",
    errors.CommitError: "ServerError",
    errors.TransportError: "ServerError",
    errors.NoResult: "NoResultFoundError",
    errors.MultipleResults: "MultipleResultsFoundError",
    errors.Closed: "ConnectionClosedError",
    errors.QueryError: "ServerError",
    errors.StateError: "InvalidStateError",
    errors.SchemaError: "AttributeError",
    errors.StorageError: "LocationError",
    errors.NotInLocation: "ComponentNotInLocationError",
    errors.AlreadyThere: "ComponentInLocationError",
    errors.FileMissing: "AccessorResourceNotFoundError",
    errors.UnsafePath: "AccessorFilesystemPathError",
    errors.Unsupported: "AccessorUnsupportedOperationError",
    errors.StructureError: "StructureError",
}


def translated(error: errors.CallsheetError, name: str | None = None) -> errors.CallsheetError:
    """The error as one of the vendor's too (of this name, or the counterpart); others are given back as they are."""
    found = name or next((COUNTERPARTS[kind] for kind in type(error).__mro__ if kind in COUNTERPARTS), None)
    if found is None or isinstance(error, Error):
        return error
    kind = _of_both(globals()[found], type(error))  # type: ignore[arg-type]
    made: Any = kind.__new__(kind)
    details = getattr(error, "details", {})
    made.__dict__.update(error.__dict__, message=_text(error, details), details=details)
    made.args = (made.message,)
    return made  # type: ignore[no-any-return]


@cache
def _of_both(theirs: type[Error], ours: type[errors.CallsheetError]) -> type[errors.CallsheetError]:
    return type(theirs.__name__, (theirs, ours), {"__module__": __name__, "__doc__": ours.__doc__})


def _text(error: errors.CallsheetError, details: Any) -> str:
    """What the vendor's client says: scripts look for the server's own names in it."""
    reported = details.get("exception") if isinstance(details, Mapping) else None
    return f"Server reported error: {reported}({error})" if reported else str(error)


@contextmanager
def translating(name: str | None = None) -> Iterator[None]:
    """Within, errors of Callsheet's are raised as the vendor's.

    >>> with translating("NotUniqueError"):
    ...     raise errors.StateError("a timer is running")
    Traceback (most recent call last):
    callsheet.compat.ftrack_api.exception.NotUniqueError: a timer is running
    """
    try:
        yield
    except errors.CallsheetError as error:
        known = translated(error, name)
        if known is error:
            raise
        raise known.with_traceback(error.__traceback__) from error.__cause__
