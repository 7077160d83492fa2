"""Answers of an ftrack server as records: entities nested in one another become flat blocks of rows.

Theory. Within one response the server writes each entity in full once, at its first place, and later only its key.
Rows are ragged, since each holds what was requested and what the server adds. So all values of an entity are gathered
by identity first, and then cut into blocks of the same type and the same attributes. What a response lacks is not in
a row: it is *not loaded*. A null is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.codec import ENTITY_TYPE, key_in, value_in
from callsheet.model.plain import Malformed
from callsheet.model.record import Identity, Page, Records
from callsheet.model.schema import Attribute, EntityType

__all__ = ["page_in"]


def page_in(vocabulary: Vocabulary, entity_type: str, rows: Sequence[Any], cursor: str | None = None) -> Page:
    """The rows of a query's answer as a page; `Malformed` where they are no entities.

    >>> from callsheet.model.schema import Schema
    >>> schema = Schema({"types": {"Dot": {"attributes": {"size": {"type": "number"}}}}})
    >>> page_in(Vocabulary(schema), "Dot", [{"__entity_type__": "Dot", "id": "a", "size": 3.5}]).records
    (Records(entity_type='Dot', attributes=('size',), rows=[('a', None, 3.5)]),)
    """
    reader = _ReplyReader(vocabulary)
    roots = [reader.entity(row, vocabulary.schema.type(entity_type)) for row in rows]
    asked = set(roots)
    blocks, order = reader.blocks(roots)
    related, _ = reader.blocks(
        [identity for identity, values in reader.values.items() if values and identity not in asked]
    )
    in_order = order == list(range(len(order)))
    return Page((*blocks, *related), len(blocks), None if in_order else order, cursor)


class _ReplyReader:
    """All values of one response, by entity."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._schema = vocabulary, vocabulary.schema
        self.values: dict[Identity, dict[str, Any]] = {}

    def entity(self, row: Any, expected: EntityType) -> Identity:
        """Take the values of a row and of what it holds; the row's entity."""
        if not isinstance(row, Mapping):
            raise Malformed(f"{row!r:.80} is no {expected.name}")
        entity_type = self._schema.types.get(str(row.get(ENTITY_TYPE)), expected)
        identity = Identity(entity_type.name, key_in(entity_type, row))
        values = self.values.setdefault(identity, {})
        for name, raw in row.items():
            attribute = entity_type.attributes.get(name)
            if attribute is None:
                self._foreign_key(entity_type, name, raw, values)
            elif name not in entity_type.key:
                values[name] = self._value(entity_type, attribute, raw)
        return identity

    def _foreign_key(self, entity_type: EntityType, name: str, raw: Any, values: dict[str, Any]) -> None:
        """A foreign key gives the reference, unless its target may be of several types."""
        reference = entity_type.aliases.get(name)
        if reference is None:
            return
        target = str(entity_type.attributes[reference].target)
        if raw is None or (type(raw) in (str, int) and not self._schema.polymorphic(target)):
            values.setdefault(reference, raw)

    def _value(self, entity_type: EntityType, attribute: Attribute, raw: Any) -> Any:
        if attribute.kind == "scalar":
            return value_in(attribute, raw, self._vocabulary.is_text(entity_type, attribute))
        if attribute.kind == "mapping":
            return self._items(entity_type, attribute, raw)
        target = self._schema.types[str(attribute.target)]
        if attribute.kind == "reference":
            return None if raw is None else self._member(raw, target)
        if raw is not None and not isinstance(raw, list):
            raise Malformed(f"{entity_type.name}.{attribute.name} is no list: {raw!r:.80}")
        return [self._member(item, target) for item in raw or ()]

    def _member(self, raw: Any, target: EntityType) -> Any:
        identity = self.entity(raw, target)
        return tuple(identity) if self._schema.polymorphic(target.name) else identity.key

    def _items(self, entity_type: EntityType, attribute: Attribute, raw: Any) -> dict[str, Any]:
        """The rows of a mapping as one; an item without a value is none."""
        if isinstance(raw, Mapping) or not isinstance(raw, list | None):
            raise Malformed(f"{entity_type.name}.{attribute.name} is no list: {raw!r:.80}")
        items: dict[str, Any] = {}
        ranks: dict[str, tuple[bool, bool]] = {}
        for row in raw or ():
            key = row.get("key") if isinstance(row, Mapping) else None
            if not isinstance(key, str):
                raise Malformed(f"an item of {entity_type.name}.{attribute.name} has no key: {row!r:.80}")
            if attribute.data_type == "custom":
                # Several configurations may have the key: a project's own stands before others, hierarchical ones last.
                rank = self._vocabulary.rank(row.get("configuration_id"))
                if key in ranks and ranks[key] < rank:
                    continue
                ranks[key] = rank
                items.pop(key, None)
            value = self._item(entity_type, attribute, key, row.get("value"))
            if value is not None:
                items[key] = value
        return items

    def _item(self, entity_type: EntityType, attribute: Attribute, key: str, raw: Any) -> Any:
        if attribute.data_type != "custom":
            return raw
        configured = entity_type.custom.get(key)
        return value_in(configured or Attribute(key, data_type="number"), raw)

    # -- blocks ------------------------------------------------------------------------------------------

    def blocks(self, identities: Sequence[Identity]) -> tuple[list[Records], list[int]]:
        """The entities cut by type and attributes, and the place of each among the rows of all blocks."""
        shapes: dict[tuple[str, tuple[str, ...]], list[tuple[Any, ...]]] = {}
        places: list[tuple[tuple[str, tuple[str, ...]], int]] = []
        for identity in identities:
            values = self.values[identity]
            names = tuple(sorted(values))
            rows = shapes.setdefault((identity.entity_type, names), [])
            places.append(((identity.entity_type, names), len(rows)))
            rows.append((identity.key, None, *(values[name] for name in names)))
        starts: dict[tuple[str, tuple[str, ...]], int] = {}
        total = 0
        for shape, rows in shapes.items():
            starts[shape] = total
            total += len(rows)
        records = [Records(name, names, rows) for (name, names), rows in shapes.items()]
        return records, [starts[shape] + place for shape, place in places]
