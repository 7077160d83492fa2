"""Conditions on measures as texts: ``sum(bid) > 3 and not count is 5``. They are read as conditions of a query are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.model.language.hints import OPERATORS
from callsheet.model.language.literal import read_quoted
from callsheet.model.language.measures import FUNCTION_NAMES, parse_measure
from callsheet.model.language.parser import Parser, check_length
from callsheet.model.language.tokens import STRING, WORD
from callsheet.model.measure import Having, HavingAll, HavingAny, HavingNot, Measure, MeasureComparison
from callsheet.model.query import And, Not, Or
from callsheet.model.schema import did_you_mean

__all__ = ["parse_having"]

_OPERATORS = ("=", "!=", "<", "<=", ">", ">=")


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
    check_length(text)
    reader = _HavingReader(text)
    reader.named = named or {}
    return _joined(reader.whole(_HavingReader.condition, "sum(bid) > 3"))


def _joined(condition: Any) -> Having:
    if isinstance(condition, And | Or):
        parts = tuple(_joined(part) for part in condition.conditions)
        return HavingAll(parts) if isinstance(condition, And) else HavingAny(parts)
    if isinstance(condition, Not):
        return HavingNot(_joined(condition.condition))
    found: MeasureComparison = condition
    return found


class _HavingReader(Parser):
    """Reads measures where a query has paths."""

    __slots__ = ("named",)
    named: Mapping[str, Measure]

    def comparison(self) -> Any:
        measure = self._measure()
        operator = OPERATORS.get(self._keys[self._index])
        if operator not in _OPERATORS:
            hint = "measures are compared with = != < <= > >=, is, is_not"
            raise self._error(f"expected a comparison, found {self._found()}", hint)
        self._index += 1
        value = self.value()
        self._wanted = ("and", "or")
        return MeasureComparison(measure, operator, value)

    def _measure(self) -> Measure:
        start = self._index
        kind, word = self._kinds[start], self._texts[start]
        name = read_quoted(word) if kind == STRING else word
        called = self._keys[start + 1] == "(" if kind in (STRING, WORD) else False
        if kind in (STRING, WORD) and name in self.named and not called:
            self._index += 1
            return self.named[name]
        if kind != WORD or self._keys[start] not in FUNCTION_NAMES:
            near = did_you_mean(name, [*self.named, *FUNCTION_NAMES])
            message = (
                f"there is no measure `{name:.80}`{near}" if kind == WORD else f"expected a measure: {self._found()}"
            )
            raise self._error(message, "like `sum(bid) > 3`")
        self._index += 1
        if called:
            self._nested(self._arguments)
            self._close()
        return parse_measure(
            self._text[self._starts[start] : self._starts[self._index - 1] + len(self._texts[self._index - 1])]
        )

    def _arguments(self) -> None:
        """Step over a path, and a number after a comma."""
        if self._keys[self._index] == ")":
            return
        self.path()
        if self._keys[self._index] == ",":
            self._index += 1
            self.value()
