"""Batches become the types of a table's columns; rows with a value that is none of its type are found.

A column is converted as a whole. Only if that fails, its values are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from attrs import define, field, frozen

from callsheet.analytics.loads.types import arrow_compute, arrow_type
from callsheet.errors import UsageError
from callsheet.export.tables import pyarrow
from callsheet.model.schema import did_you_mean

__all__ = ["BadRow", "Caster", "TargetColumn"]

_TRUTH = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False, "t": True, "f": False}
_MOMENT = r"^\d{4}-\d\d-\d\d[T ]"


@frozen
class BadRow:
    """A row that is not loaded: its number in the source (from 1), the column, the value, and what is wrong."""

    row: int
    column: str
    value: Any
    problem: str
    source: str = ""

    def __str__(self) -> str:
        place = f"{self.source}: row {self.row:,}" if self.source else f"row {self.row:,}"
        return f"{place}, column `{self.column}`: {self.problem}: {self.value!r:.80}"


@frozen
class TargetColumn:
    """A column of a table: its name, its data type, whether it must have a value, and a pattern of its dates."""

    name: str
    data_type: str
    key: bool = False
    pattern: str | None = None


@define(eq=False)
class Caster:
    """Makes batches of the columns of a table; ``rows`` counts those that were read."""

    columns: Mapping[str, TargetColumn]
    zone: tzinfo = UTC
    take: Callable[[BadRow], None] = field(default=lambda bad: None)
    source: str = ""
    rows: int = 0

    def check(self, names: Sequence[str]) -> None:
        """Raise `UsageError` for a column that the table does not have."""
        for name in names:
            if name not in self.columns:
                raise UsageError(f"the table has no column `{name:.80}`{did_you_mean(name, self.columns)}")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise UsageError(f"there are two columns `{twice:.80}`; rename one")

    def fitted(self, batch: Any) -> Any:
        """The batch with the types of the table, without the rows that have a wrong value."""
        arrow = pyarrow()
        compute = arrow_compute()
        bad: dict[int, BadRow] = {}
        arrays = []
        for name, array in zip(batch.schema.names, batch.columns):
            column = self.columns[name]
            cast = self._column(column, array, bad)
            if column.key and cast.null_count:
                for place in compute.indices_nonzero(cast.is_null()).to_pylist():
                    problem = "a key has no value"
                    bad.setdefault(
                        place, BadRow(self.rows + place + 1, name, array[place].as_py(), problem, self.source)
                    )
            arrays.append(cast)
        found = arrow.record_batch(arrays, names=batch.schema.names)
        for place in sorted(bad):
            self.take(bad[place])
        self.rows += batch.num_rows
        if bad:
            kept = arrow.array([place not in bad for place in range(batch.num_rows)])
            found = found.filter(kept)
        return found

    def _column(self, column: TargetColumn, array: Any, bad: dict[int, BadRow]) -> Any:
        arrow = pyarrow()
        kind = arrow_type(column.data_type)
        if array.type == kind:
            return array
        if arrow.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        try:
            return self._cast(column, array, kind)
        except (arrow.ArrowException, ValueError, OverflowError):
            return self._each(column, array, kind, bad)

    def _cast(self, column: TargetColumn, array: Any, kind: Any) -> Any:
        """The whole column; raises an error of Arrow's if a value does not fit."""
        arrow = pyarrow()
        compute, is_ = arrow_compute(), arrow.types
        if is_.is_null(array.type):
            return array.cast(kind)
        text = is_.is_string(array.type) or is_.is_large_string(array.type)
        if text and column.data_type != "string":
            array = compute.utf8_trim_whitespace(array)
            array = compute.if_else(compute.equal(array, ""), arrow.scalar(None, array.type), array)
            if column.pattern is not None and column.data_type in ("date", "datetime"):
                array = compute.strptime(array, format=column.pattern, unit="us")
            elif column.data_type == "boolean":
                return self._truth(array)
            elif column.data_type == "date" and is_long(compute, array):
                array = array.cast(arrow.timestamp("us"))
        if is_.is_timestamp(array.type) and column.data_type in ("date", "datetime"):
            return self._moments(column, array, kind)
        if column.data_type == "datetime":
            if text:
                return self._moments(column, self._texts_as_moments(array), kind)
            return self._moments(column, array.cast(arrow.timestamp("us")), kind)
        if is_.is_floating(array.type) and column.data_type == "integer":
            array = compute.if_else(compute.is_nan(array), arrow.scalar(None, array.type), array)
        if column.data_type == "number" and is_.is_decimal(array.type):
            return self._decimals(array)
        if column.data_type == "boolean" and not text and not is_.is_integer(array.type):
            raise ValueError("no boolean")
        if column.data_type == "boolean" and is_.is_integer(array.type):
            return self._truth(array.cast(arrow.string()))
        if column.data_type in ("integer", "number") and is_.is_boolean(array.type):
            raise ValueError("true and false are no numbers")
        if is_.is_temporal(array.type) and column.data_type in ("integer", "number"):
            raise ValueError("a date is no number")
        found = array.cast(kind)
        if column.data_type == "number":
            finite = compute.is_finite(found)
            if not compute.all(compute.or_kleene(finite, compute.is_nan(found)), skip_nulls=True).as_py() and len(
                found
            ):
                raise ValueError("an infinite number")
            found = compute.if_else(compute.is_nan(found), arrow.scalar(None, kind), found)
        return found

    def _truth(self, texts: Any) -> Any:
        arrow = pyarrow()
        compute = arrow_compute()
        places = compute.index_in(compute.utf8_lower(texts), arrow.array(list(_TRUTH)))
        if places.null_count != texts.null_count:
            raise ValueError("no boolean")
        return compute.take(arrow.array(list(_TRUTH.values())), places)

    def _texts_as_moments(self, array: Any) -> Any:
        """Texts in ISO's form: with an offset in UTC, or all without one."""
        arrow = pyarrow()
        try:
            return array.cast(arrow.timestamp("us"))
        except arrow.ArrowException:
            return array.cast(arrow.timestamp("us", "UTC"))

    def _moments(self, column: TargetColumn, array: Any, kind: Any) -> Any:
        arrow = pyarrow()
        compute = arrow_compute()
        if column.data_type == "date":
            if array.type.tz is not None:
                array = compute.local_timestamp(array)
            plain = array.cast(arrow.timestamp("us"))
            days = plain.cast(arrow.date32())
            if days.cast(arrow.timestamp("us")) != plain:
                raise ValueError("a date with a time")
            return days
        if array.type.tz is None:
            zone = "UTC" if self.zone is UTC else str(self.zone)
            array = compute.assume_timezone(array.cast(arrow.timestamp("us")), zone)
        return array.cast(kind)

    def _decimals(self, array: Any) -> Any:
        arrow = pyarrow()
        whole = array.cast(arrow.decimal256(76, array.type.scale)) if array.type.precision > 38 else array
        limit = 10 ** (15 - max(0, array.type.scale))
        text = arrow_compute().max(arrow_compute().abs(whole)).as_py()
        if text is not None and text >= limit:
            raise ValueError("a decimal with more digits than a number holds")
        return whole.cast(arrow.float64())

    def _each(self, column: TargetColumn, array: Any, kind: Any, bad: dict[int, BadRow]) -> Any:
        """The column value by value; wrong ones become none, and their rows bad."""
        arrow = pyarrow()
        found: list[Any] = []
        for place in range(len(array)):
            one = array.slice(place, 1)
            try:
                found.append(self._cast(column, one, kind)[0].as_py() if one.null_count == 0 else None)
            except (arrow.ArrowException, ValueError, OverflowError):
                found.append(None)
                problem = f"this is no {_WORDS[column.data_type]}"
                value = _shown(one)
                bad.setdefault(place, BadRow(self.rows + place + 1, column.name, value, problem, self.source))
        return arrow.array(found, kind)


_WORDS = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean: true or false",
    "date": "date",
    "datetime": "date with a time",
}


def _shown(one: Any) -> Any:
    try:
        return one[0].as_py()
    except (ValueError, OverflowError):
        return str(one[0])


def is_long(compute: Any, texts: Any) -> bool:
    """Whether texts are dates with a time."""
    found = compute.any(compute.match_substring_regex(texts, _MOMENT)).as_py()
    return bool(found)
