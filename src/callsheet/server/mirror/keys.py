"""Keys of entities as UUID columns, which are joined about three times as fast as texts.

A store allows any text as a key, and most are UUIDs. So the keys of a root type, and all references to them, are UUIDs
in the mirror as long as all of them are written as `uuid4` writes them; else they are texts. Statements do not see the
difference: the compiler in ``engine.py`` compares two such columns as they are, and makes a text of one wherever else
it stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import Column, Connection, select

from callsheet.server.store.declaring import LIKE
from callsheet.server.store.layout import Layout, stored
from callsheet.server.store.store import Store

__all__ = [
    "TextKeys",
    "UuidColumns",
    "check_uuids",
    "key_columns",
    "key_root",
    "key_value",
    "named_root",
    "roots_of_texts",
    "uuid_columns",
]

UuidColumns: TypeAlias = Mapping[tuple[str, str], str]
"""Tables and columns, by name, each with the root type of the entities that its keys name."""

SAMPLE = 100
"""Keys of a table that are looked at before all are copied."""
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MESSAGE = "a key that is no UUID: "


class TextKeys(Exception):
    """A key of this root type is not a UUID, so its keys must be texts."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root


def key_columns(store: Store) -> UuidColumns:
    """All columns of keys.

    >>> dot = {"attributes": {"next": {"type": "reference", "target": "Dot"}}}
    >>> store = Store.open("memory:", {"types": {"Dot": dot}})
    >>> key_columns(store)
    {('Dot', 'id'): 'Dot', ('Dot', 'next'): 'Dot'}
    >>> store.close()
    """
    schema, layout = store.schema, store.layout
    found = {(table.name, "id"): root for root, table in layout.tables.items()}
    for entity_type in schema.types.values():
        table = layout.tables[entity_type.root]
        for attribute in entity_type.attributes.values():
            if attribute.kind == "reference" and stored(attribute):
                found[table.name, attribute.name] = schema.type(str(attribute.target)).root
    return found | _linked(store, layout)


def _linked(store: Store, layout: Layout) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for (kind, name), link in layout.links.items():
        entity_type = store.schema.types[kind]
        target = store.schema.type(str(entity_type.attributes[name].target))
        found[link.table.name, link.near.name] = entity_type.root
        found[link.table.name, link.far.name] = target.root
    return found


def uuid_columns(keys: UuidColumns, texts: Collection[str]) -> UuidColumns:
    """The columns of UUIDs, if the keys of some root types are texts."""
    return {place: root for place, root in keys.items() if root not in texts}


def roots_of_texts(store: Store, connection: Connection, roots: Iterable[str]) -> set[str]:
    """The root types of which some first key is no UUID."""
    found = set()
    for root in roots:
        some = connection.execute(select(store.tables[root].c.id).limit(SAMPLE)).scalars()
        if not all(map(_UUID.fullmatch, some)):
            found.add(root)
    return found


def check_uuids(root: str, keys: Iterable[str]) -> None:
    """Raise `TextKeys` if a key is no UUID."""
    if not all(map(_UUID.fullmatch, keys)):
        raise TextKeys(root)


def key_root(uuids: UuidColumns, column: Column[Any]) -> str | None:
    """The root type whose keys a column has, if they are UUIDs; its table may say which other it is `LIKE`."""
    table: Any = column.table
    return uuids.get((table.info.get(LIKE, table.name), column.info.get(LIKE, column.name)))


def key_value(column: str, root: str) -> str:
    """The expression that makes a UUID of a text column; it fails for other texts, also for UUIDs in capitals."""
    uuid, message = f"TRY_CAST({column} AS UUID)", f"{_MESSAGE}{root}".replace("'", "''")
    same = f"CAST({uuid} AS VARCHAR) = {column}"
    return f"CASE WHEN {column} IS NULL THEN NULL WHEN {same} THEN {uuid} ELSE error('{message}') END"


def named_root(error: Exception) -> str | None:
    """The root type that an error of `key_value` names; None for other errors."""
    _, found, root = str(error).partition(_MESSAGE)
    return root.splitlines()[0].strip() if found else None
