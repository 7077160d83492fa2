"""A page as plain rows: the values at the paths of a query, without entities."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from attrs import frozen

from callsheet.core.core import Core
from callsheet.model.query import Path, Select
from callsheet.model.record import Page, Records
from callsheet.model.schema import Schema

__all__ = ["PageTables", "flat_records", "json_records"]


def flat_records(core: Core, select: Select, page: Page) -> list[dict[str, Any]]:
    """The page as plain dicts, dotted names for what was reached through relations."""
    tables = PageTables(core.schema, page)
    names = [".".join(path.names) for path in select.projections]
    found: list[dict[str, Any]] = []
    for records in page.records[: page.roots]:
        key = core.schema.types[records.entity_type].key
        if len(key) > 1:
            block = [dict(zip(key, row[0])) for row in records.rows]
        else:
            block = [{key[0]: row[0]} for row in records.rows]
        if not names:
            paired = _paired(core.schema, records)
            for flat, row in zip(block, records.rows):
                flat.update(zip(records.attributes, row[2:]))
                for name in paired:
                    # A reference is its key in every row, whether or not its type has others below it.
                    flat[name] = flat[name] and flat[name][1]
        for name, path in zip(names, select.projections):
            for flat, value in zip(block, tables.column(records, path)):
                flat[name] = value
        found += block
    if page.order is not None:
        return [found[index] for index in page.order]
    return found


def json_records(core: Core, select: Select, page: Page) -> list[dict[str, Any]]:
    """The page as plain dicts of what JSON has: dates and times are ISO texts."""
    return [{name: _json(value) for name, value in record.items()} for record in flat_records(core, select, page)]


def _json(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _json(item) for name, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value


def _paired(schema: Schema, records: Records) -> list[str]:
    """The references of a block that come as pairs of type and key."""
    known = schema.types[records.entity_type].attributes
    references = [known[name] for name in records.attributes if name in known and known[name].kind == "reference"]
    return [each.name for each in references if schema.polymorphic(str(each.target))]


@frozen
class _Block:
    """The rows of a block by key, and the place of each attribute in them."""

    rows: dict[Any, Any]
    places: dict[str, int]

    @classmethod
    def of(cls, records: Records) -> _Block:
        places = {name: place for place, name in enumerate(records.attributes, 2)}
        return cls({row[0]: row for row in records.rows}, places)


class PageTables:
    """Values of a page by type, key and attribute.

    A page has few entities that many of its rows refer to; what is behind a reference is read once for each.
    """

    def __init__(self, schema: Schema, page: Page) -> None:
        self._schema = schema
        self._page = page
        self._families: dict[str, list[_Block]] = {}

    def _family(self, root: str) -> list[_Block]:
        """The blocks whose entities have one root type."""
        blocks = self._families.get(root)
        if blocks is None:
            family = [each for each in self._page.records if self._schema.types[each.entity_type].root == root]
            blocks = self._families[root] = [_Block.of(records) for records in family]
        return blocks

    def _scalars(self, type_name: str, name: str) -> dict[Any, Any] | None:
        """The values of an attribute by key; None if it is no scalar of this type."""
        entity_type = self._schema.types[type_name]
        attribute = entity_type.attributes.get(name)
        if attribute is None or attribute.kind != "scalar" or name in entity_type.key:
            return None
        found: dict[Any, Any] = {}
        for block in reversed(self._family(entity_type.root)):
            place = block.places.get(name)
            if place is not None:
                found.update((key, row[place]) for key, row in block.rows.items())
        return found

    def _known(self, root: str, key: Any, name: str) -> Any:
        """The value of an attribute of an entity, from the first block that has it."""
        for block in self._family(root):
            row = block.rows.get(key)
            place = block.places.get(name)
            if row is not None and place is not None:
                return row[place]
        return None

    def column(self, records: Records, path: Path) -> list[Any]:
        """The values at a path, one for each row of a block; what rows of this type lack is None."""
        name, rest = path.steps[0].name, path.steps[1:]
        attribute = self._schema.types[records.entity_type].attributes.get(name)
        if attribute is None or name not in records.attributes or attribute.kind in ("collection", "mapping"):
            return [self.value(records.entity_type, row[0], path) for row in records.rows]
        place = records.attributes.index(name) + 2
        if attribute.kind == "scalar":
            return [row[place] for row in records.rows]
        polymorphic = self._schema.polymorphic(str(attribute.target))
        if len(rest) == 1 and not polymorphic and path.steps[0].cast is None:
            values = self._scalars(str(attribute.target), rest[0].name)
            if values is not None:
                return [values.get(row[place]) for row in records.rows]
        behind: dict[Any, Any] = {None: None}
        found = []
        for row in records.rows:
            value = row[place]
            # A pair of type and key comes as a list, which has no hash.
            key = value[1] if polymorphic and value is not None else value
            if key not in behind:
                behind[key] = self._related(attribute.target, value, polymorphic, path.steps[0].cast, rest)
            found.append(behind[key])
        return found

    def value(self, type_name: str, key: Any, path: Path) -> Any:
        """The value at a path; a list where it leads through a collection."""
        step, rest = path.steps[0], path.steps[1:]
        entity_type = self._schema.types[type_name]
        if step.name in entity_type.key:
            return key if len(entity_type.key) == 1 else key[entity_type.key.index(step.name)]
        if step.name not in entity_type.names:
            return None
        attribute = entity_type.attribute(step.name)
        value = self._known(entity_type.root, key, attribute.name)
        if attribute.kind == "mapping":
            return (value or {}).get(rest[0].name) if rest else value
        if attribute.kind == "scalar" or value is None:
            return value
        polymorphic = self._schema.polymorphic(str(attribute.target))
        if attribute.kind == "reference":
            return self._related(attribute.target, value, polymorphic, step.cast, rest)
        found = [self._related(attribute.target, item, polymorphic, step.cast, rest) for item in value]
        return [item for item in found if item is not None]

    def _related(self, target: Any, value: Any, polymorphic: bool, cast: str | None, rest: Any) -> Any:
        name, key = value if polymorphic else (target, value)
        if cast is not None and not self._schema.is_a(name, cast):
            return None
        return self.value(name, key, Path(rest)) if rest else key
