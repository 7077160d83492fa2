"""Properties that are made when they are read: links, addresses of files, sums of time, related rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from callsheet.dialects.ftrack.server.reading.projection import AnswerNode
from callsheet.dialects.ftrack.server.reading.serialization import serialized_link
from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.schema.catalogue import Property
from callsheet.model.measure import Aggregate
from callsheet.model.query import And, Comparison, Condition, Path, Select

__all__ = ["fill_made", "related_keys"]

CHUNK = 1_000
DEEPEST = 64
Values = dict[str, Any]


def fill_made(reader: StoreReader, node: AnswerNode, prop: Property) -> None:
    """Give all entities of a place a property that is made."""
    make = _MADE.get(prop.name)
    values = {} if make is None else make(reader, node, list(node.objects))
    default = False if prop.name == "is_hierarchical" else None
    for key, written in node.objects.items():
        written[prop.name] = values.get(key, default)


def _stored(node: AnswerNode, name: str) -> str | None:
    entity_type = node.type.entity_type
    return name if entity_type is not None and name in entity_type.attributes else None


def _thumbnail(reader: StoreReader, node: AnswerNode, keys: list[str]) -> Values:
    return _address(reader, node, keys, ("thumbnail", "component"), "thumbnail")


def _url(reader: StoreReader, node: AnswerNode, keys: list[str]) -> Values:
    return _address(reader, node, keys, ("component",), "get")


def _address(reader: StoreReader, node: AnswerNode, keys: list[str], names: tuple[str, ...], verb: str) -> Values:
    name = next((name for name in names if _stored(node, name)), None)
    if name is None:
        return {}
    assert node.type.entity_type is not None
    rows = reader.rows(node.type.entity_type.name, keys, [name])
    found: Values = {}
    for key, row in rows.items():
        component = row[name]
        if component is not None:
            url = f"{reader.manner.url}/component/{verb}?id={quote(component, safe='')}"
            found[key] = {"value": url, "url": url}
    return found


def _time_logged(reader: StoreReader, node: AnswerNode, keys: list[str]) -> Values:
    sums: Values = dict.fromkeys(keys, 0)
    for start in range(0, len(keys), CHUNK):
        where = Comparison(Path.of("context_id"), "in", tuple(keys[start : start + CHUNK]))
        asked = Aggregate(Select("Timelog", where=where), (("sum", Path.of("duration")),), (Path.of("context_id"),))
        for context, total in reader.backend.aggregate(asked):
            sums[context[1] if isinstance(context, tuple) else context] = total
    return sums


def _difference(reader: StoreReader, node: AnswerNode, keys: list[str]) -> Values:
    logged = _time_logged(reader, node, keys)
    bids = reader.rows("TypedContext", keys, ["bid"])
    return {key: (row["bid"] or 0) - logged[key] for key, row in bids.items()}


def _link(reader: StoreReader, node: AnswerNode, keys: list[str]) -> Values:
    """The way to a version: that of the context its asset is in, then the version itself."""
    if node.type.name != "AssetVersion":
        return {}
    versions = reader.rows("AssetVersion", keys, ["asset", "version"])
    assets = reader.rows("Asset", {row["asset"] for row in versions.values() if row["asset"]}, ["parent", "name"])
    contexts = reader.rows("Context", {row["parent"] for row in assets.values() if row["parent"]}, ["link"])
    found: Values = {}
    for key, row in versions.items():
        asset = assets.get(row["asset"], {})
        way = serialized_link(reader.catalogue, contexts.get(asset.get("parent", ""), {}).get("link"))
        name = f"{asset.get('name') or ''} v{row['version'] or 0:03d}".strip()
        found[key] = [*way, {"id": key, "name": name, "type": "AssetVersion"}]
    return found


def _link_text(reader: StoreReader, node: AnswerNode, keys: list[str]) -> Values:
    return {key: str(value) for key, value in _link(reader, node, keys).items()}


_MADE: dict[str, Callable[[Any, AnswerNode, list[str]], Values]] = {
    "thumbnail_url": _thumbnail,
    "url": _url,
    "time_logged": _time_logged,
    "bid_time_logged_difference": _difference,
    "link": _link,
    "_link": _link_text,
}


def related_keys(reader: StoreReader, node: AnswerNode, prop: Property) -> dict[str, list[tuple[str, str]]]:
    """By entity, who is related to it by a relation that the store does not have: types and keys."""
    keys = list(node.objects)
    if prop.kind == "lineage":
        return _ancestors(reader, keys) if prop.name == "ancestors" else _descendants(reader, keys)
    related = prop.related
    assert related is not None
    found: dict[str, list[tuple[str, str]]] = {key: [] for key in keys}
    names = [related.near, *([related.far] if related.far else [])]
    for start in range(0, len(keys), CHUNK):
        parts: list[Condition] = [Comparison(_key(related.near), "in", tuple(keys[start : start + CHUNK]))]
        if related.name is not None:
            parts.append(Comparison(Path.of(related.name), "=", related.value))
        where = parts[0] if len(parts) == 1 else And(tuple(parts))
        for key, row in reader.rows(related.entity_type, where, names).items():
            far = key if related.far is None else row[related.far]
            if far is not None and row[related.near] in found:
                found[row[related.near]].append((row["@type"], far))
    return found


def _key(name: str) -> Path:
    """The path to what a row names its owner by: an attribute that holds a key, or a reference."""
    return Path.of(name) if name.endswith("_id") else Path.of(f"{name}.id")


def _ancestors(reader: StoreReader, keys: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    known: dict[str, dict[str, Any]] = {}
    level = set(keys)
    for _ in range(DEEPEST):
        level = {key for key in level if key not in known}
        if not level:
            break
        known.update(reader.rows("Context", level, ["parent"]))
        level = {known[key]["parent"] for key in level if key in known and known[key]["parent"]}
    found: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        way: list[tuple[str, str]] = []
        at = known.get(key, {}).get("parent")
        while at in known and len(way) < DEEPEST:
            if known[at]["@type"] != "Project":
                way.insert(0, (known[at]["@type"], at))
            at = known[at]["parent"]
        found[key] = way
    return found


def _descendants(reader: StoreReader, keys: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        below: list[tuple[str, str]] = []
        level = [key]
        while level and len(below) < CHUNK * 10:
            where = Comparison(Path.of("parent_id"), "in", tuple(level[:CHUNK]))
            rows = reader.rows("Context", where, ["parent"])
            below += [(row["@type"], each) for each, row in rows.items()]
            level = [*level[CHUNK:], *rows]
        found[key] = below
    return found
