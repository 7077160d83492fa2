"""Text becomes a `Select`, a condition or a path; every error says where and how to repair it.

The grammar, one method for each rule (the whole language is in ``docs/reference/query-language.md``)::

    select      = ["select" [path {"," path}] "from"] type ["where" condition] {clause}
    clause      = "order" "by" path [direction] {"," …} | "limit" n | "offset" n          (each once)
    condition   = conjunction {"or" conjunction}
    conjunction = term {"and" term}
    term        = "not" term | "(" condition ")" | comparison
    comparison  = path operator value | path ("in" | "not_in") list | path ("any" | "has") "(" [condition] ")"
                | path added (value | list)             added = the name of an operator that a plugin gives
    list        = "(" [value {"," value}] ")" | "(" select ")"
    path        = name [cast] {"." name [cast]}        name = word | quoted        cast = "[" type "]"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from callsheet.errors import QueryError
from callsheet.model.language.hints import NESTING, OPERATORS, RESERVED, AddedOperator
from callsheet.model.language.paths import PathReader
from callsheet.model.language.tokens import END, STRING, WORD
from callsheet.model.query import And, Any_, Comparison, Condition, Literal, Not, Or, Order, Path, Select
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
    "parse_path",
]

LONGEST = 64 * 1024
CLAUSES = frozenset({"order", "limit", "offset"})
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
        self._wanted = ("where", "order by", "limit", "offset")
        where = None
        if self._keys[self._index] == "where":
            self._index += 1
            where = self.condition()
        order, limit, offset = self._clauses(where)
        return Select(entity_type, projections, where, order, limit, offset)

    def _clauses(self, where: Condition | None) -> tuple[tuple[Order, ...], int | None, int]:
        order: tuple[Order, ...] = ()
        numbers: dict[str, int] = {}
        while (key := self._keys[self._index]) in CLAUSES or key == "where":
            if key in numbers or (key == "order" and order) or key == "where":
                problem = "stands twice" if key != "where" or where is not None else "comes after another clause"
                hint = (
                    "join conditions by `and`" if where is not None else "the order is: where, order by, limit, offset"
                )
                raise self._error(f"`{self._texts[self._index]}` {problem}", hint)
            self._index += 1
            if key == "order":
                self._wanted = ("by",)
                self._expect("by", "like `order by name descending`")
                order = self._several(self._order)
            else:
                numbers[key] = self._count(key)
            self._wanted = ("order by", "limit", "offset", *(_DIRECTIONS if key == "order" else ()))
        return order, numbers.get("limit"), numbers.get("offset", 0)

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
        self._wanted = ("and", "or", "order by", "limit", "offset")
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
