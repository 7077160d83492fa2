"""The rows of a commit are written with few statements, however many entities it has.

New rows are inserted with one statement for each table, changed rows updated with one for each set of columns, and
rows deleted by key. All values have been validated before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, Table, Update, and_, bindparam, delete, insert, select, update

from callsheet.chunks import chunks
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Unavailable
from callsheet.model.operation import ChangeSet
from callsheet.model.record import Identity
from callsheet.server.log import commits as log
from callsheet.server.log import receipts
from callsheet.server.log.commits import EntityChange
from callsheet.server.store.alike import alike_form
from callsheet.server.store.layout import stored
from callsheet.server.store.store import CHUNK
from callsheet.server.writing.overlay import Overlay, WorkingRow

__all__ = ["changes_of", "columns_of", "save_log", "save_rows"]


def save_rows(overlay: Overlay, position: int) -> None:
    """Insert, update and delete the rows of all entries."""
    created: dict[str, list[dict[str, Any]]] = {}
    changed: dict[tuple[str, frozenset[str]], list[dict[str, Any]]] = {}
    for entry in overlay.touched():
        row = columns_of(entry)
        row["_commit"], row["_version"] = position, entry.version + 1
        if entry.created:
            row["id"], row["_type"] = entry.identity.key, entry.identity.entity_type
            created.setdefault(entry.rules.root, []).append(row)
        else:
            row["_key"], row["_seen"] = entry.identity.key, entry.version
            changed.setdefault((entry.rules.root, frozenset(row)), []).append(row)
    for root, rows in created.items():
        _insert(overlay, root, rows)
    for (root, names), rows in changed.items():
        _update(overlay, root, names, rows)
    _delete(overlay, position)


def _update(overlay: Overlay, root: str, names: frozenset[str], rows: list[dict[str, Any]]) -> None:
    """Update rows, each if it still has the version that was read. All are locked, so a missing row is an error."""
    table = overlay.store.tables[root]
    statement = overlay.store.prepared.get(("update", root, names), overlay.connection, lambda: _updating(table, names))
    done = statement.run(overlay.connection, rows)
    if 0 <= done != len(rows):
        raise Unavailable(f"{len(rows) - done} of {len(rows)} {root} changed under this commit; try again")


def _updating(table: Table, names: frozenset[str]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in sorted(names - {"_key", "_seen"})}
    here = and_(table.c.id == bindparam("_key"), table.c._version == bindparam("_seen"))
    return update(table).where(here).values(values)


def columns_of(entry: WorkingRow) -> dict[str, Any]:
    """The new values of the entry's columns, for the attributes that were written."""
    row: dict[str, Any] = {}
    mappings: dict[str, dict[str, Any]] = {}
    typed = entry.rules.typed
    for name, value in entry.values.items():
        if name in typed:
            row[typed[name]], row[name] = (None, None) if value is None else value
        elif isinstance(value, Identity):
            row[name] = value[1]
        elif "." in name:
            mapping, _, item = name.partition(".")
            held = mappings.get(mapping)
            if held is None:
                # Copied once for all of its items.
                held = mappings[mapping] = dict(entry.items(mapping))
            _set_item(held, item, value)
        else:
            row[name] = value
    row.update((mapping, held or None) for mapping, held in mappings.items())
    for name, column in entry.rules.alike.items():
        if name in entry.values:
            row[column] = None if entry.values[name] is None else alike_form(entry.values[name])
    return row


def _set_item(held: dict[str, Any], item: str, value: Any) -> None:
    """Set one item of a mapping; None removes it."""
    if value is None:
        held.pop(item, None)
    else:
        held[item] = value


def _insert(overlay: Overlay, root: str, rows: list[dict[str, Any]]) -> None:
    names = set[str]().union(*rows)
    if any(len(row) < len(names) for row in rows):
        rows = [{name: row.get(name) for name in names} for row in rows]
    connection = overlay.connection
    table = overlay.store.tables[root]
    overlay.store.prepared.inserting(table, tuple(sorted(names)), connection).run(connection, rows)
    _forget_tombstones(overlay, root, [row["id"] for row in rows])


