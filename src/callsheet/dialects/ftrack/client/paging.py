"""Pages that neither skip nor double rows while others write.

The server pages by offset, and an offset shifts when a row before it comes or goes. So the next page is
requested by the values of the last row: all rows that come after them, in this order. If the order is by values that
the server rounds (numbers, dates) or that a cursor cannot hold, or if the server refuses the condition, pages go by
offset.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.errors import Invalid, QueryError
from callsheet.model.language.resolution import resolve
from callsheet.model.query import And, Comparison, Condition, Or, Path, Select, Step
from callsheet.model.record import Page

__all__ = ["OffsetCursor", "Keyset", "keyset"]

EXACT = ("string", "enum", "integer")


@frozen
class OffsetCursor:
    """How many rows have come, and what the last of them had under the order's paths; None: count only."""

    count: int = 0
    values: tuple[Any, ...] | None = None

    def text(self) -> str:
        """As it travels.

        >>> OffsetCursor.read(OffsetCursor(4, ("b", None)).text())
        OffsetCursor(count=4, values=('b', None))
        """
        return json.dumps([self.count, self.values])

    @classmethod
    def read(cls, text: str | None) -> OffsetCursor:
        """From its text; none is the beginning."""
        if text is None:
            return cls()
        try:
            count, values = json.loads(text)
            if type(count) is int and count >= 0 and isinstance(values, list | None):
                return cls(count, None if values is None else tuple(values))
        except (TypeError, ValueError):
            pass
        raise Invalid(f"{text!r:.40} is no cursor of this server")


@frozen
class Keyset:
    """The order of a query, made total by the key: paths, and whether they run downwards."""

    terms: tuple[tuple[Path, bool], ...]

    def asking(self, select: Select, vocabulary: Vocabulary) -> Select:
        """The query that brings along what the cursor needs."""
        entity_type = vocabulary.schema.type(select.entity_type)
        projections = select.projections or vocabulary.plain(entity_type)
        missing = [path for path, _ in self.terms if path not in projections and path.names not in _keys(entity_type)]
        return evolve(select, projections=(*projections, *missing)) if missing else select

    def after(self, select: Select, values: Sequence[Any]) -> Select:
        """What comes after these values."""
        if len(values) != len(self.terms):
            raise Invalid("this cursor belongs to another query")
        parts: list[Condition] = []
        for place, (path, descending) in enumerate(self.terms):
            beyond = _beyond(path, descending, values[place])
            if beyond is not None:
                same = [Comparison(path, "=", value) for (path, _), value in zip(self.terms[:place], values)]
                parts.append(And((*same, beyond)) if same else beyond)
        rest = parts[0] if len(parts) == 1 else Or(tuple(parts))
        where = rest if select.where is None else And((select.where, rest))
        return evolve(select, where=where, offset=0)

    def values(self, page: Page, vocabulary: Vocabulary) -> tuple[Any, ...] | None:
        """The values of the page's last row; None if the page lacks one."""
        table, last = _table(page, vocabulary)
        found = []
        for path, _ in self.terms:
            value = _at(table, last, path, vocabulary)
            if value is not None and type(value) not in (str, int):
                return None
            found.append(value)
        return tuple(found)


def keyset(select: Select, vocabulary: Vocabulary) -> Keyset | None:
    """The order of a query whose values can be compared exactly, or None."""
    entity_type = vocabulary.schema.type(select.entity_type)
    terms: list[tuple[Path, bool]] = []
    for order in select.order:
        try:
            way = resolve(order.path, entity_type, vocabulary.schema)
        except QueryError:
            return None
        cast = any(step.cast for step in way.steps)
        if cast or way.item or way.collections or way.relation or way.attribute.data_type not in EXACT:
            return None
        terms.append((Path(way.steps), order.descending))
    named = [path for path, _ in terms]
    for names in _keys(entity_type):
        path = Path(tuple(map(Step, names)))
        if path not in named:
            terms.append((path, False))
    return Keyset(tuple(terms))


def _keys(entity_type: Any) -> list[tuple[str, ...]]:
    """The names on the paths of the key's parts."""
    return [(entity_type.aliases[name], "id") if name in entity_type.aliases else (name,) for name in entity_type.key]


def _beyond(path: Path, descending: bool, value: Any) -> Condition | None:
    """What comes after a value: nulls come first upwards, last downwards."""
    if not descending:
        return Comparison(path, "!=" if value is None else ">", value)
    if value is None:
        return None
    return Or((Comparison(path, "<", value), Comparison(path, "=", None)))


def _table(page: Page, vocabulary: Vocabulary) -> tuple[dict[tuple[str, Any], dict[str, Any]], tuple[str, Any]]:
    """The values of each entity of a page, and its last result."""
    table: dict[tuple[str, Any], dict[str, Any]] = {}
    roots: list[tuple[str, Any]] = []
    for number, records in enumerate(page.records):
        for row in records.rows:
            table.setdefault((records.entity_type, row[0]), {}).update(zip(records.attributes, row[2:]))
            if number < page.roots:
                roots.append((records.entity_type, row[0]))
    return table, roots[-1 if page.order is None else page.order[-1]]


def _at(table: Any, identity: tuple[str, Any], path: Path, vocabulary: Vocabulary) -> Any:
    """The value at a path; a value that no cursor holds if the page lacks it."""
    for step in path.steps:
        entity_type = vocabulary.schema.type(identity[0])
        if step.name in entity_type.key:
            key = identity[1]
            return key[entity_type.key.index(step.name)] if isinstance(key, tuple) else key
        attribute = entity_type.attributes[step.name]
        value = table.get(identity, {}).get(step.name, NotImplemented)
        if attribute.kind != "reference" or value is None or value is NotImplemented:
            return value
        target = str(attribute.target)
        identity = value if vocabulary.schema.polymorphic(target) else (target, value)
    return NotImplemented
