"""What rows write, by attribute, once what their cells refer to has been looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from attrs import define, field

from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.record import NOT_SET, Identity
from callsheet.sync.cells import Cells, Reader, RefusedRow, Row
from callsheet.sync.layout import Lookup, RowLayout, Target, lay_out
from callsheet.sync.mapping import RowMapping
from callsheet.sync.references import References, look_up, reference_keys

__all__ = ["Constants", "RowValues", "constant_values"]

Agreement = Callable[[Mapping[str, Any], tuple[Any, ...]], bool]
"""Whether a row's cells equal the values of its entity."""
Constants = list[tuple[Target, Any]]
"""Values that entities get, whatever row."""


@define(eq=False)
class RowValues:
    """Reads the values of rows of one layout; a row with a reference to nothing is refused by the reader."""

    layout: RowLayout
    reader: Reader
    references: References
    #: The targets that are written as they are: where the cell is, and the attribute.
    _plain: tuple[tuple[str, str], ...] = field(init=False)
    #: The attributes that cannot be empty: an empty cell says nothing of them.
    _required: frozenset[str] = field(init=False)
    #: The lookups, each with the keys that exactly one entity has.
    _lookups: list[tuple[Lookup, dict[tuple[Any, ...], Identity]]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        targets = self.layout.targets.items()
        self._plain = tuple((text, each.name) for text, each in targets if each.writes in ("scalar", "item", "items"))
        attributes = self.layout.entity_type.attributes
        self._required = frozenset(name for name, each in attributes.items() if each.required)
        self._lookups = [(lookup, self.references.only(lookup)) for lookup in self.layout.lookups]

    def of(self, cells: Cells) -> dict[str, Any] | None:
        """What the row writes; None where it is refused."""
        before = len(self.reader.refused)
        values: dict[str, Any] = {}
        for text, name in self._plain:
            if text in cells.values and (cells.values[text] is not None or name not in self._required):
                values[name] = cells.values[text]
        for lookup, only in self._lookups:
            key = tuple([cells.values.get(text, NOT_SET) for text in lookup.texts])
            found = None if lookup.many else only.get(key)
            if found is not None:
                values[lookup.attribute.name] = found
            else:
                self._refer(cells, lookup, values)
        return values if len(self.reader.refused) == before else None

    def agreement(self, names: Sequence[str]) -> Agreement | None:
        """A quick check whether a row's cells equal the values of these names; None where there is none.

        It is sure of what it calls equal. Collections, mappings as a whole and JSON data have no quick check.
        """
        targets = self.layout.targets.values()
        if any(lookup.many for lookup, _ in self._lookups) or any(
            each.writes == "items" or each.cell.data_type == "json" for each in targets
        ):
            return None
        places = {name: place for place, name in enumerate(names)}
        plain = _together([text for text, _ in self._plain])
        held = _together([places[name] for _, name in self._plain])
        related = [(_together(lookup.texts), only, places.get(lookup.attribute.name)) for lookup, only in self._lookups]
        if any(place is None for _, _, place in related):
            return None

        def agrees(cells: Mapping[str, Any], values: tuple[Any, ...]) -> bool:
            try:
                if plain(cells) != held(values):
                    return False
                for key, only, place in related:
                    if only[key(cells)].key != values[place].key:  # type: ignore[index]
                        return False
            except (KeyError, AttributeError):
                # A cell is missing, its reference is found by the slow way, or there is none.
                return False
            return True

        return agrees

    def _refer(self, cells: Cells, lookup: Lookup, values: dict[str, Any]) -> None:
        found: list[Identity] = []
        empty = False
        for key in reference_keys(lookup, cells.values):
            if all(part is None for part in key):
                empty = True
                continue
            resolved = self.references.resolve(lookup, key, cells.values)
            if isinstance(resolved, str):
                column = self.reader.column(lookup.texts[0])
                self.reader.refused.append(RefusedRow(cells.number, column, key[0], resolved))
                return
            found.append(resolved)
        if lookup.many:
            if all(text in cells.values for text in lookup.texts):
                values[lookup.attribute.name] = frozenset(found)
        elif found or (empty and lookup.attribute.name not in self._required):
            values[lookup.attribute.name] = found[0] if found else None


def _together(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads what is under several keys as one tuple."""
    if len(keys) > 1:
        return itemgetter(*keys)
    if not keys:
        return lambda _: ()
    (only,) = keys
    return lambda found: (found[only],)


def constant_values(core: Core, entity_type: str, constants: Mapping[str, Any], what: str) -> Flow[Constants]:
    """The values of constants, looked up as those of a row; ``what`` they are is named in the `UsageError`."""
    layout = lay_out(core.schema, entity_type, constants, ())
    reader = Reader(layout, RowMapping(constants=constants))
    rows = list(reader.read([Row(0, {})]))
    if not rows[0].whole:
        raise UsageError(f"{what}: {'; '.join(map(str, reader.refused))}")
    values = RowValues(layout, reader, (yield from look_up(core, layout, rows, ()))).of(rows[0])
    if values is None:
        raise UsageError(f"{what}: {'; '.join(each.reason for each in reader.refused)}")
    return [(target, values[target.name]) for target in layout.written if target.name in values]
