"""What a batch of writes must know of the store, read in bulk before anything is translated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from callsheet.dialects.ftrack.server.reading.computed_properties import related_keys
from callsheet.dialects.ftrack.server.reading.mapping_items import holders, row_type
from callsheet.dialects.ftrack.server.reading.projection import AnswerNode
from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader, keys_in
from callsheet.dialects.ftrack.server.schema.catalogue import SEPARATOR, Property, VendorType
from callsheet.dialects.ftrack.server.writing.wire_operation import WireOperation
from callsheet.errors import NotFound
from callsheet.model.measure import Aggregate
from callsheet.model.query import Comparison, Path, Select
from callsheet.model.record import Identity

__all__ = ["BatchPrefetch"]

CHUNK = 1_000


@define(eq=False)
class BatchPrefetch:
    """``owners`` are the types of what holds items, ``members`` who is in a collection now, ``links`` by what rows."""

    owners: dict[str, str] = field(factory=dict)
    kinds: dict[str, str] = field(factory=dict)
    statuses: dict[str, str | None] = field(factory=dict)
    members: dict[tuple[str, str], dict[Identity, None]] = field(factory=dict)
    links: dict[tuple[str, str], dict[str, Identity]] = field(factory=dict)
    recipients: set[str] = field(factory=set)
    writes: dict[tuple[str, str], int] = field(factory=dict)
    deletes: set[tuple[str, str]] = field(factory=set)
    _metadata: dict[str, set[str]] = field(factory=dict)
    _numbers: dict[str, int] = field(factory=dict)

    @staticmethod
    def of(reader: StoreReader, orders: Sequence[WireOperation]) -> BatchPrefetch:
        """All that these operations need."""
        known = BatchPrefetch()
        created = {order.key for order in orders if order.action == "create"}
        known._note(reader, orders)
        known._read_owners(reader, orders, created)
        known._read_kinds(reader, orders, created)
        known._read_statuses(reader, orders, created)
        known._read_members(reader, orders, created)
        known._read_numbers(reader, orders)
        return known

    def identity(self, order: WireOperation, created: Mapping[str, Any]) -> Identity:
        """Whom an operation is about, by the concrete type where the operation named one above."""
        entity_type = order.type.entity_type
        assert entity_type is not None
        return Identity(self.kinds.get(order.key, entity_type.name), order.key)

    def holds(self, owner: str, key: str) -> bool:
        """Whether an entity has an item of metadata."""
        return key in self._metadata.get(owner, ())

    def hold(self, owner: str, key: str, present: bool) -> None:
        held = self._metadata.setdefault(owner, set())
        held.add(key) if present else held.discard(key)

    def number(self, values: dict[str, Any]) -> None:
        """Give a version its number: one more than the largest of its asset."""
        asset = values.get("asset")
        if not isinstance(asset, Identity):
            return
        if values.get("version") in (None, 0):
            values["version"] = self._numbers.get(asset.key, 0) + 1
        if isinstance(values["version"], int):
            self._numbers[asset.key] = max(self._numbers.get(asset.key, 0), values["version"])

    def _note(self, reader: StoreReader, orders: Sequence[WireOperation]) -> None:
        replacing = any(list in map(type, order.data.values()) for order in orders)
        for order in orders:
            if order.action == "create" and order.type.name == "Recipient":
                self.recipients.add(order.key)
            if order.action == "delete":
                self.deletes.add((order.key, ""))
            if row_type(order.type) or not replacing:
                continue
            for name in order.data:
                prop = reader.catalogue.property(order.type, name)
                if prop is not None and prop.kind in ("key", "reference", "value"):
                    self.writes[order.key, prop.stored] = order.index

    def _read_owners(self, reader: StoreReader, orders: Sequence[WireOperation], created: set[str]) -> None:
        """Where items go: the types of their owners, and the metadata these have."""
        wanted: dict[str, None] = {}
        for order in orders:
            if row_type(order.type):
                parts = order.key.split(SEPARATOR)
                wanted[parts[0] if order.type.name == "Metadata" else parts[-1]] = None
        missing = [key for key in wanted if key not in created]
        if not missing:
            return
        for holder in {
            each.name: each for name in ("Metadata", "CustomAttributeValue") for each in holders(reader, name)
        }.values():
            if not missing:
                break
            names = ["metadata"] if "metadata" in holder.attributes else []
            for key, row in reader.rows(holder.name, missing, names).items():
                self.owners[key] = row["@type"]
                self._metadata[key] = set(row.get("metadata") or ())
            missing = [key for key in missing if key not in self.owners]

    def _read_kinds(self, reader: StoreReader, orders: Sequence[WireOperation], created: set[str]) -> None:
        """The concrete types of entities that are named by a type above."""
        wanted: dict[str, list[str]] = {}
        for order in orders:
            found = order.type.entity_type
            if order.action != "create" and found is not None and found.abstract and order.key not in created:
                wanted.setdefault(found.name, []).append(order.key)
        for name, keys in wanted.items():
            rows = reader.rows(name, keys, [])
            self.kinds.update({key: row["@type"] for key, row in rows.items()})
            if missing := [key for key in keys if key not in rows]:
                raise NotFound(f"There is no {name} {missing[0]!r:.80}.")

    def _read_statuses(self, reader: StoreReader, orders: Sequence[WireOperation], created: set[str]) -> None:
        for kind in ("TypedContext", "AssetVersion"):
            if reader.catalogue.native or kind not in reader.catalogue.types:
                continue
            keys = [
                order.key
                for order in orders
                if order.action == "update"
                and order.key not in created
                and {"status", "status_id"} & set(order.data)
                and order.type.entity_type is not None
                and reader.catalogue.is_a(order.type.entity_type.name, kind)
            ]
            rows = reader.rows(kind, keys, ["status"]) if keys else {}
            self.statuses.update({key: row["status"] for key, row in rows.items()})

    def _read_members(self, reader: StoreReader, orders: Sequence[WireOperation], created: set[str]) -> None:
        wanted: dict[tuple[str, str], tuple[VendorType, Property, list[str]]] = {}
        for order in orders:
            if order.action != "update" or order.key in created or row_type(order.type):
                continue
            for name in order.data:
                prop = reader.catalogue.property(order.type, name)
                if prop is not None and prop.kind in ("collection", "related"):
                    place = (order.type.name, name)
                    wanted.setdefault(place, (order.type, prop, []))[2].append(order.key)
        for found, prop, keys in wanted.values():
            self._read_collection(reader, found, prop, list(dict.fromkeys(keys)))

    def _read_collection(self, reader: StoreReader, found: VendorType, prop: Property, keys: list[str]) -> None:
        node = AnswerNode(found, {prop.name: prop})
        reader.load(node, keys)
        if prop.kind == "related":
            node.links[prop.name] = dict(related_keys(reader, node, prop))
            if prop.related is not None and prop.related.far is not None:
                self._read_links(reader, prop, keys)
        kind = reader.catalogue.types[prop.target].entity_type
        plain = prop.target if kind is None else kind.name
        for key, value in node.links.get(prop.name, {}).items():
            members = [each if isinstance(each, tuple) else (plain, each) for each in value or ()]
            self.members[key, prop.name] = {Identity(*member): None for member in members}

    def _read_links(self, reader: StoreReader, prop: Property, keys: list[str]) -> None:
        """The rows between an entity and its members."""
        related = prop.related
        assert related is not None
        assert related.far is not None
        for start in range(0, len(keys), CHUNK):
            where = Comparison(Path.of(f"{related.near}.id"), "in", tuple(keys[start : start + CHUNK]))
            for key, row in reader.rows(related.entity_type, where, [related.near, related.far]).items():
                rows = self.links.setdefault((row[related.near], prop.name), {})
                rows[row[related.far]] = Identity(related.entity_type, key)

    def _read_numbers(self, reader: StoreReader, orders: Sequence[WireOperation]) -> None:
        """The largest version of every asset that gets another."""
        if reader.catalogue.native:
            return
        assets: dict[str, None] = {}
        for order in orders:
            if order.action == "create" and order.type.name == "AssetVersion":
                given = order.data.get("asset_id") or order.data.get("asset")
                key = given.get("id") if isinstance(given, Mapping) else given
                if isinstance(key, str):
                    assets[key] = None
        if not assets:
            return
        where = Comparison(Path.of("asset_id"), "in", tuple(assets))
        asked = Aggregate(
            Select("AssetVersion", where=where), (("maximum", Path.of("version")),), (Path.of("asset_id"),)
        )
        for asset, largest in reader.backend.aggregate(asked):
            self._numbers[next(iter(keys_in(asset)))] = largest or 0
