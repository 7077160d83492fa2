"""What names types beside the schema follows it: graves, custom attributes, keys of entities, user tables, overlays."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from sqlalchemy import Connection, case, delete, inspect, update

from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.store.layout import layout_of
from callsheet.server.store.store import CONFIGURATION, Store
from callsheet.server.store.user_tables import encoded, saved_tables

__all__ = ["follow"]


def follow(store: Store, connection: Connection, both: Correspondence) -> None:
    """Bring to the new names what the server keeps by the old ones, once the tables are those of the new schema."""
    renamed = {old: new for old, new in both.successors.items() if old != new}
    _drop_overlays(connection)
    _move_graves(store, connection, both)
    if renamed:
        _rename_in_rows(connection, both, renamed)
        _rename_in_tables(store, connection, renamed)


def _drop_overlays(connection: Connection) -> None:
    """No scenario is open, so what is left of their tables, made for the old columns, goes."""
    quote = connection.dialect.identifier_preparer.quote
    for name in inspect(connection).get_table_names():
        if name.startswith("_over"):
            connection.exec_driver_sql(f"DROP TABLE {quote(name)}")


def _move_graves(store: Store, connection: Connection, both: Correspondence) -> None:
    graves = store.table("_tombstone")
    roots = {name: both.successors.get(name) for name, each in both.old.types.items() if not each.parent}
    moved = {old: both.new.types[new].root for old, new in roots.items() if new is not None}
    gone = [old for old, new in roots.items() if new is None]
    if gone:
        connection.execute(delete(graves).where(graves.c.root.in_(gone)))
    moved = {old: new for old, new in moved.items() if old != new}
    if moved:
        kinds = case(moved, value=graves.c.root)
        connection.execute(update(graves).where(graves.c.root.in_(list(moved))).values(root=kinds))


def _rename_in_rows(connection: Connection, both: Correspondence, renamed: dict[str, str]) -> None:
    """Texts of entities that are names of types: of custom attributes, and beside keys (``key_of``)."""
    places: set[tuple[str, str]] = set()
    for each in both.new.types.values():
        places.update((each.root, str(a.key_of)) for a in each.attributes.values() if a.key_of)
    if CONFIGURATION in both.new.types:
        places.add((both.new.types[CONFIGURATION].root, "entity_type"))
    for root, name in places:
        table = layout_of(both.new).tables[root]
        if name in table.c:
            kinds: Any = case(renamed, value=table.c[name])
            connection.execute(update(table).where(table.c[name].in_(list(renamed))).values({name: kinds}))


def _rename_in_tables(store: Store, connection: Connection, renamed: dict[str, str]) -> None:
    rows = store.table("_table")
    for table in saved_tables(store.layout.metadata, connection):
        joins = tuple(evolve(join, target=renamed.get(join.target, join.target)) for join in table.joins)
        if joins != table.joins:
            text = encoded(evolve(table, joins=joins))
            connection.execute(update(rows).where(rows.c.number == table.number).values(definition=text))