def _forget_tombstones(overlay: Overlay, root: str, keys: Iterable[str]) -> None:
    """An entity that is created again has no tombstone; its history continues from the delete."""
    tombstone = overlay.store.table("_tombstone")
    for chunk in chunks(keys, CHUNK):
        found = _tombstones(overlay, root, chunk)
        if found:
            here = and_(tombstone.c.root == root, tombstone.c.key.in_(chunk))
            overlay.connection.execute(delete(tombstone).where(here))
        for key, position in found:
            entry = overlay.at((root, key))
            if entry is not None:
                entry.previous = position


def _tombstones(overlay: Overlay, root: str, keys: Sequence[str]) -> Sequence[Sequence[Any]]:
    tombstone = overlay.store.table("_tombstone")

    def build() -> Select[Any]:
        return select(tombstone.c.key, tombstone.c.position).where(tombstone.c.root == bindparam("root"))

    prepared = overlay.store.prepared
    return prepared.by_keys("tombstones", overlay.connection, build, tombstone.c.key, keys, {"root": root})


def _delete(overlay: Overlay, position: int) -> None:
    keys: dict[str, list[str]] = {}
    for entry in overlay.dead():
        keys.setdefault(entry.rules.root, []).append(entry.identity.key)
    for root, found in keys.items():
        table = overlay.store.tables[root]
        for chunk in chunks(found, CHUNK):
            overlay.connection.execute(delete(table).where(table.c.id.in_(chunk)))
        rows = [{"root": root, "key": key, "position": position} for key in found]
        overlay.connection.execute(insert(overlay.store.table("_tombstone")), rows)


def changes_of(overlay: Overlay) -> list[EntityChange]:
    """The changes of the commit, entity by entity."""
    found = []
    for entry in overlay.entries.values():
        added = {name: tuple(members) for name, members in entry.added.items()}
        removed = {name: tuple(members) for name, members in entry.removed.items()}
        if not entry.alive:
            if entry.row is not None:
                found.append(
                    EntityChange(
                        entry.identity, "delete", entry.previous, _all(entry), removed=removed, version=entry.version
                    )
                )
        elif entry.touched:
            names = entry.changed()
            after = {name: entry.values[name] for name in names}
            before = {} if entry.created else {name: entry.original(name) for name in names}
            kind: Literal["create", "update"] = "create" if entry.created else "update"
            version = entry.version + 1
            adjusted = {name: entry.adjusted[name] for name in names if name in entry.adjusted}
            found.append(
                EntityChange(entry.identity, kind, entry.previous, before, after, added, removed, version, adjusted)
            )
    return found


def _all(entry: WorkingRow) -> dict[str, Any]:
    """All stored values of an entity; mappings item by item."""
    found: dict[str, Any] = {}
    for attribute in entry.rules.entity_type.attributes.values():
        if attribute.kind == "mapping":
            found.update({f"{attribute.name}.{key}": value for key, value in entry.items(attribute.name).items()})
        elif stored(attribute) and attribute.name != "id" and (value := entry.original(attribute.name)) is not None:
            found[attribute.name] = value
    return found


def save_log(overlay: Overlay, changes: ChangeSet, user: str, digest: str, result: CommitResult, now: datetime) -> None:
    """Write the commit's row in the log: its receipt, which makes it exactly once, and its changes for all readers."""
    row = {
        "position": result.position,
        "commit_id": changes.commit_id,
        "user_name": user,
        "origin": changes.origin,
        "time": now,
        "digest": digest,
        "changes": log.encode_changes(changes_of(overlay)),
        "result": receipts.encode_result(result),
    }
    table = overlay.store.table("_log")
    overlay.store.prepared.inserting(table, tuple(sorted(row)), overlay.connection).run(overlay.connection, [row])
