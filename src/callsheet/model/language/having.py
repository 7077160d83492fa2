"""Conditions on measures as texts: ``sum(bid) > 3 and not count is 5``. They are read as conditions of a query are."""

from __future__ import annotations

from collections.abc import Mapping

from callsheet.model.language.measure_reader import MeasureReader
from callsheet.model.measure import Having, Measure

__all__ = ["parse_having"]


def parse_having(text: str, named: Mapping[str, Measure] | None = None) -> Having:
    """The condition on measures that a text stands for; ``named`` are measures that it may call by their names.

    >>> parse_having("sum(bid) > 3 and not count is 5")  # doctest: +ELLIPSIS
    HavingAll(conditions=(MeasureComparison(...), HavingNot(condition=MeasureComparison(...))))
    >>> parse_having("summ(bid) > 3")
    Traceback (most recent call last):
    callsheet.errors.QueryError: there is no measure `summ`; did you mean `sum`?
      summ(bid) > 3
      ^
      hint: like `sum(bid) > 3`
    """
    return MeasureReader(text, named or {}).whole(MeasureReader.having, "sum(bid) > 3")
