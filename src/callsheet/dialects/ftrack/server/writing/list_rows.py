"""A list's ``items`` and its ``ListObject`` rows agree: if a batch changes one, the other follows.

The vendor's clients write either. The store keeps both, since a row has a key, and custom attributes, of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from attrs import define, field

from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.query import And, Comparison, Path
from callsheet.model.record import Identity, new_key

__all__ = ["following_rows"]

ROW = "ListObject"
#: The key of a list, and that of an entity in it.
Pair: TypeAlias = tuple[str, str]


def following_rows(reader: StoreReader, operations: Sequence[Operation]) -> list[tuple[int, Operation]]:
    """What follows from the operations of a batch, each with the place of the operation that it follows from."""
    if ROW not in reader.catalogue.types or not any(_concerns(each) for each in operations):
        return []
    return list(_Membership(reader, operations).following())


def _concerns(operation: Operation) -> bool:
    if operation.identity.entity_type == ROW:
        return not isinstance(operation, Update)
    return isinstance(operation, Update) and bool({"items", "lists"} & {*operation.added, *operation.removed})


@define(eq=False)
class _Membership:
    """Who joins and leaves which list, by rows and by members; with the place of the operation."""

    reader: StoreReader
    operations: Sequence[Operation]
    rows_made: dict[Pair, int] = field(factory=dict)
    rows_gone: dict[Pair, int] = field(factory=dict)
    joining: dict[Pair, int] = field(factory=dict)
    leaving: dict[Pair, int] = field(factory=dict)
    types: dict[str, str] = field(factory=dict)

    def following(self) -> Iterator[tuple[int, Operation]]:
        self._gather()
        known = self._rows_of({*self.joining, *self.leaving})
        for pair, place in self.joining.items():
            if pair not in self.rows_made and pair not in known:
                yield place, Create(Identity(ROW, new_key()), self._row(pair))
        for pair, place in self.leaving.items():
            yield from (
                (place, Delete(Identity(ROW, key))) for key in known.get(pair, ()) if pair not in self.rows_gone
            )
        self._learn_types({*self.rows_made, *self.rows_gone})
        for pair, place in self.rows_made.items():
            if pair not in self.joining and self._both_known(pair):
                yield place, Update(self._of(pair[0]), added={"items": (self._of(pair[1]),)})
        for pair, place in self.rows_gone.items():
            if pair not in self.leaving and pair not in self.rows_made and self._both_known(pair):
                yield place, Update(self._of(pair[0]), removed={"items": (self._of(pair[1]),)})

    def _gather(self) -> None:
        gone = {each.identity.key: place for place, each in enumerate(self.operations) if _is_row_gone(each)}
        for key, row in (self.reader.rows(ROW, gone, ["list", "entity_id"]) if gone else {}).items():
            self.rows_gone[row["list"], row["entity_id"]] = gone[key]
        for place, each in enumerate(self.operations):
            self.types.setdefault(each.identity.key, each.identity.entity_type)
            if isinstance(each, Create) and each.identity.entity_type == ROW:
                held = each.values.get("list")
                if isinstance(held, Identity) and isinstance(each.values.get("entity_id"), str):
                    self.rows_made[held.key, each.values["entity_id"]] = place
            elif isinstance(each, Update):
                self.joining.update(dict.fromkeys(_pairs(each, each.added), place))
                self.leaving.update(dict.fromkeys(_pairs(each, each.removed), place))

    def _rows_of(self, pairs: Iterable[Pair]) -> dict[Pair, list[str]]:
        """The keys of the rows that there are."""
        listed = sorted({pair[0] for pair in pairs})
        if not listed:
            return {}
        members = {pair[1] for pair in pairs}
        where = And(
            (
                Comparison(Path.of("list.id"), "in", tuple(listed)),
                Comparison(Path.of("entity_id"), "in", tuple(sorted(members))),
            )
        )
        found: dict[Pair, list[str]] = {}
        for key, row in self.reader.rows(ROW, where, ["list", "entity_id"]).items():
            found.setdefault((row["list"], row["entity_id"]), []).append(key)
        return found

    def _row(self, pair: Pair) -> dict[str, Any]:
        return {"list": Identity("List", pair[0]), "entity_id": pair[1]}

    def _learn_types(self, pairs: Iterable[Pair]) -> None:
        keys = {key for pair in pairs for key in pair} - self.types.keys()
        for kind in ("List", "TypedContext", "AssetVersion") if keys else ():
            if kind in self.reader.catalogue.types:
                self.types.update({key: row["@type"] for key, row in self.reader.rows(kind, keys, []).items()})

    def _both_known(self, pair: Pair) -> bool:
        return pair[0] in self.types and pair[1] in self.types

    def _of(self, key: str) -> Identity:
        return Identity(self.types[key], key)


def _is_row_gone(operation: Operation) -> bool:
    return isinstance(operation, Delete) and operation.identity.entity_type == ROW


def _pairs(operation: Update, links: Any) -> Iterator[Pair]:
    """Lists and their members, written from either side."""
    for member in links.get("items", ()):
        yield operation.identity.key, member.key
    for held in links.get("lists", ()):
        yield held.key, operation.identity.key
