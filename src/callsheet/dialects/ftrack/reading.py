"""Queries answered: the tree of projections is filled level by level, then told as nested objects.

Each place of the tree costs the backend one select for a thousand entities, however many refer to them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import repeat
from typing import Any

from attrs import define, field, frozen

from callsheet.dialects.ftrack.catalogue import Catalogue, Property, VendorType, joined_key
from callsheet.dialects.ftrack.configured import Configuration, configuration_of
from callsheet.dialects.ftrack.projection import Node, projected
from callsheet.dialects.ftrack.question import Question, aggregate_functions
from callsheet.dialects.ftrack.translation import Translator
from callsheet.dialects.protocol import Backend
from callsheet.errors import QueryError
from callsheet.model.condition import And, Comparison, Condition, Path
from callsheet.model.query import Aggregate, Order, Select
from callsheet.model.record import Page, Records

__all__ = ["Manner", "Reader", "tagged"]

PAGE = 1_000
MOST = 50_000
"""Entities in one answer where the query has no limit."""

CONFIGURATION = "CustomAttributeConfiguration"


@frozen
class Manner:
    """How to answer: only what was asked for, and each entity in full wherever it stands? ``url`` is the server's."""

    strict: bool = False
    denormalize: bool = False
    url: str = ""


@define(eq=False)
class Reader:
    """Answers queries of one request; remembers the configurations it has read."""

    backend: Backend
    catalogue: Catalogue
    manner: Manner = field(factory=Manner)
    _configurations: list[Configuration] | None = None

    @property
    def translator(self) -> Translator:
        return Translator(self.catalogue, self.configurations, self.values_of)

    def type(self, name: str) -> VendorType:
        return self.translator.type(name)

    def answer(self, question: Question) -> tuple[list[Any], int | None]:
        """The entities as plain data, and the offset of the next page."""
        if question.functions or question.group is not None:
            return self._aggregated(question), None
        found = self.type(question.entity_type)
        node = projected(self.catalogue, found, question.projections, self.manner.strict)
        if found.entity_type is None:
            from callsheet.dialects.ftrack.items import item_rows

            keys, more = self._sliced(item_rows(self, node, question.where, question.order), question)
        else:
            keys, more = self._roots(node, question)
        self.fill(node)
        data = Told(self.manner.denormalize).all(node, keys)
        return data, question.offset + len(keys) if more else None

    def values_of(self, select: Select) -> list[Any]:
        """The values that a query within the query gives, where it asks for what the store does not hold as rows."""
        from callsheet.dialects.ftrack.items import item_rows

        if len(select.projections) != 1:
            raise QueryError("A query in parentheses selects one attribute.")
        found = self.type(select.entity_type)
        node = projected(self.catalogue, found, select.projections, True)
        name = select.projections[0].names[0]
        rows = [node.objects[key].get(name) for key in item_rows(self, node, select.where, ())]
        return [value for value in dict.fromkeys(rows) if value is not None]

    # Roots

    def _roots(self, node: Node, question: Question) -> tuple[list[str], bool]:
        assert node.type.entity_type is not None
        where = None if question.where is None else self.translator.condition(question.where, node.type)
        order = tuple(Order(self.translator.path(each.path, node.type), each.descending) for each in question.order)
        select = Select(node.type.entity_type.name, node.paths(), where, order, offset=question.offset)
        wanted = MOST if question.limit is None else min(question.limit, MOST)
        keys: list[str] = []
        cursor: str | None = None
        while len(keys) < wanted:
            page = self.backend.select(select, min(PAGE, wanted - len(keys)), cursor)
            keys += self.take(node, page)
            cursor = page.cursor
            if cursor is None:
                break
        return keys, cursor is not None

    def _sliced(self, keys: list[str], question: Question) -> tuple[list[str], bool]:
        stop = len(keys) if question.limit is None else question.offset + question.limit
        return keys[question.offset : stop], stop < len(keys)

    def load(self, node: Node, keys: Iterable[str]) -> None:
        """Read the entities of these keys that the node does not have yet."""
        assert node.type.entity_type is not None
        missing = [key for key in keys if key not in node.objects]
        for start in range(0, len(missing), PAGE):
            chunk = tuple(missing[start : start + PAGE])
            where = Comparison(Path.of("id"), "in", chunk)
            self.take(node, self.backend.select(Select(node.type.entity_type.name, node.paths(), where), PAGE))

    def take(self, node: Node, page: Page) -> list[str]:
        """Keep the entities of a page in the node; their keys in order."""
        keys: list[str] = []
        for block in page.records[: page.roots]:
            keys += self._block(node, block)
        return keys if page.order is None else [keys[index] for index in page.order]

    def _block(self, node: Node, block: Records) -> list[str]:
        if not block.rows:
            return []
        columns = dict(zip(block.attributes, zip(*(row[2:] for row in block.rows)), strict=False))
        keys: list[str] = [row[0] for row in block.rows]
        wire = node.type.name if node.type.view else block.entity_type
        names = ["__entity_type__"]
        values: list[Iterable[Any]] = [repeat(wire, len(keys))]
        concrete = self.catalogue.types.get(block.entity_type, node.type)
        for prop in node.properties.values():
            if prop.stored == "id" and prop.kind == "value":
                told: Iterable[Any] | None = keys
            elif prop.stored not in columns:
                told = None
            else:
                told = self._column(node, concrete, prop, keys, columns[prop.stored])
            if told is not None:
                names.append(prop.name)
                values.append(told)
        for key, row in zip(keys, zip(*values)):
            node.objects[key] = dict(zip(names, row))
        return keys

    def _column(
        self, node: Node, concrete: VendorType, prop: Property, keys: list[str], column: Sequence[Any]
    ) -> Iterable[Any] | None:
        """One property of all rows as the wire tells it; what leads to other entities is kept for later."""
        if prop.kind in ("reference", "pointer", "collection", "metadata", "custom"):
            node.links.setdefault(prop.name, {}).update(zip(keys, column))
            return None
        if prop.kind == "key":
            return [value[1] if isinstance(value, tuple) else value for value in column]
        data_type = prop.attribute.data_type if prop.attribute is not None else "string"
        if data_type in ("datetime", "date"):
            return [None if value is None else tagged(value) for value in column]
        if prop.stored == "link":
            return [self._link(prop, value) for value in column]
        return column

    def _link(self, prop: Property, value: Any) -> Any:
        return link_told(self.catalogue, value) if prop.name == "link" else str(link_told(self.catalogue, value))

    # Levels

    def fill(self, node: Node) -> None:
        """Read what the relations of a node lead to, and what is made of it."""
        from callsheet.dialects.ftrack.items import fill_items
        from callsheet.dialects.ftrack.made import fill_made, related_keys

        for prop in list(node.properties.values()):
            if not node.objects:
                return
            if prop.kind == "made" and node.type.entity_type is not None:
                fill_made(self, node, prop)
            elif prop.kind in ("metadata", "custom"):
                fill_items(self, node, prop)
            elif prop.kind in ("related", "lineage"):
                node.links[prop.name] = related_keys(self, node, prop)
            for cast, child in node.children.get(prop.name, {}).items():
                self._child(node, prop, cast, child)

    def _child(self, node: Node, prop: Property, cast: str | None, child: Node) -> None:
        if prop.kind not in ("metadata", "custom") and child.type.entity_type is not None:
            links = node.links.get(prop.name, {})
            self.load(child, dict.fromkeys(key for value in links.values() for key in keys_in(value)))
        self.fill(child)

    # What else is asked of the store

    def configurations(self) -> list[Configuration]:
        """All configurations of custom attributes, the oldest key first."""
        if self._configurations is None:
            self._configurations = self._read_configurations()
        return self._configurations

    def forget(self) -> None:
        """Configurations may have changed."""
        self._configurations = None

    def _read_configurations(self) -> list[Configuration]:
        found = self.catalogue.types.get(CONFIGURATION)
        if found is None or found.entity_type is None:
            return []
        names = [
            name
            for name in (
                "key", "label", "entity_type", "default", "data_type", "choices", "config", "object_type_id",
                "project_id", "is_hierarchical", "type", "core", "sort",
            )
            if name in found.entity_type.attributes or name in found.entity_type.aliases
        ]  # fmt: skip
        rows = self.rows(CONFIGURATION, None, names)
        if not self.catalogue.native:
            kinds = {key: row["name"] for key, row in self.rows("CustomAttributeType", None, ["name"]).items()}
            for row in rows.values():
                row["type"] = kinds.get(str(row.get("type")), row.get("type"))
        return [configuration_of({"id": key, **row}, self.catalogue.native) for key, row in rows.items()]

    def rows(
        self, entity_type: str, where: Condition | Collection[str] | None, names: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Attributes of entities by key, as the store has them; references are keys."""
        found: dict[str, dict[str, Any]] = {}
        conditions: list[Condition | None] = []
        if where is None or not isinstance(where, Collection):
            conditions.append(where)
        else:
            listed = list(where)
            for start in range(0, len(listed), PAGE):
                conditions.append(Comparison(Path.of("id"), "in", tuple(listed[start : start + PAGE])))
        paths = tuple(Path.of(name) for name in dict.fromkeys(["id", *names]))
        for condition in conditions:
            cursor: str | None = None
            while True:
                page = self.backend.select(Select(entity_type, paths, condition), PAGE, cursor)
                for block in page.records[: page.roots]:
                    _rows(found, block, names)
                cursor = page.cursor
                if cursor is None:
                    break
        return found

    # Aggregates

    def _aggregated(self, question: Question) -> list[dict[str, Any]]:
        found = self.type(question.entity_type)
        if found.entity_type is None:
            raise QueryError(f"{found.name} cannot be grouped.")
        words = aggregate_functions()
        translator = self.translator
        paths = list(dict.fromkeys((*(question.group or ()), *question.projections)))
        functions = [
            (words[word], None if (word, path.names) == ("count", ("id",)) else translator.path(path, found))
            for word, path in question.functions
        ]
        where = None if question.where is None else translator.condition(question.where, found)
        groups = tuple(translator.path(path, found) for path in paths)
        select = Select(found.entity_type.name, where=where)
        rows = self.backend.aggregate(Aggregate(select, tuple(functions), groups))
        names = [".".join(path.names) for path in paths]
        names += [f"{word}_{'.'.join(path.names)}" for word, path in question.functions]
        stop = None if question.limit is None else question.offset + question.limit
        told = [dict(zip(names, (plain(value) for value in row))) for row in rows]
        return told[question.offset : stop]


def _rows(found: dict[str, dict[str, Any]], block: Records, names: Sequence[str]) -> None:
    for row in block.rows:
        values = dict(zip(block.attributes, row[2:]))
        told: dict[str, Any] = {}
        for name in names:
            value = values.get(name, values.get(name.removesuffix("_id")))
            told[name] = value[1] if isinstance(value, tuple) else value
        told["@type"] = block.entity_type
        found[row[0]] = told


def keys_in(value: Any) -> Iterable[str]:
    """The keys in the value of a relation."""
    for each in value if isinstance(value, list) else (value,):
        if each is not None:
            yield each[1] if isinstance(each, tuple) else each


def tagged(value: date) -> dict[str, str]:
    """A date or datetime as the wire tells it: naive, in UTC.

    >>> tagged(datetime(2026, 5, 1, 12, 0, 30, 5, UTC))
    {'__type__': 'datetime', 'value': '2026-05-01T12:00:30.000005'}
    """
    if isinstance(value, datetime):
        known = value if value.tzinfo is UTC else value.astimezone(UTC)
        return {"__type__": "datetime", "value": known.isoformat()[:-6]}
    return {"__type__": "date", "value": value.isoformat()}


def plain(value: Any) -> Any:
    return tagged(value) if isinstance(value, date) else value[1] if isinstance(value, tuple) else value


def link_told(catalogue: Catalogue, value: Any) -> list[dict[str, Any]]:
    """A way from the project down, with the vendor's words for types."""
    return [
        {**step, "type": "TypedContext" if catalogue.is_a(step["type"], "TypedContext") else step["type"]}
        for step in value or ()
    ]


@define(eq=False)
class Told:
    """Nested objects out of filled nodes. What an answer has told of an entity it does not tell again."""

    denormalize: bool = False
    _known: dict[tuple[str, str], Collection[str]] = field(factory=dict)
    _stubs: dict[tuple[str, str], dict[str, Any]] = field(factory=dict)

    def all(self, node: Node, keys: Iterable[str]) -> list[dict[str, Any]]:
        relations = self._relations(node)
        return [self.one(node, key, relations) for key in keys]

    def _relations(self, node: Node) -> list[tuple[str, dict[str, Any], list[tuple[Node, Any]]]]:
        found = []
        for name, children in node.children.items():
            listed = [(child, self._relations(child)) for child in children.values()]
            found.append((name, node.links.get(name, {}), listed))
        return found

    def one(self, node: Node, key: str, relations: list[Any]) -> dict[str, Any]:
        """An entity at a place; only its identity, and what is new of it, where it was told before."""
        told = node.objects[key]
        kind: str = told["__entity_type__"]
        place = (kind, key)
        known = self._known.get(place)
        if known is None or self.denormalize:
            found = dict(told) if self.denormalize else told
            # Its names are those it will have when its relations are told, too.
            self._known[place] = found
            found.update((name, None) for name, links, _ in relations if key in links)
            names = relations
        else:
            fresh = [name for name in told if name not in known]
            names = [each for each in relations if each[0] not in known]
            if not fresh and not names:
                return self._stub(node, place, told)
            self._known[place] = {*known, *fresh, *(name for name, _, _ in names)}
            found = {**self._stub(node, place, told), **{name: told[name] for name in fresh}}
        for name, links, children in names:
            if key in links:
                found[name] = self._relation(links[key], children)
        return found

    def _stub(self, node: Node, place: tuple[str, str], told: Mapping[str, Any]) -> dict[str, Any]:
        found = self._stubs.get(place)
        if found is None:
            found = self._stubs[place] = {
                "__entity_type__": told["__entity_type__"],
                **{name: told[name] for name in node.type.key if name in told},
            }
        return found

    def _relation(self, value: Any, children: list[tuple[Node, Any]]) -> Any:
        if isinstance(value, list):
            found = (self._end(each, children) for each in value)
            return [each for each in found if each is not None]
        return self._end(value, children)

    def _end(self, value: Any, children: list[tuple[Node, Any]]) -> Any:
        if value is None:
            return None
        key = value[1] if isinstance(value, tuple) else value
        if len(children) == 1:
            child, relations = children[0]
            return self.one(child, key, relations) if key in child.objects else None
        merged: dict[str, Any] | None = None
        for child, relations in children:
            if key in child.objects:
                told = self.one(child, key, relations)
                merged = told if merged is None else {**merged, **told}
        return merged


Selecting = Callable[[Select, int, str | None], Page]


def identity_told(found: VendorType, key: str) -> dict[str, Any]:
    """An entity's identity on the wire, from its key in the store."""
    if len(found.key) == 1:
        return {"__entity_type__": found.name, found.key[0]: key}
    from callsheet.dialects.ftrack.catalogue import SEPARATOR

    return {"__entity_type__": found.name, **dict(zip(found.key, key.split(SEPARATOR)))}


def conjunction(parts: Sequence[Condition]) -> Condition | None:
    return None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))


__all__ += ["Told", "conjunction", "identity_told", "joined_key", "keys_in", "link_told", "plain"]
