"""What cubes are made of: variables as dimensions, dates in bands, and measures of variables."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.model.measure import BANDS
from callsheet.model.schema import did_you_mean

__all__ = ["Band", "BandedVariable", "MeasuredVariable", "VariableMeasure", "count_of"]

NUMERIC = ("sum", "average", "median", "variance", "deviation", "lower_quartile", "upper_quartile", "quantile")
RANGE = "inter_quartile_range"
ORDERED = ("minimum", "maximum")
WORDS = {
    "sum": "Sum",
    "average": "Mean",
    "minimum": "Minimum",
    "maximum": "Maximum",
    "median": "Median",
    "mode": "Mode",
    "variance": "Variance",
    "deviation": "Standard deviation",
    "lower_quartile": "Lower quartile",
    "upper_quartile": "Upper quartile",
    "quantile": "Quantile",
    "inter_quartile_range": "Inter-quartile range",
    "distinct": "Distinct",
    "count": "Populated",
}


@frozen
class Band:
    """A date variable by year, quarter, month, week or day: a dimension of a cube."""

    variable: Any
    band: str

    def __repr__(self) -> str:
        return f"<Band {self.variable._full} by {self.band}>"


class BandedVariable:
    """Dates as dimensions: ``date.month``."""

    type: Any

    @property
    def _shown(self) -> str:
        """The variable's name in errors."""
        raise NotImplementedError

    def _band(self, band: str) -> Band:
        if self.type not in ("Date", "DateTime"):
            raise UsageError(f"{self._shown} is of type {self.type}; only dates have bands ({', '.join(BANDS)})")
        if band not in BANDS:
            raise UsageError(f"there is no band `{band:.40}`{did_you_mean(band, BANDS)}: {', '.join(BANDS)}")
        return Band(self, band)

    @property
    def year(self) -> Band:
        """By year."""
        return self._band("year")

    @property
    def quarter(self) -> Band:
        """By quarter."""
        return self._band("quarter")

    @property
    def month(self) -> Band:
        """By month."""
        return self._band("month")

    @property
    def week(self) -> Band:
        """By week, from Monday."""
        return self._band("week")

    @property
    def day(self) -> Band:
        """By day."""
        return self._band("day")


@frozen
class VariableMeasure:
    """A function of a variable's values, for a cube; ``table`` instead of a variable counts its entities."""

    function: str
    variable: Any = None
    argument: float | None = None
    label: str = ""
    table: Any = None
    condition: Any = field(default=None)

    @property
    def name(self) -> str:
        """What its column is called."""
        if self.label:
            return self.label
        if self.variable is None:
            return str(self.table.plural)
        argument = "" if self.argument is None else f", {self.argument:g}"
        return f"{WORDS[self.function]}({self.variable.label}{argument})"

    def called(self, label: str) -> VariableMeasure:
        """The same measure, with a column of this name."""
        return VariableMeasure(self.function, self.variable, self.argument, label, self.table, self.condition)

    def where(self, selection: Any) -> VariableMeasure:
        """The same measure of those entities only that are selected."""
        return VariableMeasure(self.function, self.variable, self.argument, self.label, self.table, selection)

    def __repr__(self) -> str:
        return f"<VariableMeasure {self.name}>"


def count_of(table: Any) -> VariableMeasure:
    """How many entities of a table a group has."""
    return VariableMeasure("count", table=table)


class MeasuredVariable:
    """Measures of a variable: ``cost.sum()``. Values that are None are left out."""

    type: Any

    @property
    def _shown(self) -> str:
        """The variable's name in errors."""
        raise NotImplementedError

    def _measure(self, function: str, argument: float | None = None) -> VariableMeasure:
        if (function in NUMERIC or function == RANGE) and self.type != "Numeric":
            raise UsageError(f"{self._shown} is of type {self.type}; the {WORDS[function].lower()} needs a Numeric")
        if function in ORDERED and self.type not in ("Numeric", "Date", "DateTime", "Text"):
            raise UsageError(f"{self._shown} is of type {self.type}, which has no {WORDS[function].lower()}")
        if function != "count" and self.type in ("Array", "Mapping", "Json"):
            raise UsageError(f"{self._shown} is of type {self.type}: there is no {WORDS[function].lower()} of it")
        return VariableMeasure(function, self, argument)

    def sum(self) -> VariableMeasure:
        """The sum."""
        return self._measure("sum")

    def mean(self) -> VariableMeasure:
        """The mean."""
        return self._measure("average")

    def median(self) -> VariableMeasure:
        """The median."""
        return self._measure("median")

    def mode(self) -> VariableMeasure:
        """The most frequent value; of equally frequent ones the smallest."""
        return self._measure("mode")

    def variance(self) -> VariableMeasure:
        """The variance of a sample; None for fewer than two values."""
        return self._measure("variance")

    def standard_deviation(self) -> VariableMeasure:
        """The standard deviation of a sample; None for fewer than two values."""
        return self._measure("deviation")

    def lower_quartile(self) -> VariableMeasure:
        """The value below which a quarter of the values is, interpolated."""
        return self._measure("lower_quartile")

    def upper_quartile(self) -> VariableMeasure:
        """The value below which three quarters of the values are, interpolated."""
        return self._measure("upper_quartile")

    def inter_quartile_range(self) -> VariableMeasure:
        """The upper quartile less the lower one."""
        return self._measure(RANGE)

    def quantile(self, place: float) -> VariableMeasure:
        """The value at a place from 0 (the smallest) to 1 (the largest), interpolated."""
        if isinstance(place, bool) or not isinstance(place, int | float) or not 0 <= place <= 1:
            raise UsageError(f"{self._shown}: a quantile is from 0 to 1, not {place!r:.40}")
        return self._measure("quantile", float(place))

    def smallest(self) -> VariableMeasure:
        """The smallest value of each group (`minimum` is that of the whole table)."""
        return self._measure("minimum")

    def largest(self) -> VariableMeasure:
        """The largest value of each group (`maximum` is that of the whole table)."""
        return self._measure("maximum")

    def distinct(self) -> VariableMeasure:
        """How many different values there are."""
        return self._measure("distinct")

    def populated(self) -> VariableMeasure:
        """How many values there are."""
        return self._measure("count")
