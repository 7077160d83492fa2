"""Operations: the changes of a script as frozen data, to be printed, sent, stored or undone.

They refer to entities by identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from callsheet.model.adjustment import Adjustment
from callsheet.model.record import Identity
from callsheet.model.table_steps import Step

__all__ = [
    "Change", "ChangeSet", "Create", "Delete", "Effect", "Operation", "OperationOutcome", "Update", "handler_origin",
]  # fmt: skip


@frozen
class Create:
    """An entity comes into being.

    ``values`` maps attribute names to values; a reference's value is an `Identity` or None; an item of a
    mapping has a dotted name (``metadata.colour``). ``added`` maps many-to-many collections to the
    identities of their members.
    """

    identity: Identity
    values: Mapping[str, Any] = field(factory=dict)
    added: Mapping[str, tuple[Identity, ...]] = field(factory=dict)


@frozen
class Update:
    """Attributes get new values.

    ``values`` as in `Create` (None under a dotted name removes the item); ``before`` holds what was there,
    for those attributes where it is known. ``added`` and ``removed`` are the members that join and leave
    many-to-many collections. ``version`` is the entity's version when its values were read, where known.
    ``adjusted`` are numbers that are counted on from, whatever they are; they are not among the ``values``, and their
    ``before`` is no condition.
    """

    identity: Identity
    values: Mapping[str, Any] = field(factory=dict)
    before: Mapping[str, Any] = field(factory=dict)
    added: Mapping[str, tuple[Identity, ...]] = field(factory=dict)
    removed: Mapping[str, tuple[Identity, ...]] = field(factory=dict)
    version: int | None = None
    adjusted: Mapping[str, Adjustment] = field(factory=dict)


@frozen
class Delete:
    """An entity ends; what the schema says of its relations (cascade, nullify, restrict) happens with it."""

    identity: Identity
    version: int | None = None


Operation: TypeAlias = Create | Update | Delete


@frozen
class OperationOutcome:
    """The outcome of one operation of a commit to a server without transactions.

    ``state`` is ``"done"``, ``"refused"`` (with the ``reason``), ``"not sent"``, or ``"unknown"``: it was sent, and no
    answer came.
    """

    operation: Operation
    state: str
    reason: str = ""


@frozen
class Effect:
    """The event that a commit is a handler's answer to.

    ``handler`` is the handler's name, ``position`` and ``index`` are the event's place in the log, ``lease`` says
    which attempt it is: the server applies the commit if that attempt still holds the event, and takes the event
    off the handler's queue in the same transaction.
    """

    handler: str
    position: int
    index: int
    lease: str


def handler_origin(handler: str) -> str:
    """The origin of the commits that a handler makes.

    >>> handler_origin("roll-up")
    'handler:roll-up'
    """
    return f"handler:{handler}"


@frozen
class ChangeSet:
    """What one commit sends: compressed operations, in an order in which each refers only to what exists.

    ``commit_id`` makes it safe to send again: the server applies it once and keeps the answer.
    ``parts`` counts operations staged beforehand, in as many parts, under the same id; ``operations`` follow
    them. ``policy`` says what happens to an attribute whose value differs from ``before`` on the server.
    ``origin`` names the session that sends it. ``effect`` is the event it answers, in a durable handler.
    ``agree`` says whether a value that somebody else has written meanwhile, and that is the one wanted here, counts as
    such a difference: False as one, True as none (numbers always do), None as the schema says. ``steps`` are what is
    done to user tables in the same transaction, after the operations.
    """

    commit_id: str
    operations: tuple[Operation, ...]
    parts: int = 0
    policy: str = "raise"
    origin: str = ""
    effect: Effect | None = None
    agree: bool | None = None
    steps: tuple[Step, ...] = ()


@frozen
class Change:
    """One attribute in conflict: the value ours was based on, ours, and theirs on the server."""

    identity: Identity
    attribute: str
    base: Any
    ours: Any
    theirs: Any
