"""What follows from a commit: which versions are the latest, and which rows are about an entity that is deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.schema.store_facts import store_facts
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.query import Comparison, Path
from callsheet.model.record import Identity

__all__ = ["follow_up"]

CHUNK = 1_000
Sending = Callable[[list[Operation]], list[Identity]]


def follow_up(reader: StoreReader, operations: Sequence[Operation], send: Sending) -> None:
    """Write what follows from operations that were committed."""
    if reader.catalogue.native:
        return
    gone = [operation.identity for operation in operations if isinstance(operation, Delete)]
    while gone:
        loose = _loose(reader, gone)
        gone = [*(each.identity for each in loose), *send(list(loose))] if loose else []
    assets = _assets(reader, operations)
    if assets:
        changes = _latest(reader, assets)
        if changes:
            send(changes)


def _loose(reader: StoreReader, gone: Iterable[Identity]) -> list[Delete]:
    roots: dict[str, list[str]] = {}
    for kind, key in gone:
        entity_type = reader.catalogue.types[kind].entity_type
        if entity_type is not None:
            roots.setdefault(entity_type.root, []).append(key)
    found: dict[Identity, None] = {}
    for kind, name, families in store_facts().orphans:
        keys = [key for family in families for key in roots.get(family, ())]
        for start in range(0, len(keys) if kind in reader.catalogue.types else 0, CHUNK):
            where = Comparison(Path.of(name), "in", tuple(keys[start : start + CHUNK]))
            found.update({Identity(row["@type"], key): None for key, row in reader.rows(kind, where, []).items()})
    return [Delete(identity) for identity in found]


def _assets(reader: StoreReader, operations: Sequence[Operation]) -> set[str]:
    """The assets whose versions may have changed."""
    found: set[str] = set()
    changed: set[str] = set()
    for operation in operations:
        if operation.identity.entity_type != "AssetVersion":
            continue
        if isinstance(operation, Delete):
            found.add("")
        elif isinstance(operation, Create):
            asset = operation.values.get("asset")
            found |= {asset.key} if isinstance(asset, Identity) else set()
        elif {"asset", "version"} & set(operation.values):
            changed.add(operation.identity.key)
    if changed:
        rows = reader.rows("AssetVersion", changed, ["asset"])
        found |= {row["asset"] for row in rows.values() if row["asset"]} | {""}
    return found


def _latest(reader: StoreReader, assets: set[str]) -> list[Operation]:
    """Updates that make the flags of versions and the references of assets right.

    Where a version has gone its asset is not known any more: all assets without a latest version are looked at.
    """
    keys = assets - {""}
    if "" in assets:
        keys |= set(reader.rows("Asset", Comparison(Path.of("latest_version.id"), "=", None), []))
    versions: dict[str, list[tuple[int, str, bool]]] = {key: [] for key in keys}
    listed = sorted(keys)
    held = reader.rows("Asset", listed, ["latest_version"])
    for start in range(0, len(listed), CHUNK):
        where = Comparison(Path.of("asset_id"), "in", tuple(listed[start : start + CHUNK]))
        for key, row in reader.rows("AssetVersion", where, ["asset", "version", "is_latest_version"]).items():
            versions[row["asset"]].append((row["version"] or 0, key, bool(row["is_latest_version"])))
    changes: list[Operation] = []
    for asset, found in versions.items():
        latest = max(found, default=None)
        for each in found:
            if each[2] is not (each is latest):
                changes.append(Update(Identity("AssetVersion", each[1]), {"is_latest_version": each is latest}))
        newest = None if latest is None else latest[1]
        if asset in held and held[asset]["latest_version"] != newest:
            reference = None if newest is None else Identity("AssetVersion", newest)
            changes.append(Update(Identity("Asset", asset), {"latest_version": reference}))
    return changes
