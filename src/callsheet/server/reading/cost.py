"""What a query may cost the database, judged before it is asked.

The parser and the checks of ``model/language`` bound the size of a query's text, its nesting, its values and the
length of its paths. This module bounds what these add up to: joins in one SELECT, sub-queries in all, comparisons in
all. A query within these bounds still has to end before the store's deadline.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from callsheet.errors import TooLarge
from callsheet.model.query import Aggregate, And, Any_, Comparison, Condition, Not, Or, Path, Select

__all__ = ["COMPARISONS", "RELATIONS", "SUBQUERIES", "check_cost"]

COMPARISONS = 500
"""SQLite nests ``a or b or c`` a level for each, and takes 1,000."""
RELATIONS = 30
"""Distinct relations in one condition's paths; SQLite joins at most 64 tables, and a cast may take two."""
SUBQUERIES = 100
PATTERN = 1_000
"""Characters in a pattern of ``like``, which a database compares with each place of a text."""
PROJECTIONS = 1_000


def check_cost(asked: Select | Aggregate) -> None:
    """Return if a checked query is within the bounds, else raise `TooLarge`.

    >>> from callsheet.model.language.parser import parse
    >>> check_cost(parse("Task where " + " or ".join(["name is x"] * 501)))
    Traceback (most recent call last):
    callsheet.errors.TooLarge: the query has more than 500 comparisons; ask for less, or in several queries
    """
    cost = _Cost()
    if isinstance(asked, Aggregate):
        cost.paths(each.path for each in asked.functions if each.path is not None)
        cost.paths(asked.group)
        asked = asked.select
    cost.select(asked)


@define
class _Cost:
    """The sums of one query; ``_prefixes`` are the relations of the SELECT that is being counted."""

    comparisons: int = 0
    subqueries: int = 0
    _prefixes: set[tuple[object, ...]] = field(factory=set)

    def select(self, asked: Select) -> None:
        _bound(len(asked.projections), PROJECTIONS, "projections")
        self.paths(order.path for order in asked.order)
        if asked.where is not None:
            self.condition(asked.where)

    def inner(self, asked: Select) -> None:
        """A query in a query has joins of its own."""
        self._deeper()
        outer, self._prefixes = self._prefixes, set()
        self.paths(asked.projections)
        self.select(asked)
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
                # Without a wildcard it is an equality, which costs what its length costs.
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
