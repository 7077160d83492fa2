"""A small schema with one of everything the write path knows, and a service on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from callsheet.dialects.protocol import CommitResult
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.server.log.commits import EntityChange, entries
from callsheet.server.service import Service
from documents import CONFIGURATION, NODE, TAG, TASK, USER, VERSION

START = datetime(2026, 5, 1, 12, tzinfo=UTC)

_WHO = {"type": "reference", "target": "User"}
DOCUMENT: dict[str, Any] = {
    "name": "studio",
    "types": {
        "Node": {
            "abstract": True,
            "unique": [["parent", "name"]],
            "attributes": {
                **NODE,
                "created_by": {**_WHO, "computed": "created_by"},
                "updated_by": {**_WHO, "computed": "updated_by"},
            },
        },
        "Project": {"extends": "Node"},
        "Shot": {"extends": "Node", "attributes": {"fps": {"type": "number", "default": 24}}},
        "Task": {
            "extends": "Node",
            "attributes": {
                **TASK,
                "note": {"type": "string"},
                "started": {"type": "datetime", "default": "{now}"},
            },
        },
        "Status": {"attributes": {"name": {"type": "string", "required": True, "unique": True}}},
        "Tag": TAG,
        "User": USER,
        "Version": {**VERSION, "unique": [["task", "number"]]},
        "CustomAttributeConfiguration": CONFIGURATION,
    },
}


class Studio:
    """A service with a clock that moves a second with each commit, and short ways to commit and read."""

    def __init__(self, service: Service) -> None:
        self.service, self.store, self.count = service, service.store, 0

    def commit(self, *operations: Operation, user: str = "admin", **options: Any) -> CommitResult:
        """Commit under a new id, or the one given."""
        self.count += 1
        options.setdefault("commit_id", f"commit-{self.count}")
        return self.service.backend(user).commit(ChangeSet(operations=operations, **options))

    def row(self, identity: Identity) -> dict[str, Any] | None:
        """The row of an entity, as the table holds it."""
        table = self.store.tables[self.store.schema.types[identity.entity_type].root]
        with self.store.reading() as connection:
            found = connection.execute(table.select().where(table.c.id == identity.key)).mappings().first()
        return None if found is None else dict(found)

    def value(self, identity: Identity, name: str) -> Any:
        """One column of an entity."""
        row = self.row(identity)
        assert row is not None, f"{identity} is not there"
        return row[name]

    def links(self, name: str) -> set[tuple[str, str]]:
        """The pairs of a link table."""
        table = self.store.layout.metadata.tables[name]
        with self.store.reading() as connection:
            return {(owner, member) for owner, member in connection.execute(table.select())}

    def changes(self, position: int) -> dict[Identity, EntityChange]:
        """What the log says of a commit, by entity."""
        with self.store.reading() as connection:
            (entry,) = entries(self.store, connection, position - 1, 1)
        assert entry.position == position
        return {change.identity: change for change in entry.changes}


@contextmanager
def open_studio(url: str = "memory:", document: dict[str, Any] = DOCUMENT, analytics: bool = False) -> Iterator[Studio]:
    """A studio in memory, closed afterwards."""
    held: list[Studio] = []

    def clock() -> datetime:
        return START + timedelta(seconds=held[0].count if held else 0)

    with Service.open(url, document, clock=clock, analytics=analytics) as service:
        held.append(Studio(service))
        yield held[0]


def project(key: str, **values: Any) -> Create:
    return Create(Identity("Project", key), {"name": key, **values})


def shot(key: str, parent: Identity | None = None, **values: Any) -> Create:
    return Create(Identity("Shot", key), {"name": key, "parent": parent, **values})


def task(key: str, parent: Identity | None = None, **values: Any) -> Create:
    return Create(Identity("Task", key), {"name": key, "parent": parent, **values})


def status(key: str, **values: Any) -> Create:
    return Create(Identity("Status", key), {"name": key, **values})


def update(identity: Identity, version: int | None = None, before: Any = None, **values: Any) -> Update:
    return Update(identity, values, before or {}, version=version)


__all__ = [
    "DOCUMENT",
    "START",
    "Create",
    "Delete",
    "Identity",
    "Studio",
    "Update",
    "open_studio",
    "project",
    "shot",
    "status",
    "task",
    "update",
]
