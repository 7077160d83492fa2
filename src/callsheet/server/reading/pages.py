"""Pages are read from the store.

A page needs one statement for the selected entities, and one or two for each relation in its projections, however many
rows it has: the keys of all related entities are collected, and their rows are read together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from sqlalchemy import ColumnElement, Connection, FromClause, select
from sqlalchemy import Select as Statement

from callsheet.chunks import chunks
from callsheet.errors import Invalid
from callsheet.model.query import Select
from callsheet.model.record import Page, Records
from callsheet.model.schema import Attribute, EntityType
from callsheet.server.access.access import Access
from callsheet.server.reading.ancestry import links
from callsheet.server.reading.choosing import chosen_keys, directed
from callsheet.server.reading.cursors import KeySetCursor, after, decoded, query_of
from callsheet.server.reading.projection import ProjectionNode, projected
from callsheet.server.reading.sql import Scope, of_type, readable, unindexed
from callsheet.server.reading.sqlite_hints import has_key_list, is_rare
from callsheet.server.store.comparison import Value, Where
from callsheet.server.store.items import item_python
from callsheet.server.store.keys_among import among
from callsheet.server.store.layout import stored
from callsheet.server.store.store import CHUNK, Store

__all__ = ["read_page"]

Row = Sequence[Any]


def read_page(
    store: Store,
    connection: Connection,
    select: Select,
    size: int,
    cursor: str | None = None,
    access: Access | None = None,
) -> Page:
    """At most ``size`` entities after the cursor, and the related entities of the projections.

    The select must have been checked against the store's schema (``model/language/checking.py``). Entities that
    ``access`` does not let the account read do not appear (None: it may read all).
    """
    if size < 1:
        raise Invalid(f"a page has at least one entity, not {size}")
    node = projected(store.schema, select.entity_type, select.projections)
    reader = _BlockReader(store, connection, access)
    rows, following = _roots(reader, node, select, size, cursor)
    roots, related = reader.blocks(node, rows)
    order = None if len(roots) == 1 else _order(rows)
    return Page((*roots, *related), len(roots), order, following)


def _roots(
    reader: _BlockReader, node: ProjectionNode, wanted: Select, size: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """The rows of one page, and the cursor of the next."""
    scope = Scope(reader.store, wanted.entity_type, reader.access, alias=False)
    order = [(scope.value(each.path), each.descending) for each in wanted.order]
    looked_up = has_key_list(scope, wanted.where)
    if wanted.top is not None or wanted.sample is not None:
        opened = partial(Scope, reader.store, wanted.entity_type, reader.access)
        conditions: list[Where] = [scope.key.in_(chosen_keys(wanted, opened))]
    else:
        conditions = scope.of_type(indexed=not looked_up)
        if wanted.where is not None:
            conditions.append(scope.condition(wanted.where))
    remaining = wanted.limit
    if cursor is not None:
        last = decoded(cursor, wanted, [value for value, _ in order])
        conditions.append(after(last, order, scope.place.key))
        remaining = last.remaining
    number = size if remaining is None else min(size, remaining)
    columns = reader.columns(node, scope.place.table)
    statement = select(*columns, *(value.expression for value, _ in order)).select_from(scope.source)
    statement = statement.where(*conditions).limit(number + 1)
    key = unindexed(scope.place.key) if looked_up else scope.place.key
    statement = statement.order_by(*_directions(reader, scope, order), key)
    if wanted.offset and cursor is None:
        statement = statement.offset(wanted.offset)
    rows = reader.fetch(statement)
    remaining = None if remaining is None else remaining - number
    if len(rows) <= number or remaining == 0:
        return rows[:number], None
    rows = rows[:number]
    values = tuple(rows[-1][len(columns) :])
    return rows, KeySetCursor(query_of(wanted), values, rows[-1][0], remaining).encoded()


def _directions(reader: _BlockReader, scope: Scope, order: list[tuple[Value, bool]]) -> list[ColumnElement[Any]]:
    """The expressions of ``ORDER BY``."""
    plus = bool(order) and is_rare(scope, reader.connection)
    return [directed(unindexed(value.expression) if plus else value.expression, down) for value, down in order]


def _order(rows: list[Row]) -> list[int]:
    """For each row, its position after the rows have been grouped by type."""
    places: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        places.setdefault(row[2], []).append(index)
    order = [0] * len(rows)
    for place, index in enumerate(index for block in places.values() for index in block):
        order[index] = place
    return order


@define
class _BlockReader:
    """Reads blocks of records in one transaction; each row begins with key, version and type."""

    store: Store
    connection: Connection
    access: Access | None = None
    _places: dict[ProjectionNode, dict[str, int]] = field(factory=dict)

    def fetch(self, statement: Statement[Any]) -> list[Row]:
        return list(self.connection.execute(statement).all())

    def columns(self, node: ProjectionNode, table: FromClause) -> list[ColumnElement[Any]]:
        """The columns of a node's attributes in all concrete types; their positions are kept for `_values`."""
        schema = self.store.schema
        columns: list[ColumnElement[Any]] = [table.c.id, table.c._version, table.c._type]
        places = self._places[node] = {}
        for name in schema.concrete(node.entity_type.name):
            concrete = schema.types[name]
            for attribute in map(concrete.attribute, node.attributes(concrete)):
                if attribute.name in places or not stored(attribute):
                    continue
                places[attribute.name] = len(columns)
                columns.append(self._column(table, attribute))
                if self.polymorphic(attribute):
                    columns.append(table.c[f"{attribute.name}__type"])
        return columns

    def _column(self, table: FromClause, attribute: Attribute) -> ColumnElement[Any]:
        """An attribute's column; a reference is read as NULL if the account may not read its target."""
        column: ColumnElement[Any] = table.c[attribute.name]
        if attribute.kind != "reference" or self.access is None:
            return column
        target = self.store.schema.type(str(attribute.target))
        if self.access.everywhere("read", target.name):
            return column
        other = self.store.tables[target.root].alias()
        seen = select(other.c.id).where(other.c.id == column, *readable(self.access, target, other))
        return seen.correlate(table).scalar_subquery()

    def polymorphic(self, attribute: Attribute) -> bool:
        return attribute.kind == "reference" and self.store.schema.polymorphic(str(attribute.target))

    def blocks(self, node: ProjectionNode, rows: list[Row]) -> tuple[list[Records], list[Records]]:
        """The blocks of a node's rows, one for each concrete type; and the blocks of all related entities."""
        by_type: dict[str, list[Row]] = {}
        if not self.store.schema.polymorphic(node.entity_type.name):
            by_type[node.entity_type.name] = []
        for row in rows:
            by_type.setdefault(row[2], []).append(row)
        blocks: list[Records] = []
        reached: dict[str, dict[str, None]] = {name: {} for name, _ in node.relations}
        for name, typed in by_type.items():
            concrete = self.store.schema.types[name]
            names = node.attributes(concrete)
            transposed = list(zip(*typed)) or [()] * (3 + 2 * len(self._places[node]))
            values = [self._values(node, concrete, each, transposed) for each in names]
            blocks.append(Records(name, tuple(names), list(zip(transposed[0], transposed[1], *values))))
            for each in reached:
                if each in names:
                    reached[each].update(dict.fromkeys(_keys(values[names.index(each)])))
        related = [
            block for (name, _), child in node.relations.items() for block in self._related(child, list(reached[name]))
        ]
        return blocks, related

    def _related(self, node: ProjectionNode, keys: list[str]) -> list[Records]:
        """The blocks of the entities with these keys, and of all their related entities."""
        table = self.store.tables[node.entity_type.root]
        columns = self.columns(node, table)
        conditions = of_type(self.store.schema, node.entity_type, table)
        conditions += readable(self.access, node.entity_type, table)
        rows: list[Row] = []
        engine = self.store.engine_name
        for chunk in chunks(keys, CHUNK):
            rows += self.fetch(
                select(*columns).where(among(engine, table.c.id, chunk), *conditions).order_by(table.c.id)
            )
        if not rows:
            return []
        blocks, related = self.blocks(node, rows)
        return blocks + related

    def _values(self, node: ProjectionNode, concrete: EntityType, name: str, transposed: list[Any]) -> Sequence[Any]:
        """The values of one attribute for all rows of one type."""
        attribute = concrete.attribute(name)
        keys = transposed[0]
        if attribute.kind == "collection":
            members = self._members(concrete, attribute, keys)
            return [members.get(key, []) for key in keys]
        if not stored(attribute):
            found = links(self.store, self.connection, concrete.root, keys, self.access)
            return [found[key] for key in keys]
        place = self._places[node][name]
        values: Sequence[Any] = transposed[place]
        if self.polymorphic(attribute):
            return [None if key is None else (of, key) for of, key in zip(transposed[place + 1], values)]
        if attribute.kind == "mapping":
            return _mappings(concrete, attribute, values)
        return values

    def _members(self, concrete: EntityType, attribute: Attribute, keys: Sequence[str]) -> dict[str, list[Any]]:
        """The members of a collection by the key of its owner, in the order of their keys."""
        schema = self.store.schema
        target = schema.type(str(attribute.target))
        table = self.store.tables[target.root]
        polymorphic = schema.polymorphic(target.name)
        if self.store.is_link(concrete.name, attribute.name):
            link = self.store.link(concrete.name, attribute.name)
            near, far = link.near, link.far
            source: FromClause = link.table.join(table, table.c.id == far)
        else:
            near, far, source = table.c[str(attribute.inverse)], table.c.id, table
        columns = [near, far, table.c._type] if polymorphic else [near, far]
        conditions = of_type(schema, target, table) + readable(self.access, target, table)
        statement = select(*columns).select_from(source).where(*conditions).order_by(near, far)
        members: dict[str, list[Any]] = {}
        for chunk in chunks(keys, CHUNK):
            for row in self.connection.execute(statement.where(among(self.store.engine_name, near, chunk))):
                members.setdefault(row[0], []).append((row[2], row[1]) if polymorphic else row[1])
        return members


def _keys(values: Iterable[Any]) -> Iterable[str]:
    """All keys in the values of a relation."""
    for value in values:
        for each in value if isinstance(value, list) else (value,):
            if each is not None:
                yield each[1] if isinstance(each, tuple) else each


def _mappings(entity_type: EntityType, attribute: Attribute, values: Sequence[Any]) -> list[dict[str, Any]]:
    """Mappings, empty ones as ``{}``; custom items of date types are converted from text."""
    described = entity_type.custom if attribute.data_type == "custom" else {}
    dated = {key: item for key, item in described.items() if item.data_type in ("date", "datetime")}
    if not dated:
        return [value or {} for value in values]
    return [
        {key: item_python(dated[key], item) if key in dated else item for key, item in (value or {}).items()}
        for value in values
    ]
