"""Text becomes a `Select`, a condition or a path; every error says where and how to repair it.

The grammar, one method for each rule (the whole language is in ``docs/reference/query-language.md``)::

    select      = ["select" [path {"," path}] "from"] type ["where" condition] {clause}
    clause      = "order" "by" orders | "limit" n | "offset" n | top | "sample" size                 (each once)
    top         = "limit" n ["per" path] ["by" orders]                     (with one of both; without, it is "limit")
    size        = (n | fraction) ["first" | "per" path] ["by" seed]        (a fraction is written with a point: 0.25)
    orders      = path [direction] {"," path [direction]}
    condition   = conjunction {"or" conjunction}
    conjunction = term {"and" term}
    term        = "not" term | "(" condition ")" | comparison
    comparison  = path operator value | path ("in" | "not_in") list | path ("any" | "has") "(" [condition] ")"
                | path added (value | list)             added = the name of an operator that a plugin gives
    list        = "(" [value {"," value}] ")" | "(" select ")"
    path        = name [cast] {"." name [cast]}        name = word | quoted        cast = "[" type "]"
    value       = word | quoted | "now" "(" [term {"," term}] ")"
    term        = number unit | "start" "of" unit | "in" zone
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from callsheet.errors import QueryError
from callsheet.model.language.hints import NESTING, OPERATORS, RESERVED, AddedOperator
from callsheet.model.language.paths import PathReader
from callsheet.model.language.tokens import END, STRING, WORD
from callsheet.model.query import And, Any_, Comparison, Condition, Literal, Not, Or, Order, Path, Sample, Select, Top
from callsheet.model.scalar import INTEGER_LIMIT

__all__ = [
    "AddedOperator",
    "LONGEST",
    "NESTING",
    "OPERATOR_NAMES",
    "Parser",
    "RESERVED",
    "check_length",
    "parse",
    "parse_condition",
    "parse_orders",
    "parse_path",
]

LONGEST = 64 * 1024
CLAUSES = frozenset({"order", "limit", "offset", "sample"})
_CLAUSE_WORDS = ("order by", "limit", "offset", "sample")
_DIRECTIONS = {"asc": False, "ascending": False, "desc": True, "descending": True}
#: What the language itself calls its operators.
OPERATOR_NAMES = frozenset(OPERATORS)
T = TypeVar("T")
P = TypeVar("P", bound="Parser")


def parse(text: str, longest: int = LONGEST, operators: Mapping[str, AddedOperator] | None = None) -> Select:
    """The `Select` a text stands for; one of more than ``longest`` characters is not read.

    >>> parse('Task where status.name is "Done" order by name limit 10').limit
    10
    >>> parse("Task were status is Done")
    Traceback (most recent call last):
    callsheet.errors.QueryError: `were` is not expected here
      Task were status is Done
           ^
      hint: did you mean `where`?
    """
    return _whole(text, Parser.select, "Task where name is Done", longest, operators)


def parse_condition(text: str, operators: Mapping[str, AddedOperator] | None = None) -> Condition:
    """The condition a text stands for: what follows ``where``.

    >>> parse_condition("name is Done")
    Comparison(path=Path(steps=(Step(name='name', cast=None),)), operator='=', value='Done')
    """
    return _whole(text, Parser.condition, "name is Done", operators=operators)


def parse_path(text: str) -> Path:
    """The path a text stands for.

    >>> parse_path('metadata."frame rate"').names
    ('metadata', 'frame rate')
    """
    return _whole(text, Parser.path, "parent.name")


def parse_orders(text: str) -> tuple[Order, ...]:
    """The orders a text stands for: what follows ``order by``.

    >>> [order.descending for order in parse_orders("name, created_at descending")]
    [False, True]
    """
    return _whole(text, Parser.orders, "created_at descending")


def _whole(
    text: str,
    rule: Callable[[Parser], T],
    example: str,
    longest: int = LONGEST,
    operators: Mapping[str, AddedOperator] | None = None,
) -> T:
    check_length(text, longest)
    return Parser(text, operators).whole(rule, example)


def check_length(text: str, longest: int = LONGEST) -> None:
    """Raise `QueryError` for a text that is longer than is read."""
    if len(text) > longest:
        raise QueryError(
            f"the text has {len(text):,} characters; at most {longest:,} are read",
            hint="give long lists of values as data: a Select, or several queries",
        )


class Parser(PathReader):
    """A method for each rule, which reads on from the place reached."""

    __slots__ = ()

    def whole(self: P, rule: Callable[[P], T], example: str) -> T:
        """What the rule reads, which must be all of the text."""
        if self.ended:
            raise QueryError("there is nothing to read", 0, f"like `{example}`", self._text)
        found = rule(self)
        if not self.ended:
            raise self.unexpected()
        return found

    def select(self) -> Select:
        projections: tuple[Path, ...] = ()
        if self._keys[self._index] == "select":
            self._index += 1
            if self._keys[self._index] != "from":
                projections = self._several(self.path)
            self._wanted = ("from",)
            self._expect("from", "`from` and an entity type follow the projections")
        entity_type = self._type("an entity type")
        self._wanted = ("where", *_CLAUSE_WORDS)
        where = None
        if self._keys[self._index] == "where":
            self._index += 1
            where = self.condition()
        return Select(entity_type, projections, where, **self._clauses(where))

    def _clauses(self, where: Condition | None) -> dict[str, Any]:
        """The fields of a select that the clauses at its end set."""
        found: dict[str, Any] = {}
        while (key := self._keys[self._index]) in CLAUSES or key == "where":
            start = self._index
            self._index += 1
            if key == "where":
                raise self._twice(start, where)
            if key == "order":
                self._wanted = ("by",)
                self._expect("by", "like `order by name descending`")
                value: Any = self.orders()
            elif key == "sample":
                value = self._sample()
            else:
                value = self._count(key)
                if key == "limit" and self._keys[self._index] in ("per", "by"):
                    key, value = "top", self._top(value)
            if key in found:
                raise self._twice(start, where)
            found[key] = value
            self._wanted = (*_CLAUSE_WORDS, *(_DIRECTIONS if key == "order" else ()))
        return found

    def _twice(self, start: int, where: Condition | None) -> QueryError:
        """The error for a clause that was there before, or for a condition after other clauses."""
        self._index = start
        twice = self._keys[start] != "where" or where is not None
        joined = "join conditions by `and`"
        hint = joined if where is not None else "the order is: where, order by, limit, offset, sample"
        return self._error(f"`{self._texts[start]}` {'stands twice' if twice else 'comes after another clause'}", hint)

    def _top(self, number: int) -> Top:
        """What follows ``limit n``, when it is a limit for each value at a path, or by an order of its own."""
        per = None
        if self._keys[self._index] == "per":
            self._index += 1
            per = self.path()
        by: tuple[Order, ...] = ()
        if self._keys[self._index] == "by":
            self._index += 1
            by = self._several(self._order)
        return Top(number, by, per)

    def _sample(self) -> Sample:
        """What follows ``sample``."""
        number, fraction = self._size()
        method, per, seed = "random", None, 0
        if self._keys[self._index] == "first":
            self._index += 1
            method = "first"
        elif self._keys[self._index] == "per":
            self._index += 1
            method, per = "stratified", self.path()
        if self._keys[self._index] == "by":
            self._index += 1
            seed = self._count("by")
        return Sample(number, fraction, method, seed, per)

    def _size(self) -> tuple[int | None, float | None]:
        """A number of entities, or a fraction of them."""
        start = self._index
        size = None if self.ended else self.value()
        if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
            return size, None
        if isinstance(size, float) and 0 <= size <= 1:
            return None, size
        self._index = start
        hint = "like `sample 100`, or `sample 0.25` for a quarter"
        raise self._error(f"expected a whole number, or a fraction, after `sample`, found {self._found()}", hint)

    def orders(self) -> tuple[Order, ...]:
        return self._several(self._order)

    def _order(self) -> Order:
        path = self.path()
        descending = _DIRECTIONS.get(self._keys[self._index])
        if descending is not None:
            self._index += 1
        return Order(path, bool(descending))

    def _count(self, clause: str) -> int:
        word = self._texts[self._index]
        if self._kinds[self._index] != WORD or not (word.isascii() and word.isdigit()):
            raise self._error(f"expected a whole number after `{clause}`, found {self._found()}", f"like `{clause} 10`")
        if len(word) > 19 or int(word) >= INTEGER_LIMIT:
            raise self._error(f"`{clause}` takes an integer of 64 bits")
        self._index += 1
        return int(word)

    def condition(self) -> Condition:
        first = self._conjunction()
        if self._keys[self._index] != "or":
            return first
        conditions = [first]
        while self._keys[self._index] == "or":
            self._index += 1
            conditions.append(self._conjunction())
        return Or(tuple(conditions))

    def _conjunction(self) -> Condition:
        first = self._term()
        if self._keys[self._index] != "and":
            return first
        conditions = [first]
        while self._keys[self._index] == "and":
            self._index += 1
            conditions.append(self._term())
        return And(tuple(conditions))

    def _term(self) -> Condition:
        key = self._keys[self._index]
        if key == "not":
            return Not(self._nested(self._term))
        if key != "(":
            return self.comparison()
        condition = self._nested(self.condition)
        self._close()
        return condition

    def comparison(self) -> Condition:
        path = self.path()
        operator = OPERATORS.get(self._keys[self._index])
        if operator is None:
            return self._added(path)
        self._index += 1
        if operator == "any" or operator == "has":
            return self._member(path, operator)
        if operator == "in" or operator == "not_in":
            return Comparison(path, operator, self._list(operator))
        value = self.value()
        self._wanted = ("and", "or", *_CLAUSE_WORDS)
        return Comparison(path, operator, value)

    def _added(self, path: Path) -> Condition:
        """A comparison by an operator that a plugin gave."""
        name = self._keys[self._index]
        added = self._operators.get(name)
        if added is None:
            raise self._no_operator()
        start, self._index = self._index, self._index + 1
        value = self._list(name) if self._keys[self._index] == "(" else self.value()
        if isinstance(value, Select):
            raise self._error(f"`{name}` takes values, not a query")
        try:
            return added(path, value)
        except (TypeError, ValueError) as error:
            self._index = start
            raise self._error(f"`{name}` cannot be used so: {error}") from error

    def _member(self, path: Path, word: str) -> Any_:
        if self._keys[self._index] != "(":
            hint = f"like `{word} (name is Done)`, or `{word} ()`"
            raise self._error(f"expected `(` after `{word}`, found {self._found()}", hint)
        if self._keys[self._index + 1] == ")":
            self._index += 2
            return Any_(path, None, word)
        condition = self._nested(self.condition)
        self._close()
        return Any_(path, condition, word)

    def _list(self, word: str) -> tuple[Literal, ...] | Select:
        if self._keys[self._index] != "(":
            raise self._error(f"expected `(` after `{word}`, found {self._found()}", f"like `{word} (Done, Final)`")
        start = self._index + 1
        if self._keys[start] == "select" or self._is_query(start):
            select = self._nested(self.select)
            if len(select.projections) > 1:
                self._index = start
                hint = "like `id in (select task_id from Timelog)`"
                raise self._error("a query in parentheses selects one attribute", hint)
            self._close()
            return select
        self._index = start
        values: tuple[Literal, ...] = () if self._keys[start] == ")" else self._several(self.value)
        self._close("`,` or `)`")
        return values

    def _is_query(self, index: int) -> bool:
        """Whether an entity type and a clause stand here, rather than a value."""
        following = self._keys[index + 1] if self._kinds[index] != END else ""
        return self._kinds[index] in (WORD, STRING) and (following == "where" or following in CLAUSES)
