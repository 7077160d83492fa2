"""All topics that Callsheet publishes, and the structure of their data; see ``docs/reference/events.md``.

Topics of a session are published in this process, while the session waits: their data may contain live objects, and the
results of subscribers may be used. Topics of the server come from its log, to all connected hubs. A dialect may have
alternative names for topics (`DialectDeclaration.topics`).
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
    "SCHEMA_CHANGED",
    "SchemaChanged",
    "UPDATE",
    "UpdateData",
]

#: The session is open: its schema is known, its plugins are registered.
READY: Final = "callsheet.session.ready"
#: The session was reset: all local state was discarded.
RESET: Final = "callsheet.session.reset"
#: The session was closed.
CLOSED: Final = "callsheet.session.closed"
#: Locations may be configured now; at the opening, and after a reset.
CONFIGURE_LOCATION: Final = "callsheet.session.configure-location"
#: The class of an entity type is being made; a class that a subscriber returns becomes a behaviour of it.
CONSTRUCT_ENTITY_TYPE: Final = "callsheet.session.construct-entity-type"
#: A commit is about to be sent. Subscribers may still change pending operations; a `UsageError` stops the commit.
BEFORE_COMMIT: Final = "callsheet.session.before-commit"
#: A commit was applied.
AFTER_COMMIT: Final = "callsheet.session.after-commit"
#: A component was added to a location.
COMPONENT_ADDED: Final = "callsheet.location.component-added"
#: A component was removed from a location.
COMPONENT_REMOVED: Final = "callsheet.location.component-removed"
#: An entity was created, changed or deleted; from the server, one event for each entity of a commit.
UPDATE: Final = "callsheet.update"
#: The schema of the server was changed: `reload_schema` reads the new one.
SCHEMA_CHANGED: Final = "callsheet.schema-changed"
#: The reply of a subscriber to an event, for its publisher.
REPLY: Final = "callsheet.reply"
#: The hub is connected to the server (again).
CONNECTED: Final = "callsheet.hub.connected"
#: The hub has lost its connection to the server; it reconnects, unless it was disconnected.
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
    """``result`` is the `CommitResult`, ``operations`` are the sent operations."""

    session: Any
    result: Any
    operations: Sequence[Operation]


class InLocation(TypedDict):
    """Keys of a component and a location; ``session`` only if it is published in this process."""

    session: NotRequired[Any]
    component_id: str
    location_id: str


class ConnectionData(TypedDict):
    """``reason`` is the reason, empty if there is none."""

    reason: str


class UpdateData(TypedDict):
    """The change of one entity in a commit.

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


#: The structure of the data of each topic; the data of a reply is the subscriber's result.
class SchemaChanged(TypedDict):
    """``position`` is that of the change in the log, ``hash`` that of the schema's document."""

    position: int
    hash: str


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
    SCHEMA_CHANGED: SchemaChanged,
    REPLY: None,
    CONNECTED: ConnectionData,
    DISCONNECTED: ConnectionData,
}
