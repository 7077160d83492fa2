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

START = datetime(2026, 5, 1, 12, tzinfo=UTC)

DOCUMENT: dict[str, Any] = {
    "name": "studio",
    "types": {
        "Node": {
            "abstract": True,
            "unique": [["parent", "name"]],
            "attributes": {
                "name": {"type": "string", "required": True},
                "parent": {"type": "reference", "target": "Node", "inverse": "children", "on_delete": "cascade"},
                "children": {"type": "collection", "target": "Node", "inverse": "parent"},
                "project": {"type": "reference", "target": "Project", "computed": "ancestor:Project"},
                "created_at": {"type": "datetime", "computed": "created_at"},
                "updated_at": {"type": "datetime", "computed": "updated_at"},
                "created_by": {"type": "reference", "target": "User", "computed": "created_by"},
                "updated_by": {"type": "reference", "target": "User", "computed": "updated_by"},
                "metadata": {"type": "mapping"},
                "custom_attributes": {"type": "mapping", "items": "custom"},
            },
        },
        "Project": {"extends": "Node"},
        "Shot": {"extends": "Node", "attributes": {"fps": {"type": "number", "default": 24}}},
        "Task": {
            "extends": "Node",
            "attributes": {
                "bid": {"type": "number"},
                "due": {"type": "date"},
                "note": {"type": "string"},
                "data": {"type": "json"},
                "status": {"type": "reference", "target": "Status", "on_delete": "restrict"},
                "buddy": {"type": "reference", "target": "Task"},
                "about": {"type": "reference", "target": "Node"},
                "code": {"type": "string", "immutable": True},
                "started": {"type": "datetime", "default": "{now}"},
                "tags": {"type": "collection", "target": "Tag", "inverse": "tasks"},
                "watchers": {"type": "collection", "target": "User"},
            },
        },
        "Status": {"attributes": {"name": {"type": "string", "required": True, "unique": True}}},
        "Tag": {
            "attributes": {
                "name": {"type": "string"},
                "tasks": {"type": "collection", "target": "Task", "inverse": "tags"},
            }
        },
        "User": {"attributes": {"username": {"type": "string", "unique": True}}},
        "Version": {
            "unique": [["task", "number"]],
            "attributes": {
                "task": {"type": "reference", "target": "Task", "on_delete": "cascade", "required": True},
                "number": {"type": "integer", "computed": "next:task"},
            },
        },
        "CustomAttributeConfiguration": {
            "attributes": {
                "key": {"type": "string"},
                "entity_type": {"type": "string"},
                "data_type": {"type": "string"},
                "choices": {"type": "json"},
                "default": {"type": "json"},
                "label": {"type": "string"},
            }
        },
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
def open_studio(url: str = "memory:", document: dict[str, Any] = DOCUMENT) -> Iterator[Studio]:
    """A studio in memory, closed afterwards."""
    held: list[Studio] = []

    def clock() -> datetime:
        return START + timedelta(seconds=held[0].count if held else 0)

    with Service.open(url, document, clock=clock) as service:
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
    "DOCUMENT", "START", "Create", "Delete", "Identity", "Studio", "Update",
    "open_studio", "project", "shot", "status", "task", "update",
]
