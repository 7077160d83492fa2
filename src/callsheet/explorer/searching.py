"""Entities by what they are called: a few of each type whose label contains what was typed, the best first."""

from __future__ import annotations

from typing import Any

from callsheet.dialects.routes import Visit
from callsheet.explorer.answers import answer
from callsheet.flow import Response
from callsheet.model.patterns import literal_pattern
from callsheet.model.query import Comparison, Order, Path, Select
from callsheet.model.schema import EntityType, Schema

__all__ = ["search"]

LONGEST, SHORTEST = 200, 2
"""Characters of what is searched for."""
EACH, MOST = 6, 30
"""Entities of one type, and of all."""
FIRST = ("Project", "Episode", "Sequence", "Shot", "AssetBuild", "Task", "AssetVersion", "Asset", "User", "Note")
"""Types that people look for most, as far as a schema has them."""
TYPES = 14


def search(visit: Visit) -> Response:
    """At most `MOST` entities: type, key, label, and the label of what they are in."""
    text = visit.request.params.get("q", "").strip()[:LONGEST]
    if len(text) < SHORTEST:
        return answer({"found": []})
    schema = visit.backend.schema
    found = [each for entity_type in _searched(schema) for each in _of_type(visit.backend, schema, entity_type, text)]
    found.sort(key=lambda each: _rank(each["label"], text))
    return answer({"found": found[:MOST]})


def _searched(schema: Schema) -> list[EntityType]:
    """The types that are searched: those with a label that is a text, without types that others are below."""
    names = [name for name in FIRST if name in schema.types]
    names += [name for name in schema.types if name not in names and not schema.types[name].abstract]
    found = [schema.types[name] for name in names]
    return [each for each in found if not each.abstract and _has_text(each)][:TYPES]


def _has_text(entity_type: EntityType) -> bool:
    label = entity_type.attributes.get(entity_type.label)
    return label is not None and label.kind == "scalar" and label.data_type == "string"


def _of_type(backend: Any, schema: Schema, entity_type: EntityType, text: str) -> list[dict[str, Any]]:
    label = Path.of(entity_type.label)
    paths = [label]
    parent = entity_type.attributes.get("parent")
    if parent is not None and parent.kind == "reference" and _has_text(schema.type(str(parent.target))):
        paths.append(Path.of(f"parent.{schema.type(str(parent.target)).label}"))
    where = Comparison(label, "like", f"%{literal_pattern(text)}%")
    select = Select(entity_type.name, tuple(paths), where, (Order(label),), limit=EACH)
    page = backend.select(select, EACH)
    rows = _rows(schema, page)
    return [{"type": entity_type.name, "key": key, "label": shown, "within": within} for key, shown, within in rows]


def _rows(schema: Schema, page: Any) -> list[tuple[str, str, str]]:
    """Key, label, and the label of the parent of each result."""
    labels = {str(row[0]): label for block in page.records for row, label in zip(block.rows, _labels(schema, block))}
    found = []
    for block in page.records[: page.roots]:
        parent = block.attributes.index("parent") + 2 if "parent" in block.attributes else None
        for row in block.rows:
            within = "" if parent is None or row[parent] is None else labels.get(_key(row[parent]), "")
            found.append((str(row[0]), labels[str(row[0])], within))
    return found


def _labels(schema: Schema, block: Any) -> list[str]:
    label = schema.type(block.entity_type).label
    if label not in block.attributes:
        return [""] * len(block.rows)
    place = block.attributes.index(label) + 2
    return [str(row[place]) for row in block.rows]


def _key(reference: Any) -> str:
    return str(reference[1]) if isinstance(reference, tuple | list) else str(reference)


def _rank(label: str, text: str) -> tuple[int, int, str]:
    """Equal labels first, then those that begin so, then the shortest."""
    plain, wanted = label.casefold(), text.casefold()
    kind = 0 if plain == wanted else 1 if plain.startswith(wanted) else 2
    return kind, len(label), label
