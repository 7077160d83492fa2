"""Queries answered: the tree of projections is filled level by level, then written as nested objects.

Each place of the tree costs the backend one select for a thousand entities, however many refer to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import define

from callsheet.dialects.ftrack.server.reading.computed_properties import fill_made, related_keys
from callsheet.dialects.ftrack.server.reading.mapping_items import fill_items, item_rows
from callsheet.dialects.ftrack.server.reading.projection import AnswerNode, projected
from callsheet.dialects.ftrack.server.reading.serialization import Serializer, plain
from callsheet.dialects.ftrack.server.reading.store_reader import PAGE, StoreReader, keys_in
from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue, Property
from callsheet.dialects.ftrack.server.translation.query_text import VendorQuery, aggregate_functions
from callsheet.dialects.ftrack.server.translation.translator import Translator
from callsheet.errors import QueryError
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.query import Order, Select

__all__ = ["QueryExecutor"]

MOST = 50_000
"""Entities in one answer where the query has no limit."""


@define(eq=False)
class QueryExecutor:
    """QueryExecutor questions by what a reader reads."""

    reader: StoreReader

    @property
    def catalogue(self) -> Catalogue:
        return self.reader.catalogue

    @property
    def translator(self) -> Translator:
        return Translator(self.catalogue, self.reader.configurations, self.values_of)

    def answer(self, question: VendorQuery) -> tuple[list[Any], int | None]:
        """The entities as plain data, and the offset of the next page."""
        if question.functions or question.group is not None:
            return self._aggregated(question), None
        found = self.catalogue.type(question.entity_type)
        node = projected(self.catalogue, found, question.projections, self.reader.manner.strict)
        if found.entity_type is None:
            keys, more = self._sliced(item_rows(self.reader, node, question.where, question.order), question)
        else:
            keys, more = self._roots(node, question)
        self.fill(node)
        data = Serializer(self.reader.manner.denormalize).all(node, keys)
        return data, question.offset + len(keys) if more else None

    def values_of(self, select: Select) -> list[Any]:
        """The values of a query within the query, if the store has no rows of its type."""
        if len(select.projections) != 1:
            raise QueryError("A query in parentheses selects one attribute.")
        found = self.catalogue.type(select.entity_type)
        node = projected(self.catalogue, found, select.projections, True)
        name = select.projections[0].names[0]
        rows = [node.objects[key].get(name) for key in item_rows(self.reader, node, select.where, ())]
        return [value for value in dict.fromkeys(rows) if value is not None]

    def _roots(self, node: AnswerNode, question: VendorQuery) -> tuple[list[str], bool]:
        assert node.type.entity_type is not None
        translator = self.translator
        where = None if question.where is None else translator.condition(question.where, node.type)
        order = tuple(Order(translator.path(each.path, node.type), each.descending) for each in question.order)
        select = Select(node.type.entity_type.name, node.paths(), where, order, offset=question.offset)
        wanted = MOST if question.limit is None else min(question.limit, MOST)
        keys: list[str] = []
        cursor: str | None = None
        while len(keys) < wanted:
            page = self.reader.backend.select(select, min(PAGE, wanted - len(keys)), cursor)
            keys += self.reader.take(node, page)
            cursor = page.cursor
            if cursor is None:
                break
        return keys, cursor is not None

    def _sliced(self, keys: list[str], question: VendorQuery) -> tuple[list[str], bool]:
        stop = len(keys) if question.limit is None else question.offset + question.limit
        return keys[question.offset : stop], stop < len(keys)

    def fill(self, node: AnswerNode) -> None:
        """Read what the relations of a node lead to, and what is made of it."""
        for prop in list(node.properties.values()):
            if not node.objects:
                return
            if prop.kind == "made" and node.type.entity_type is not None:
                fill_made(self.reader, node, prop)
            elif prop.kind in ("metadata", "custom"):
                fill_items(self.reader, node, prop)
            elif prop.kind in ("related", "lineage"):
                node.links[prop.name] = related_keys(self.reader, node, prop)
            for cast, child in node.children.get(prop.name, {}).items():
                self._child(node, prop, cast, child)

    def _child(self, node: AnswerNode, prop: Property, cast: str | None, child: AnswerNode) -> None:
        if prop.kind not in ("metadata", "custom") and child.type.entity_type is not None:
            ends: Iterable[Any] = node.links.get(prop.name, {}).values()
            if prop.attribute is not None and prop.attribute.kind == "reference":
                ends = dict.fromkeys(ends)
            self.reader.load(child, dict.fromkeys(key for value in ends for key in keys_in(value)))
        self.fill(child)

    def _aggregated(self, question: VendorQuery) -> list[dict[str, Any]]:
        found = self.catalogue.type(question.entity_type)
        if found.entity_type is None:
            raise QueryError(f"{found.name} cannot be grouped.")
        words = aggregate_functions()
        translator = self.translator
        paths = list(dict.fromkeys((*(question.group or ()), *question.projections)))
        functions = [
            # The vendor takes a value once for each entity that leads to it.
            AggregateFunction("count")
            if (word, path.names) == ("count", ("id",))
            else AggregateFunction(words[word], translator.path(path, found), repeated=True)
            for word, path in question.functions
        ]
        where = None if question.where is None else translator.condition(question.where, found)
        groups = tuple(translator.path(path, found) for path in paths)
        select = Select(found.entity_type.name, where=where)
        rows = self.reader.backend.aggregate(Aggregate(select, tuple(functions), groups))
        names = [".".join(path.names) for path in paths]
        names += [f"{word}_{'.'.join(path.names)}" for word, path in question.functions]
        stop = None if question.limit is None else question.offset + question.limit
        answered = [dict(zip(names, (plain(value) for value in row))) for row in rows]
        return answered[question.offset : stop]
