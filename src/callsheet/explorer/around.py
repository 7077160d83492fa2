"""What is around one entity: entities that refer to it, its notes with their replies, its versions with their files."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from callsheet.dialects.routes import Visit
from callsheet.errors import Forbidden, Invalid
from callsheet.explorer.answers import answer, body_of
from callsheet.flow import Response
from callsheet.model.measure import Aggregate
from callsheet.model.query import Comparison, Condition, Or, Order, Path, Select
from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = ["around"]

SHOWN = 8
"""Entities of one relation."""
NOTES, VERSIONS = 200, 40
OTHERWISE = frozenset(("notes", "versions", "components", "replies"))
"""Collections that the page shows in a way of their own."""
VERSION, COMPONENT, NOTE = "AssetVersion", "Component", "Note"


class OneEntity(Struct, forbid_unknown_fields=True):
    """An entity by its type and key."""

    type: str
    key: str


def around(visit: Visit) -> Response:
    """Relations with their numbers and first entities; notes, the newest first; versions, the newest first."""
    body = body_of(visit, OneEntity)
    backend, schema = visit.backend, visit.backend.schema
    if body.type not in schema.types:
        raise Invalid(f"the schema has no type `{body.type:.80}`")
    entity_type = schema.type(body.type)
    relations = [_relation(backend, schema, each, body.key) for each in entity_type.attributes.values()]
    return answer(
        {
            "relations": [each for each in relations if each is not None and each["count"]],
            "notes": _notes(backend, schema, entity_type, body.key),
            "versions": _versions(backend, schema, entity_type, body.key),
        }
    )


def _relation(backend: Any, schema: Schema, attribute: Attribute, key: str) -> dict[str, Any] | None:
    """What a collection holds; None if the account may not read it, or the page shows it elsewhere."""
    if attribute.kind != "collection" or not attribute.inverse or attribute.name in OTHERWISE:
        return None
    target = schema.type(str(attribute.target))
    if attribute.inverse not in target.attributes:
        return None
    where = Comparison(Path.of(f"{attribute.inverse}.id"), "=", key)
    label = Path.of(target.label)
    try:
        count = backend.aggregate(Aggregate(Select(target.name, where=where)))[0][0]
        page = (
            backend.select(Select(target.name, (label,), where, (Order(label),), limit=SHOWN), SHOWN) if count else None
        )
    except Forbidden:
        return None
    found = [] if page is None else [_named(schema, *each) for each in _rows(page)]
    return {"name": attribute.name, "type": target.name, "by": attribute.inverse, "count": count, "rows": found}


def _named(schema: Schema, kind: str, key: str, values: dict[str, Any]) -> dict[str, Any]:
    label = values.get(schema.type(kind).label)
    return {"type": kind, "key": key, "label": f"{kind} {key[:8]}" if label in (None, key) else str(label)}


def _rows(page: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Type, key and values of each result, in its order."""
    found = []
    for block in page.records[: page.roots]:
        for row in block.rows:
            found.append((block.entity_type, str(row[0]), dict(zip(block.attributes, row[2:]))))
    return found if page.order is None else [found[place] for place in page.order]


def _related(page: Any) -> dict[str, dict[str, Any]]:
    return {str(row[0]): dict(zip(block.attributes, row[2:])) for block in page.records for row in block.rows}


def _key(reference: Any) -> str:
    """The key of a reference, which may name its type, too."""
    if reference is None:
        return ""
    return str(reference[1]) if isinstance(reference, tuple | list) else str(getattr(reference, "key", reference))


def _notes(backend: Any, schema: Schema, entity_type: EntityType, key: str) -> list[dict[str, Any]] | None:
    """Notes on an entity and what was replied to them; None if its type has none."""
    notes = entity_type.attributes.get("notes")
    if notes is None or notes.kind != "collection" or notes.target != NOTE or not notes.inverse:
        return None
    own = Comparison(Path.of(f"{notes.inverse}.id"), "=", key)
    reply = Comparison(Path.of(f"in_reply_to.{notes.inverse}.id"), "=", key)
    names = ("content", "author", "author.username", "date", "in_reply_to", "frame", "is_todo")
    select = Select(NOTE, tuple(map(Path.of, names)), Or((own, reply)), (Order(Path.of("date"), True),), limit=NOTES)
    page = backend.select(select, NOTES)
    related = _related(page)
    return [
        {
            "key": note,
            "content": values["content"],
            "author": related.get(_key(values["author"]), {}).get("username", ""),
            "date": values["date"],
            "reply": _key(values["in_reply_to"]) or None,
            "frame": values["frame"],
            "todo": bool(values["is_todo"]),
        }
        for _, note, values in _rows(page)
    ]


def _versions(backend: Any, schema: Schema, entity_type: EntityType, key: str) -> list[dict[str, Any]]:
    """Versions of an entity, or an entity that is one, with their files; also a component alone."""
    if VERSION not in schema.types or COMPONENT not in schema.types:
        return []
    if schema.is_a(entity_type.name, COMPONENT):
        where: Condition = Comparison(Path.of("id"), "=", key)
        return [{"key": "", "label": "", "date": None, "files": _files(backend, where).get("", [])}]
    if entity_type.name == VERSION:
        which: Condition = Comparison(Path.of("id"), "=", key)
    elif entity_type.name == "Task":
        which = Comparison(Path.of("task.id"), "=", key)
    elif "assets" in entity_type.attributes:
        which = Comparison(Path.of("asset.parent.id"), "=", key)
    elif entity_type.name == "Asset":
        which = Comparison(Path.of("asset.id"), "=", key)
    else:
        return []
    names = ("version", "date", "asset", "asset.name", "status", "status.name", "comment", "thumbnail")
    select = Select(VERSION, tuple(map(Path.of, names)), which, (Order(Path.of("date"), True),), limit=VERSIONS)
    page = backend.select(select, VERSIONS)
    related, rows = _related(page), _rows(page)
    keys = tuple(each for _, each, _ in rows)
    files = _files(backend, Comparison(Path.of("version.id"), "in", keys)) if keys else {}
    return [
        {
            "key": version,
            "label": f"{related.get(_key(values['asset']), {}).get('name', '')} v{values['version'] or 0:03}".strip(),
            "date": values["date"],
            "status": related.get(_key(values["status"]), {}).get("name", ""),
            "comment": values["comment"] or "",
            "thumbnail": _key(values["thumbnail"]) or None,
            "files": files.get(version, []),
        }
        for _, version, values in rows
    ]


def _files(backend: Any, where: Condition) -> dict[str, list[dict[str, Any]]]:
    """Components by the key of their version."""
    names = ("name", "file_type", "size", "version")
    page = backend.select(Select(COMPONENT, tuple(map(Path.of, names)), where, (Order(Path.of("name")),)), 500)
    found: dict[str, list[dict[str, Any]]] = {}
    for _, key, values in _rows(page):
        one = {"key": key, "name": values["name"], "kind": values["file_type"] or "", "size": values["size"]}
        found.setdefault(_key(values["version"]), []).append(one)
    return found
