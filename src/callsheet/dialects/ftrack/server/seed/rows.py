"""Rows of a document in ``data/`` as creates: names become keys, and rows of several names one row each.

Keys are well known or derived from type and name, so they are the same in every store. How a row is written is
explained in ``data/seed.toml``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from attrs import frozen
from msgspec import Struct

from callsheet.dialects.ftrack.common.facts import facts_in
from callsheet.dialects.ftrack.declaration import FTRACK
from callsheet.dialects.ftrack.server.schema.catalogue import catalogue_of, joined_key
from callsheet.model.operation import Create
from callsheet.model.record import Identity
from callsheet.model.schema import Schema
from callsheet.model.well_known import LOCATION_KEYS

__all__ = ["SeedRow", "SeedRows", "essential_rows", "key_of_row", "operations", "rows_of", "seeded_key"]

Values = Mapping[str, Any]
NAMES = ("known_as", "name", "username", "key")
"""The attributes that name a row; the first that a row has counts."""


class SeedRows(Struct, frozen=True, forbid_unknown_fields=True):
    """The tables of a document of rows."""

    rows: dict[str, list[dict[str, Any]]]
    each: dict[str, dict[str, Any]] = {}
    numbered: dict[str, str] = {}


@frozen
class SeedRow:
    """An entity to create; without ``name`` its key has several parts, which are among the values."""

    entity_type: str
    name: str | None
    values: Values

    @property
    def identity(self) -> Identity:
        """The identity of a row with a name, in a type whose key has one part."""
        assert self.name is not None
        return Identity(self.entity_type, key_of_row(self.entity_type, self.name))


@cache
def essential_rows() -> SeedRows:
    """The rows of ``seed.toml``, read once."""
    return facts_in("seed.toml", SeedRows)


def seeded_key(entity_type: str, name: str) -> str:
    """The key of a seeded entity, the same in every store.

    >>> seeded_key("Status", "In progress") == seeded_key("Status", "In progress")
    True
    """
    return str(uuid5(NAMESPACE_URL, f"urn:callsheet:ftrack:{entity_type}/{name}"))


@cache
def _well_known() -> dict[tuple[str, str], str]:
    """By type and name, the keys that are not derived."""
    found = {("Location", f"{FTRACK.location_prefix}{name}"): key for name, key in LOCATION_KEYS.items()}
    for entity_type, rows in essential_rows().rows.items():
        found |= {(entity_type, row["name"]): row["id"] for row in rows if "id" in row}
    return found


def key_of_row(entity_type: str, name: str) -> str:
    """The key of the row with this name: a well-known one, or the one that is derived.

    >>> key_of_row("ObjectType", "Shot")
    'bad911de-3bd6-47b9-8b46-3476e237cb36'
    """
    return _well_known().get((entity_type, name)) or seeded_key(entity_type, name)


def rows_of(document: SeedRows) -> Iterator[SeedRow]:
    """The rows of a document, in its order."""
    for entity_type, tables in document.rows.items():
        shared, numbered = document.each.get(entity_type, {}), document.numbered.get(entity_type)
        counted: Counter[Any] = Counter()
        for row in (row for table in tables for row in _expanded(entity_type, {**shared, **table})):
            if numbered is None or "sort" in row.values:
                yield row
                continue
            place = row.values.get(numbered)
            yield SeedRow(entity_type, row.name, {**row.values, "sort": counted[place]})
            counted[place] += 1


def _expanded(entity_type: str, table: Values) -> Iterator[SeedRow]:
    """A row for each name, and for each combination of what the references refer to."""
    named = next((each for each in NAMES if each in table), None)
    for name in _several(table[named]) if named else [None]:
        row = {key: value for key, value in table.items() if key not in (named, "id")}
        if named is not None and named != "known_as":
            row[named] = name
        references = {key: _references(value, name) for key, value in row.items() if _is_reference(value)}
        for targets in product(*references.values()):
            values = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in row.items()}
            yield SeedRow(entity_type, name, {**values, **dict(zip(references, targets))})


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value))[0].isupper()


def _references(value: Mapping[str, Any], name: str | None) -> list[Identity]:
    ((entity_type, names),) = value.items()
    return [Identity(entity_type, key_of_row(entity_type, _named(each, name))) for each in _several(names)]


def _named(reference: str, name: str | None) -> str:
    return name if name is not None and reference == "{known_as}" else reference


def operations(schema: Schema, rows: Iterable[SeedRow]) -> tuple[Create, ...]:
    """The creates of rows, as far as the schema has their types and attributes."""
    return tuple(
        Create(Identity(row.entity_type, _key(schema, row)), _known(schema, row))
        for row in rows
        if row.entity_type in schema.types and not schema.types[row.entity_type].abstract
    )


def _key(schema: Schema, row: SeedRow) -> str:
    found = catalogue_of(schema)[0].type(row.entity_type)
    if found.key != ("id",):
        parts = (row.values[found.properties[name].stored] for name in found.key)
        return joined_key([part.key if isinstance(part, Identity) else part for part in parts])
    if row.name is not None:
        return key_of_row(row.entity_type, row.name)
    return joined_key([value.key for value in row.values.values() if isinstance(value, Identity)])


def _known(schema: Schema, row: SeedRow) -> dict[str, Any]:
    """The values whose attributes and targets the schema has."""
    attributes = schema.types[row.entity_type].attributes
    return {
        name: value
        for name, value in row.values.items()
        if name.partition(".")[0] in attributes
        if not isinstance(value, Identity) or value.entity_type in schema.types
    }
