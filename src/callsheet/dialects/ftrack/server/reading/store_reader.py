"""What the server half reads from the backend: entities for the places of a tree, rows, configurations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import repeat
from typing import Any

from attrs import define, field, frozen

from callsheet.dialects.ftrack.server.reading.projection import AnswerNode
from callsheet.dialects.ftrack.server.reading.serialization import serialized_link, tagged
from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue, Property, VendorType
from callsheet.dialects.ftrack.server.schema.configurations import Configuration, configuration_of
from callsheet.dialects.protocol import Backend
from callsheet.model.query import Comparison, Condition, Path, Select
from callsheet.model.record import Page, Records

__all__ = ["PAGE", "AnswerFormat", "StoreReader", "keys_in"]

PAGE = 1_000
CONFIGURATION = "CustomAttributeConfiguration"


@frozen
class AnswerFormat:
    """Whether a response has only what was selected, and each entity in full at each place; the server's URL."""

    strict: bool = False
    denormalize: bool = False
    url: str = ""


@define(eq=False)
class StoreReader:
    """Reads for one request; remembers the configurations it has read."""

    backend: Backend
    catalogue: Catalogue
    manner: AnswerFormat = field(factory=AnswerFormat)
    _configurations: list[Configuration] | None = None

    def load(self, node: AnswerNode, keys: Iterable[str]) -> None:
        """Read the entities of these keys that the node does not have yet."""
        assert node.type.entity_type is not None
        missing = [key for key in keys if key not in node.objects]
        for start in range(0, len(missing), PAGE):
            chunk = tuple(missing[start : start + PAGE])
            where = Comparison(Path.of("id"), "in", chunk)
            self.take(node, self.backend.select(Select(node.type.entity_type.name, node.paths(), where), PAGE))

    def take(self, node: AnswerNode, page: Page) -> list[str]:
        """Keep the entities of a page in the node; their keys in order."""
        keys: list[str] = []
        for block in page.records[: page.roots]:
            keys += self._block(node, block)
        return keys if page.order is None else [keys[index] for index in page.order]

    def _block(self, node: AnswerNode, block: Records) -> list[str]:
        if not block.rows:
            return []
        block_keys, _, *found = zip(*block.rows)
        keys: list[str] = list(block_keys)
        columns: dict[str, Sequence[Any]] = dict(zip(block.attributes, found))
        wire = node.type.name if node.type.view else block.entity_type
        names = ["__entity_type__"]
        values: list[Iterable[Any]] = [repeat(wire, len(keys))]
        concrete = self.catalogue.types.get(block.entity_type, node.type)
        if "link" in columns and _is_way(node.type):
            columns["link"] = [serialized_link(self.catalogue, value) for value in columns["link"]]
        for prop in node.properties.values():
            if prop.stored == "id" and prop.kind == "value":
                column: Iterable[Any] | None = keys
            elif prop.stored not in columns:
                column = None
            else:
                column = self._column(node, concrete, prop, keys, columns[prop.stored])
            if column is not None:
                names.append(prop.name)
                values.append(column)
        for key, row in zip(keys, zip(*values)):
            node.objects[key] = dict(zip(names, row))
        return keys

    def _column(
        self, node: AnswerNode, concrete: VendorType, prop: Property, keys: list[str], column: Sequence[Any]
    ) -> Iterable[Any] | None:
        """One property of all rows in the form of the wire; relations are kept for later."""
        if prop.kind in ("reference", "pointer", "collection", "metadata", "custom"):
            node.links.setdefault(prop.name, {}).update(zip(keys, column))
            return None
        if prop.kind == "key":
            return [value[1] if isinstance(value, tuple) else value for value in column]
        data_type = prop.attribute.data_type if prop.attribute is not None else "string"
        if data_type in ("datetime", "date"):
            return [None if value is None else tagged(value) for value in column]
        return list(map(str, column)) if prop.name == "_link" and prop.stored == "link" else column

    # What else is read from the store

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


def _is_way(found: VendorType) -> bool:
    """Whether ``link`` is the way from the project down, and not an attribute that somebody called so."""
    return found.entity_type is not None and found.entity_type.attributes["link"].computed == "link"


def _rows(found: dict[str, dict[str, Any]], block: Records, names: Sequence[str]) -> None:
    for row in block.rows:
        values = dict(zip(block.attributes, row[2:]))
        column: dict[str, Any] = {}
        for name in names:
            value = values.get(name, values.get(name.removesuffix("_id")))
            column[name] = value[1] if isinstance(value, tuple) else value
        column["@type"] = block.entity_type
        found[row[0]] = column


def keys_in(value: Any) -> Iterable[str]:
    """The keys in the value of a relation."""
    for each in value if isinstance(value, list) else (value,):
        if each is not None:
            yield each[1] if isinstance(each, tuple) else each
