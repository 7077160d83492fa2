"""Rows become cells: for each target one plain value of the kind that its attribute holds, or a reason why not.

Theory. A value that is of the right kind is taken as it is. Text is read as the kind that the attribute holds, since
files of text have nothing else: numbers (with a decimal comma, if there is no point), dates, truth values, lists
where ``split`` says how. An empty text is no value. What cannot be read is refused with its row, column and value,
and the other rows are still read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.model.record import NOT_SET
from callsheet.model.schema import EntityType
from callsheet.sync.cell_values import Unreadable, as_held, items_held, plain
from callsheet.sync.column_cells import EXACT, are_exact
from callsheet.sync.layout import RowLayout, Target
from callsheet.sync.mapping import Column, RowMapping

__all__ = ["Cells", "Reader", "RefusedRow", "Row"]

KNOWN = 10_000
"""Texts of a column whose meaning is kept."""


Fitting = Mapping[type, Callable[[Any], bool]]
"""The types whose values need no reading, if they fit."""


class Row(NamedTuple):
    """One row of a source: its number there (a file's line), and its values by column."""

    number: int
    values: Mapping[str, Any]


@frozen
class RefusedRow:
    """Why a row does not go in: the row's number, the column, the value there, the reason with its cure."""

    row: int
    column: str
    value: Any
    reason: str

    def __str__(self) -> str:
        shown = "" if self.value is NOT_SET else f" {self.value!r:.60}"
        return f"row {self.row}, {self.column}:{shown} {self.reason}"


class Cells(NamedTuple):
    """A row after mapping: its number, and a value for each target path. A list for the members of a collection.

    Where a value was refused the row is not ``whole``; it is not written, but its key still names its entity.
    """

    number: int
    values: Mapping[str, Any]
    whole: bool = True


@frozen
class _CellSource:
    """How the cell of one target is made."""

    entity_type: EntityType
    target: Target
    column: str
    options: Column
    constant: Any = NOT_SET
    template: str = ""
    function: Any = None
    #: What texts were read as.
    known: dict[str, Any] = field(factory=dict, eq=False)

    @property
    def is_lasting(self) -> bool:
        """Whether several rows may share a value: it is immutable."""
        return self.target.writes not in ("members", "items") and self.target.cell.data_type != "json"


class Reader:
    """Makes cells of rows; collects refusals."""

    def __init__(self, layout: RowLayout, mapping: RowMapping, beside: Mapping[str, str] | None = None) -> None:
        """``beside`` names the columns of targets that the mapping does not have."""
        self.refused: list[RefusedRow] = []
        self._sources = [
            _source(layout, column, given if isinstance(given, Column) else Column(given))
            for column, given in mapping.columns.items()
        ]
        for text, value in mapping.constants.items():
            self._sources.append(_source(layout, text, Column(text), constant=value))
        for text, template in mapping.templates.items():
            self._sources.append(_source(layout, text, Column(text), template=template))
        for text, function in mapping.functions.items():
            self._sources.append(_source(layout, text, Column(text), function=function))
        for text, column in (beside or {}).items():
            self._sources.append(_source(layout, column, Column(text)))
        self.columns = frozenset((*mapping.columns, *(beside or {}).values()))
        self._ways = [(each.column, each.options.to, _taken_as_it_is(each), each) for each in self._sources]

    def afresh(self) -> Reader:
        """The same reader, which has refused nothing yet."""
        other = copy(self)
        other.refused = []
        return other

    def column(self, target: str) -> str:
        """The column that fills a target, for messages."""
        return next((source.column for source in self._sources if source.options.to == target), target)

    def read(self, rows: Iterable[Row]) -> Iterator[Cells]:
        """The cells of all rows; what cannot be read is refused."""
        rows = list(rows)
        columns = [_whole_column(rows, source, fitting) for _, _, fitting, source in self._ways]
        there = [(way[1], column) for way, column in zip(self._ways, columns) if column is not None]
        left = [way for way, column in zip(self._ways, columns) if column is None]
        names = [to for to, _ in there]
        taken = zip(*(column for _, column in there)) if there else repeat((), len(rows))
        for row, found in zip(rows, taken):
            values: dict[str, Any] = dict(zip(names, found))
            before = len(self.refused)
            for column, to, fitting, source in left:
                raw = row.values.get(column)
                fits = fitting.get(type(raw))
                # Most cells are what their attribute holds; the others are read with care.
                if fits is not None and fits(raw):
                    values[to] = raw
                else:
                    self._cell(row, source, values)
            yield Cells(row.number, values, len(self.refused) == before)

    def _cell(self, row: Row, source: _CellSource, values: dict[str, Any]) -> None:
        raw: Any = NOT_SET
        try:
            raw = _raw(row, source)
            if raw is NOT_SET:
                return
            values[source.options.to] = _meaning(source, raw)
        except Unreadable as error:
            self.refused.append(RefusedRow(row.number, source.column, raw, str(error)))


def _whole_column(rows: Sequence[Row], source: _CellSource, fitting: Fitting) -> list[Any] | None:
    """The cells of a column for all rows, if there is a short way to them."""
    if source.template or source.function is not None or not rows:
        return None
    try:
        if source.constant is not NOT_SET:
            if source.is_lasting:
                return [_meaning(source, source.constant)] * len(rows)
            return [_meaning(source, source.constant) for _ in rows]
        raws = list(map(itemgetter(source.column), [row.values for row in rows]))
        kinds = set(map(type, raws))
        kind = kinds.pop()
        if kinds:
            return None
        if are_exact(raws, kind, fitting):
            return raws
        if kind is not str or not source.is_lasting:
            return None
        meanings = {raw: _meaning(source, _given(source, raw)) for raw in set(raws)}
        return [meanings[raw] for raw in raws]
    except (Unreadable, KeyError):
        return None


def _meaning(source: _CellSource, raw: Any) -> Any:
    """What a value is read as. Columns of text have few different values: dates, lengths, constants."""
    known = source.known.get(raw, NOT_SET) if type(raw) is str else NOT_SET
    if known is NOT_SET:
        known = _read(source, raw)
        if type(raw) is str and source.is_lasting and len(source.known) < KNOWN:
            source.known[raw] = known
    return known


def _taken_as_it_is(source: _CellSource) -> Fitting:
    """The types whose values need no reading if they fit; none, if anything is done to the column's values."""
    special = source.constant is not NOT_SET or source.template or source.function is not None
    if special or source.options.values or source.target.writes in ("members", "items"):
        return {}
    if source.target.cell.choices:
        return {}
    return EXACT.get(source.target.cell.data_type, {})


def _source(layout: RowLayout, column: str, options: Column, **special: Any) -> _CellSource:
    if options.zone:
        try:
            ZoneInfo(options.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UsageError(f"column {column!r}: there is no time zone {options.zone!r}") from None
    return _CellSource(layout.entity_type, layout.targets[options.to], column, options, **special)


def _raw(row: Row, source: _CellSource) -> Any:
    """The value before it is read; `NOT_SET` where a column has none and no default."""
    if source.constant is not NOT_SET:
        return source.constant
    if source.template:
        try:
            return source.template.format_map({name: "" if v is None else v for name, v in row.values.items()})
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise Unreadable(f"the template {source.template!r} cannot be filled ({error!r:.80})") from None
    if source.function is not None:
        try:
            return source.function(row.values)
        except Exception as error:
            raise Unreadable(f"the function of this attribute failed: {type(error).__name__}: {error}") from error
    return _given(source, row.values.get(source.column, NOT_SET))


def _given(source: _CellSource, value: Any) -> Any:
    """What a column gives: the value, another one that replaces it, or the default."""
    value = plain(value)
    if _is_empty(value):
        if source.options.default is not NOT_SET:
            return source.options.default
        return NOT_SET if value is NOT_SET else None
    return _replaced(source.options.values, value)


def _is_empty(value: Any) -> bool:
    if value is NOT_SET or value is None:
        return True
    return isinstance(value, str) and not value.strip()


def _replaced(values: Mapping[Any, Any], value: Any) -> Any:
    if not values:
        return value
    try:
        return values.get(value.strip() if isinstance(value, str) else value, value)
    except TypeError:
        return value


def _read(source: _CellSource, raw: Any) -> Any:
    if source.target.writes == "items":
        return items_held(source.entity_type, source.target.attribute.name, raw, source.options)
    if source.target.writes != "members":
        return _one(source, raw)
    parts = raw
    if isinstance(raw, str):
        parts = raw.split(source.options.split) if source.options.split else [raw]
    elif raw is None:
        parts = []
    elif not isinstance(raw, list | tuple | set | frozenset):
        parts = [raw]
    options = source.options
    trimmed = [part.strip() if isinstance(part, str) else part for part in map(plain, parts)]
    # What is named twice stays twice: lists that name members together go in pairs.
    return [_one(source, _replaced(options.values, part)) for part in trimmed if not _is_empty(part)]


def _one(source: _CellSource, raw: Any) -> Any:
    return as_held(source.target.cell, raw, source.options)
