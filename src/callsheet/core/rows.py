"""A page as plain rows: the values at the paths of a query, without entities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from callsheet.core.core import Core
from callsheet.model.query import Path, Select
from callsheet.model.record import Page, Records
from callsheet.model.schema import Schema

__all__ = ["PageTables", "flat_records"]


def flat_records(core: Core, select: Select, page: Page) -> list[dict[str, Any]]:
    """The page as plain dicts, dotted names for what was reached through relations."""
    tables = PageTables(core.schema, page)
    projections = select.projections
    found = []
    for records, row in tables.roots():
        key = core.schema.types[records.entity_type].key
        flat: dict[str, Any] = dict(zip(key, row[0])) if len(key) > 1 else {key[0]: row[0]}
        if not projections:
            flat.update(zip(records.attributes, row[2:]))
        for path in projections:
            flat[".".join(path.names)] = tables.value(records.entity_type, row[0], path)
        found.append(flat)
    if page.order is not None:
        return [found[index] for index in page.order]
    return found


class PageTables:
    """Values of a page by type, key and attribute."""

    def __init__(self, schema: Schema, page: Page) -> None:
        self._schema = schema
        self._page = page
        self._values: dict[tuple[str, Any], dict[str, Any]] = {}
        for records in page.records:
            root = self._schema.types[records.entity_type].root
            for row in records.rows:
                place = self._values.setdefault((root, row[0]), {"@type": records.entity_type})
                place.update(zip(records.attributes, row[2:]))

    def roots(self) -> Iterable[tuple[Records, Sequence[Any]]]:
        for records in self._page.records[: self._page.roots]:
            for row in records.rows:
                yield records, row

    def value(self, type_name: str, key: Any, path: Path) -> Any:
        """The value at a path; a list where it leads through a collection."""
        step, rest = path.steps[0], path.steps[1:]
        entity_type = self._schema.types[type_name]
        if step.name in entity_type.key:
            return key if len(entity_type.key) == 1 else key[entity_type.key.index(step.name)]
        if step.name not in entity_type.names:
            return None
        attribute = entity_type.attribute(step.name)
        row = self._values.get((entity_type.root, key), {})
        value = row.get(attribute.name)
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
