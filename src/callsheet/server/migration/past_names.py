"""The log keeps the names and values of its day; they are read as the schema of now has them.

A change of an entity whose type is gone is left out, and so is the value of an attribute that is gone, or that is no
value of what the attribute became.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from attrs import evolve
from sqlalchemy import Connection, select

from callsheet.errors import CallsheetError
from callsheet.model.history import EntityChange
from callsheet.model.record import Identity
from callsheet.model.schema import Schema
from callsheet.server.migration.cells import Cure, cell_of
from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.schemas.former_names import FormerNames
from callsheet.server.store.store import Store

__all__ = ["PastNames"]

_CLEAR = Cure(clear=True)
_NONE = object()


class PastNames:
    """The changes of a store's schema, read when a commit of before one is read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = 0
        self._steps: list[tuple[int, Correspondence]] = []

    def translated(self, connection: Connection, position: int, changes: Iterable[EntityChange]) -> list[EntityChange]:
        """Changes of a commit, with the names that they have now."""
        found = list(changes)
        for at, both in self._read(connection):
            if at > position:
                found = [made for each in found if (made := _changed(both, each)) is not None]
        return found

    def is_past(self, connection: Connection, position: int) -> bool:
        """Whether the schema has changed since a commit."""
        steps = self._read(connection)
        return bool(steps) and steps[-1][0] > position

    def _read(self, connection: Connection) -> list[tuple[int, Correspondence]]:
        if self._known != self._store.schema_number:
            table = self._store.table("_schema_change")
            rows = connection.execute(select(table).order_by(table.c.position)).all()
            documents = [msgspec.json.decode(row.before) for row in rows] + [self._store.described.document]
            schemas = [Schema(document) for document in documents]
            self._steps = [
                (row.position, Correspondence(schemas[index], schemas[index + 1], _former(row)))
                for index, row in enumerate(rows)
            ]
            self._known = self._store.schema_number
        return self._steps


def _former(row: Any) -> FormerNames:
    types = msgspec.json.decode(row.types, type=dict[str, str])
    names = msgspec.json.decode(row.names, type=list[tuple[str, str, str]])
    return FormerNames(
        {new: old for old, new in types.items() if old != new},
        {(types[kind], new): old for kind, old, new in names},
    )


def _changed(both: Correspondence, change: EntityChange) -> EntityChange | None:
    kind = change.identity.entity_type
    new = both.successors.get(kind)
    if new is None:
        return change if kind not in both.old.types else None
    return evolve(
        change,
        identity=Identity(new, change.identity.key),
        before=_values(both, kind, new, change.before),
        after=_values(both, kind, new, change.after),
        added=_members(both, kind, new, change.added),
        removed=_members(both, kind, new, change.removed),
        adjusted={
            name: held for old, held in change.adjusted.items() if (name := both.names.get((kind, old))) is not None
        },
    )


def _values(both: Correspondence, kind: str, new: str, values: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for old, value in values.items():
        mapping, dot, item = old.partition(".")
        name = both.names.get((kind, mapping))
        if name is None or both.carried(new, name) is None:
            continue
        made = value if dot else _value(both, new, name, value)
        if made is not _NONE:
            found[f"{name}{dot}{item}"] = made
    return found


def _value(both: Correspondence, new: str, name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, Identity):
        target = both.successors.get(value.entity_type)
        return _NONE if target is None else Identity(target, value.key)
    here = evolve(both.new.types[new].attributes[name], required=False, default=None)
    if here.kind != "scalar":
        return value
    try:
        made = cell_of(new, both.carried(new, name), here, _CLEAR, datetime.now(UTC))(value)
    except CallsheetError:
        return _NONE
    return _NONE if made is None else made


def _members(both: Correspondence, kind: str, new: str, members: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for old, held in members.items():
        name = both.names.get((kind, old))
        if name is not None and both.carried(new, name) is not None:
            kinds = ((both.successors.get(each.entity_type), each.key) for each in held)
            found[name] = tuple(Identity(target, key) for target, key in kinds if target is not None)
    return found
