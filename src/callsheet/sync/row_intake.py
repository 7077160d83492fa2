"""The rows of one step that take part in its plan: one for each key, without those that cannot go in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from operator import itemgetter
from typing import Any

from attrs import define, field

from callsheet.errors import UsageError
from callsheet.model.record import NOT_SET
from callsheet.sync.cells import Cells, Reader, RefusedRow, Row
from callsheet.sync.layout import RowLayout

__all__ = ["KeyTuple", "RowIntake"]

KeyTuple = tuple[Any, ...]


@define(eq=False)
class RowIntake:
    """Takes rows, and refuses those that cannot go in."""

    layout: RowLayout
    reader: Reader
    #: Whether the columns of the first rows are the mapping, so that later ones have no others.
    alike: bool = False
    #: The target of the cell that says when a row was changed.
    time: str = ""
    rows: list[Cells] = field(factory=list)
    #: Reads the parts of the key, at once.
    _key: Callable[[Mapping[str, Any]], Any] = field(init=False)
    keys: dict[KeyTuple, Cells] = field(factory=dict)
    #: Keys of all rows, refused ones included, and how many rows have none: their entities are not gone.
    named: set[KeyTuple] = field(factory=set)
    nameless: int = 0

    def __attrs_post_init__(self) -> None:
        self._key = itemgetter(*self.layout.keys)

    def afresh(self) -> RowIntake:
        """The intake of other rows of the step: it has none yet."""
        return RowIntake(self.layout, self.reader.afresh(), self.alike, self.time)

    def check_columns(self, run: list[Row], known_from: int) -> None:
        """Raise if rows have a column that the first rows do not have."""
        known = self.reader.columns
        if self.alike and (late := next((row for row in run if not known.issuperset(row.values)), None)):
            column = next(name for name in late.values if name not in known)
            first = f"the first {known_from:,} rows do not have"
            raise UsageError(f"row {late.number} has a column {column!r:.60} that {first}: give a mapping")

    def key_of(self, cells: Cells) -> KeyTuple | None:
        """The key of a row, None if it has not all of it."""
        try:
            found = self._key(cells.values)
        except KeyError:
            return None
        key: KeyTuple = found if len(self.layout.keys) > 1 else (found,)
        return None if None in key else key

    def take(self, cells: Cells) -> None:
        """Plan a row, too; a second row of a key is refused if it contradicts the first."""
        key = self.key_of(cells)
        if key is None:
            self.nameless += 1
            if cells.whole:
                name = next(name for name in self.layout.keys if cells.values.get(name) is None)
                self.refuse(cells.number, name, NOT_SET, "is empty, and it is part of the key")
            return
        self.named.add(key)
        if not cells.whole:
            return
        if (other := self.keys.get(key)) is not None:
            # Rows of shots name their sequence again and again; only what contradicts itself is wrong.
            differing = [name for name in self._written(cells) if cells.values[name] != other.values.get(name)]
            if differing:
                reason = f"row {other.number} has the same key and another value here"
                self.refuse(cells.number, differing[0], cells.values[differing[0]], reason)
            return
        self.keys[key] = cells
        self.rows.append(cells)

    def _written(self, cells: Cells) -> Iterable[str]:
        """The targets of a row's cells, without when the row was changed."""
        return (name for name in self.layout.targets if name in cells.values and name != self.time)

    def refuse(self, row: int, target: str, value: Any, reason: str) -> None:
        """A row cannot go in, because of its value for a target."""
        self.reader.refused.append(RefusedRow(row, self.reader.column(target), value, reason))

    def leave_out(self, keys: Collection[KeyTuple]) -> None:
        """Plan without the rows of these keys."""
        self.keys = {key: cells for key, cells in self.keys.items() if key not in keys}
        self.rows = list(self.keys.values())
