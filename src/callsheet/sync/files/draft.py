"""A first sync file for given rows: columns beside the attributes that they are called like."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from callsheet.model.schema import EntityType, Schema
from callsheet.sync.cells import Row
from callsheet.sync.rows.files import FileRows

__all__ = ["draft"]

SAMPLE = 200


def draft(schema: Schema, source: FileRows, type_name: str) -> str:
    """The text of a sync file. Columns that fit no attribute stand in it as comments, with values of theirs."""
    entity_type = schema.type(type_name)
    sample = list(islice(source.numbered_rows(), SAMPLE))
    paths = _paths(schema, entity_type)
    columns = list(dict.fromkeys(name for row in sample for name in row.values))
    found: dict[str, str] = {}
    for column in columns:
        target = _match(column, paths, set(found.values()))
        if target is not None:
            found[column] = target
    keys = _keys(entity_type, found.values())
    lines = [
        "# Written from the header of the rows: read every line before the first run.",
        "[[sync]]",
        f"type = {_quoted(type_name)}",
        f"rows = {_quoted(str(source.path))}",
        f"key = [{', '.join(map(_quoted, keys))}]" if keys else "key = []  # the attributes that tell entities apart",
        'delete = "keep"  # or "delete", "omit", with a scope',
        "",
        "[sync.columns]",
    ]
    for column in columns:
        if column in found:
            lines.append(f"{_quoted(column)} = {_quoted(found[column])}")
        else:
            lines.append(f'# {_quoted(column)} = ""  # {_examples(sample, column)}')
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _paths(schema: Schema, entity_type: EntityType) -> dict[str, str]:
    """What a column may be called, and the path that it then means."""
    found: dict[str, str] = {}
    for attribute in entity_type.attributes.values():
        if attribute.computed or attribute.name == "id":
            continue
        if attribute.kind == "scalar":
            found[_plain(attribute.name)] = attribute.name
        elif attribute.kind == "reference":
            label = schema.types[str(attribute.target)].label
            found[_plain(attribute.name)] = f"{attribute.name}.{label}"
            found[_plain(f"{attribute.name} {label}")] = f"{attribute.name}.{label}"
    found |= {_plain(name): f"custom_attributes.{name}" for name in entity_type.custom}
    found.setdefault(_plain(entity_type.name), entity_type.label)
    for attribute in entity_type.attributes.values():
        # A column "Sequence" of shots names what stands in `parent`.
        if attribute.kind == "reference" and not attribute.computed:
            label = schema.types[str(attribute.target)].label
            for name in schema.concrete(str(attribute.target)):
                found.setdefault(_plain(name), f"{attribute.name}.{label}")
    return found


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _match(column: str, paths: dict[str, str], taken: set[str]) -> str | None:
    free = {name: path for name, path in paths.items() if path not in taken}
    plain = _plain(column)
    if plain in free:
        return free[plain]
    near = get_close_matches(plain, free, 1, 0.8)
    return free[near[0]] if near else None


def _keys(entity_type: EntityType, targets: Iterable[str]) -> list[str]:
    """The first unique combination of the schema that the columns fill, else the label."""
    paths = list(targets)
    for names in entity_type.unique:
        chosen = [next((path for path in paths if path.split(".")[0] == name), "") for name in names]
        if all(chosen):
            return chosen
    return [entity_type.label] if entity_type.label in paths else []


def _examples(sample: list[Row], column: str) -> str:
    values = dict.fromkeys(str(row.values.get(column, "")) for row in sample if row.values.get(column))
    return "like " + ", ".join(_quoted(value)[:30] for value in list(values)[:3]) if values else "always empty"
