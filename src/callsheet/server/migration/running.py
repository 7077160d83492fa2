"""A database's schema is changed as a whole: the backup first, then the one transaction, then the store follows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen

from callsheet.errors import StorageError
from callsheet.server.archive.dumping import dump
from callsheet.server.deadline import without_deadline
from callsheet.server.migration.applying import WantedSchema, apply_schema
from callsheet.server.migration.plan import SchemaPlan
from callsheet.server.store.database import FileDatabase
from callsheet.server.store.store import Store

__all__ = ["ChangedSchema", "back_up", "change_schema", "utc_now"]


def utc_now() -> datetime:
    return datetime.now(UTC)


@frozen
class ChangedSchema:
    """What was done, as which position of the log, and where the database as it was is."""

    position: int
    plan: SchemaPlan
    backup: Path | None = None


def change_schema(
    store: Store,
    wanted: WantedSchema,
    user: str,
    why: str = "",
    *,
    expected: str | None = None,
    backup: Path | None = None,
    keep: bool = True,
    now: datetime | None = None,
) -> ChangedSchema:
    """Back the database up (if ``keep``), and change its schema; the store has the new one afterwards."""
    moment = now or utc_now()
    kept = back_up(store, backup, moment) if keep else None
    with without_deadline():
        position, plan = store.write(
            lambda connection: apply_schema(store, connection, wanted, user, why, moment, expected)
        )
    with store.reading() as connection:
        store.reload(connection)
    return ChangedSchema(position, plan, kept)


def back_up(store: Store, path: Path | None, now: datetime) -> Path | None:
    """Write the database to a new file: of a SQLite file a copy, of PostgreSQL a dump; none of one in memory.

    Without a path it is beside the file, or in the folder that the process runs in.
    """
    made = now.astimezone(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    database = store.database
    if isinstance(database, FileDatabase):
        found = path or database.path.with_name(f"{database.path.name}.{made}.backup")
        store.backup(found)
        return found
    if store.engine_name == "sqlite":
        if path is not None:
            store.backup(path)
        return path
    found = path or Path(f"callsheet.{made}.dump")
    if found.exists():
        raise StorageError(f"{found} exists already; a backup is a new file")
    dump(store, found)
    return found
