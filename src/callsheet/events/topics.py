"""Every topic that Callsheet publishes, and the shape of its data. The page is ``docs/reference/events.md``.

Topics of a session are published in this process, while the session waits: their data may hold live objects, and what
their subscribers return may count. Those of the server come from its log, to everybody who is connected. A dialect may
have further names for topics (`DialectDeclaration.topics`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NotRequired, TypedDict

from callsheet.model.operation import Operation
from callsheet.model.schema import EntityType, Schema

__all__ = [
    "AFTER_COMMIT",
    "AfterCommit",
    "BEFORE_COMMIT",
    "CLOSED",
    "COMPONENT_ADDED",
    "COMPONENT_REMOVED",
    "CONFIGURE_LOCATION",
    "CONNECTED",
    "CONSTRUCT_ENTITY_TYPE",
    "ConnectionData",
    "ConstructEntityType",
    "DISCONNECTED",
    "InLocation",
    "OfSession",
    "PAYLOADS",
    "READY",
    "REPLY",
    "RESET",
    "UPDATE",
    "UpdateData",
]

#: The session is open: its schema is known, its plugins are registered.
READY: Final = "callsheet.session.ready"
#: The session forgot everything local.
RESET: Final = "callsheet.session.reset"
#: The session was closed.
CLOSED: Final = "callsheet.session.closed"
#: Locations may be configured now; at the opening, and after a reset.
CONFIGURE_LOCATION: Final = "callsheet.session.configure-location"
#: The class of an entity type is being made; a class that a subscriber returns becomes a behaviour of it.
CONSTRUCT_ENTITY_TYPE: Final = "callsheet.session.construct-entity-type"
#: A commit is about to be sent. Subscribers may still change what is pending; a `UsageError` stops the commit.
BEFORE_COMMIT: Final = "callsheet.session.before-commit"
#: A commit was done.
AFTER_COMMIT: Final = "callsheet.session.after-commit"
#: A component has a file in a location now.
COMPONENT_ADDED: Final = "callsheet.location.component-added"
#: A component has no file in a location any more.
COMPONENT_REMOVED: Final = "callsheet.location.component-removed"
#: An entity was created, changed or deleted; from the server, one event for each entity of a commit.
UPDATE: Final = "callsheet.update"
#: The answer of a subscriber to an event, for who published that.
REPLY: Final = "callsheet.reply"
#: The hub's connection to the server is there (again).
CONNECTED: Final = "callsheet.hub.connected"
#: The hub's connection to the server is lost; it will be made again, unless it was ended.
DISCONNECTED: Final = "callsheet.hub.disconnected"


class OfSession(TypedDict):
    """``session`` is the session that published the event."""

    session: Any


class ConstructEntityType(TypedDict):
    """``entity_type`` is the type whose class is being made, ``schema`` all types."""

    session: Any
    entity_type: EntityType
    schema: Schema


class AfterCommit(TypedDict):
    """``result`` is the `CommitResult`, ``operations`` what was sent."""

    session: Any
    result: Any
    operations: Sequence[Operation]


class InLocation(TypedDict):
    """Keys of a component and of a location; where it is published in this process, the session that did it."""

    session: NotRequired[Any]
    component_id: str
    location_id: str


class ConnectionData(TypedDict):
    """``reason`` says why, where there is a reason."""

    reason: str


class UpdateData(TypedDict):
    """What happened to one entity in a commit.

    ``entity`` has ``type``, ``id`` and ``types`` (its type and those that extends); ``action`` is ``create``,
    ``update`` or ``delete``; ``changes`` has ``old`` and ``new`` for each attribute; ``added`` and ``removed`` are
    members of collections; references are ``{"type": …, "id": …}``. ``origin`` is the session that committed.
    """

    entity: Mapping[str, Any]
    action: str
    changes: Mapping[str, Mapping[str, Any]]
    added: Mapping[str, Sequence[Mapping[str, Any]]]
    removed: Mapping[str, Sequence[Mapping[str, Any]]]
    user: str
    commit_id: str
    origin: str
    time: datetime
    entity_type: str
    entity_id: str
    project_id: str | None
    version: int | None


#: The shape of the data of each topic; that of a reply is what a subscriber returned.
PAYLOADS: Final[Mapping[str, type | None]] = {
    READY: OfSession,
    RESET: OfSession,
    CLOSED: OfSession,
    CONFIGURE_LOCATION: OfSession,
    CONSTRUCT_ENTITY_TYPE: ConstructEntityType,
    BEFORE_COMMIT: OfSession,
    AFTER_COMMIT: AfterCommit,
    COMPONENT_ADDED: InLocation,
    COMPONENT_REMOVED: InLocation,
    UPDATE: UpdateData,
    REPLY: None,
    CONNECTED: ConnectionData,
    DISCONNECTED: ConnectionData,
}
