"""The cost of a query is limited before it is sent to the database.

The parser and the checks of ``model/language`` limit the size of a query's text, its nesting, its values and the
length of its paths. This module limits their sums: joins in one SELECT, sub-queries and comparisons in the whole
query. A query within these limits must still finish before the store's deadline.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from callsheet.errors import TooLarge
from callsheet.model.measure import Aggregate, functions_of, measures_of
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Path, Select

__all__ = ["COMPARISONS", "GROUPS", "GROUPS_TOGETHER", "QUESTIONS", "RELATIONS", "SUBQUERIES", "check_cost"]

COMPARISONS = 500
"""SQLite nests ``a or b or c`` one level for each part, and accepts 1,000 levels."""
RELATIONS = 30
"""Distinct relations in one condition's paths; SQLite joins at most 64 tables, and a cast may take two."""
SUBQUERIES = 100
PATTERN = 1_000
"""Characters in a pattern of ``like``, which a database compares at each position of a text."""
PROJECTIONS = 1_000


GROUPS = 100_000
"""Groups in the answer of an aggregate."""
GROUPS_TOGETHER = 500_000
"""Groups in all answers of one request."""
QUESTIONS = 200
"""Questions in one request."""
MEASURES = 200
"""Functions in the measures, orders and conditions of an aggregate."""
LEVELS = 12


def check_cost(statement: Select | Aggregate) -> None:
    """Raise `TooLarge` if a checked query exceeds a limit.

    >>> from callsheet.model.language.parser import parse
    >>> check_cost(parse("Task where " + " or ".join(["name is x"] * 501)))
    Traceback (most recent call last):
    callsheet.errors.TooLarge: the query has more than 500 comparisons; ask for less, or in several queries
    """
    cost = _Cost()
    if isinstance(statement, Aggregate):
        cost.aggregate(statement)
        statement = statement.select
    cost.select(statement)


@define
class _Cost:
    """The sums of one query; ``_prefixes`` are the relations of the SELECT that is being counted."""

    comparisons: int = 0
    subqueries: int = 0
    _prefixes: set[tuple[object, ...]] = field(factory=set)

    def select(self, select: Select) -> None:
        _bound(len(select.projections), PROJECTIONS, "projections")
        self.paths(order.path for order in select.order)
        if select.top is not None:
            self._deeper()
            self.paths(order.path for order in select.top.by)
            self.paths([] if select.top.per is None else [select.top.per])
        if select.sample is not None:
            self._deeper()
            self.paths([] if select.sample.per is None else [select.sample.per])
        if select.where is not None:
            self.condition(select.where)

    def aggregate(self, aggregate: Aggregate) -> None:
        """Its measures and levels."""
        functions = [each for measure in measures_of(aggregate) for each in functions_of(measure)]
        _bound(len(functions), MEASURES, "functions in its measures")
        _bound(len(aggregate.group), LEVELS, "levels")
        self.paths(each.path for each in functions if each.path is not None)
        self.paths(each.by for each in functions if each.by is not None)
        self.paths(level.path for level in aggregate.group)
        for function in functions:
            if function.condition is not None:
                self.condition(function.condition)

    def inner(self, select: Select) -> None:
        """A nested query has joins of its own."""
        self._deeper()
        outer, self._prefixes = self._prefixes, set()
        self.paths(select.projections)
        self.select(select)
        self._prefixes = outer

    def condition(self, condition: Condition) -> None:
        if isinstance(condition, And | Or):
            for part in condition.conditions:
                self.condition(part)
        elif isinstance(condition, Not):
            self.condition(condition.condition)
        elif isinstance(condition, Any_):
            self._count(condition.path)
            self._deeper()
            if condition.condition is not None:
                outer, self._prefixes = self._prefixes, set()
                self.condition(condition.condition)
                self._prefixes = outer
        elif isinstance(condition, Comparison):
            self._count(condition.path)
            text = condition.value
            if condition.operator in ("like", "not_like") and isinstance(text, str) and "%" in text:
                # Without a wildcard it is an equality, which is cheap at any length.
                _bound(len(text), PATTERN, "characters in a pattern of `like`")
            if isinstance(condition.value, Select):
                self.inner(condition.value)

    def _deeper(self) -> None:
        self.subqueries += 1
        _bound(self.subqueries, SUBQUERIES, "queries and questions about relations inside it")

    def _count(self, path: Path) -> None:
        self.comparisons += 1
        _bound(self.comparisons, COMPARISONS, "comparisons")
        self.paths([path])

    def paths(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self._prefixes.update(path.steps[:length] for length in range(1, len(path.steps)))
            _bound(len(self._prefixes), RELATIONS, "different relations")


def _bound(number: int, most: int, what: str) -> None:
    if number > most:
        raise TooLarge(f"the query has more than {most} {what}; ask for less, or in several queries")
