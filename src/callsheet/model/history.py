"""What has happened: commits, what each did to which entity, and one entity's history.

As plain data (dicts, lists, and values as operations hold them) they travel over every wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from callsheet.model.adjustment import Adjustment, adjustments_from_plain, adjustments_to_plain
from callsheet.model.record import Identity

__all__ = [
    "Commit",
    "EntityChange",
    "HistoryEntry",
    "Kind",
    "change_from_plain",
    "change_to_plain",
    "commit_from_plain",
    "commit_to_plain",
]

Kind: TypeAlias = Literal["create", "update", "delete"]
Members: TypeAlias = Mapping[str, tuple[Identity, ...]]


@frozen
class EntityChange:
    """The change of one entity by one commit.

    ``before`` and ``after`` hold the attributes that changed (an item of a mapping under its dotted name, a
    reference as an `Identity`); of a deleted entity ``before`` is all it held, so that it can be made again.
    ``added`` and ``removed`` are members of its many-to-many collections. ``previous`` is the position of the
    commit that touched it before, or None; ``version`` the one it has since (a deleted one: the last it had).
    ``adjusted`` says of which numbers were counted on from what they were, and how.
    """

    identity: Identity
    kind: Kind
    previous: int | None = None
    before: Mapping[str, Any] = field(factory=dict)
    after: Mapping[str, Any] = field(factory=dict)
    added: Members = field(factory=dict)
    removed: Members = field(factory=dict)
    version: int = 0
    adjusted: Mapping[str, Adjustment] = field(factory=dict)


@frozen
class Commit:
    """One commit: its place in the log, who sent it from which session, when, and what it changed."""

    position: int
    commit_id: str
    user: str
    origin: str
    time: datetime
    changes: tuple[EntityChange, ...]


@frozen
class HistoryEntry:
    """One commit, as far as it concerns one entity: who, when, what it was before and is after."""

    position: int
    commit_id: str
    user: str
    time: datetime
    origin: str
    kind: Kind
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    added: Members
    removed: Members

    @staticmethod
    def of(commit: Commit, change: EntityChange) -> HistoryEntry:
        """What a commit did to one entity."""
        return HistoryEntry(
            commit.position,
            commit.commit_id,
            commit.user,
            commit.time,
            commit.origin,
            change.kind,
            change.before,
            change.after,
            change.added,
            change.removed,
        )


def change_to_plain(change: EntityChange) -> dict[str, Any]:
    """A change as plain data; what is empty is left out.

    >>> change_to_plain(EntityChange(Identity("Task", "a"), "create", after={"bid": 2.0}, version=1))
    {'type': 'Task', 'key': 'a', 'kind': 'create', 'previous': None, 'version': 1, 'after': {'bid': 2.0}}
    """
    identity = change.identity
    plain: dict[str, Any] = {
        "type": identity.entity_type,
        "key": identity.key,
        "kind": change.kind,
        "previous": change.previous,
        "version": change.version,
    }
    for name in ("before", "after"):
        if held := getattr(change, name):
            plain[name] = dict(held)
    for name in ("added", "removed"):
        if held := getattr(change, name):
            plain[name] = {each: [list(member) for member in members] for each, members in held.items()}
    if change.adjusted:
        plain["adjusted"] = adjustments_to_plain(change.adjusted)
    return plain


def change_from_plain(plain: Mapping[str, Any]) -> EntityChange:
    """The change `change_to_plain` was given."""
    return EntityChange(
        Identity(plain["type"], plain["key"]),
        plain["kind"],
        plain.get("previous"),
        plain.get("before", {}),
        plain.get("after", {}),
        _members(plain.get("added", {})),
        _members(plain.get("removed", {})),
        plain.get("version", 0),
        adjustments_from_plain(plain.get("adjusted", {})),
    )


def _members(plain: Mapping[str, Any]) -> dict[str, tuple[Identity, ...]]:
    return {name: tuple(Identity(*member) for member in members) for name, members in plain.items()}


def commit_to_plain(commit: Commit) -> dict[str, Any]:
    """A commit as plain data."""
    return {
        "position": commit.position,
        "commit_id": commit.commit_id,
        "user": commit.user,
        "origin": commit.origin,
        "time": commit.time,
        "changes": [change_to_plain(change) for change in commit.changes],
    }


def commit_from_plain(plain: Mapping[str, Any]) -> Commit:
    """The commit `commit_to_plain` was given."""
    return Commit(
        plain["position"],
        plain["commit_id"],
        plain["user"],
        plain["origin"],
        plain["time"],
        tuple(change_from_plain(change) for change in plain["changes"]),
    )
