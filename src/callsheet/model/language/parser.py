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
from difflib import get_close_matches
from typing import TypeAlias, TypeVar

from callsheet.errors import QueryError
from callsheet.model.language.literal import INTEGER_LIMIT, read_quoted, read_word
from callsheet.model.language.tokens import END, STRING, WORD, cut
from callsheet.model.query import And, Any_, Comparison, Condition, Literal, Not, Or, Order, Path, Select, Step

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

NESTING = 32
LONGEST = 64 * 1024
RESERVED = frozenset({"select", "from", "where", "and", "or", "not"})
CLAUSES = frozenset({"order", "limit", "offset"})
_OPERATORS = {sign: sign for sign in ("=", "!=", "<", "<=", ">", ">=", "like", "not_like", "in", "not_in")} | {
    "is": "=",
    "is_not": "!=",
    "before": "<",
    "after": ">",
    "any": "any",
    "has": "has",
}
_NOT_A_VALUE = RESERVED | _OPERATORS.keys()
_DIRECTIONS = {"asc": False, "ascending": False, "desc": True, "descending": True}
_ELSEWHERE = {
    "==": "=",
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "contains": "like",
    "matches": "like",
    "equals": "is",
    "sort": "order by",
    "orderby": "order by",
    "order_by": "order by",
    "isnot": "is_not",
    "notin": "not_in",
    "notlike": "not_like",
}
#: What the language itself calls its operators.
OPERATOR_NAMES = frozenset(_OPERATORS)
T = TypeVar("T")
P = TypeVar("P", bound="Parser")

AddedOperator: TypeAlias = Callable[[Path, Literal | tuple[Literal, ...]], Condition]
"""An operator of a plugin: it expands to a condition of the language, so every reader understands it."""


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


class Parser:
    """A place in a list of tokens, and a method for each rule, which reads on from there."""

    __slots__ = ("_depth", "_index", "_keys", "_kinds", "_operators", "_starts", "_text", "_texts", "_wanted")

    def __init__(self, text: str, operators: Mapping[str, AddedOperator] | None = None) -> None:
        tokens = cut(text)
        self._operators = operators or {}
        self._text, self._kinds, self._texts = text, tokens.kinds, tokens.texts
        self._keys, self._starts = tokens.keys, tokens.starts
        self._index = self._depth = 0
        # What could have come at the place reached: the choices of "did you mean".
        self._wanted: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self._kinds[self._index] == END

    def whole(self: P, rule: Callable[[P], T], example: str) -> T:
        """What the rule reads, which must be all of the text."""
        if self.ended:
            raise QueryError("there is nothing to read", 0, f"like `{example}`", self._text)
        found = rule(self)
        if not self.ended:
            raise self.unexpected()
        return found

    # Selects

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

    def _type(self, what: str) -> str:
        kind, word = self._kinds[self._index], self._texts[self._index]
        if kind == STRING:
            self._index += 1
            return read_quoted(word)
        if kind != WORD or self._keys[self._index] in RESERVED or not word.isidentifier():
            raise self._error(f"expected {what}, found {self._found()}", "like `Task`")
        self._index += 1
        return word

    # Conditions

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
        operator = _OPERATORS.get(self._keys[self._index])
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

    def value(self) -> Literal:
        index = self._index
        kind, token = self._kinds[index], self._texts[index]
        if kind == STRING:
            self._index += 1
            return read_quoted(token)
        if kind != WORD or self._keys[index] in _NOT_A_VALUE:
            raise self._no_value()
        try:
            value = read_word(token)
        except ValueError as error:
            raise self._error(f"`{token:.80}` {error}", f"quote it if it is text: '{token:.40}'") from None
        self._index += 1
        return value

    # Paths

    def path(self) -> Path:
        index = self._index
        token = self._texts[index]
        if self._kinds[index] == WORD and self._keys[index] not in RESERVED:
            following = self._keys[index + 1]
            if following != "[" and token[-1] != ".":
                try:
                    steps = Path.of(token).steps
                except QueryError:
                    raise self._no_path() from None
                self._index += 1
                return Path(steps, self._starts[index])
            return Path(self._steps(), self._starts[index])
        if self._kinds[index] == STRING:
            return Path(self._steps(), self._starts[index])
        raise self._no_path()

    def _steps(self) -> tuple[Step, ...]:
        """A path that has quoted names or casts, and so spans several tokens."""
        steps: list[Step] = []
        dotted = True
        while True:
            kind, token = self._kinds[self._index], self._texts[self._index]
            if kind == WORD and (dotted or token[0] == "."):
                dotted = self._names(token if dotted else token[1:], steps)
            elif kind == STRING and dotted:
                steps.append(Step(read_quoted(token)))
                dotted = False
            elif token == "[" and not dotted and steps[-1].cast is None:
                self._index += 1
                steps[-1] = Step(steps[-1].name, self._type("the entity type to cast to"))
                self._expect("]", "like `parent[Shot].fps`", advance=False)
            elif dotted:
                raise self._error(f"expected a name after `.`, found {self._found()}")
            else:
                return tuple(steps)
            self._index += 1

    def _names(self, word: str, steps: list[Step]) -> bool:
        """Append the plain names of a word; whether a dot ends it, so that a quoted name must follow."""
        names = word.split(".")
        dotted = not names[-1]
        for name in names[:-1] if dotted else names:
            if not name.replace("_", "a").isalnum() or (not steps and name[0].isdecimal()):
                raise self._no_path()
            steps.append(Step(name))
        return dotted

    # What all rules use

    def _several(self, rule: Callable[[], T]) -> tuple[T, ...]:
        found = [rule()]
        while self._keys[self._index] == ",":
            self._index += 1
            found.append(rule())
        return tuple(found)

    def _nested(self, rule: Callable[[], T]) -> T:
        """Step over the opening token and read one level deeper."""
        self._depth += 1
        if self._depth > NESTING:
            raise self._error(f"the query is nested more than {NESTING} deep")
        self._index += 1
        found = rule()
        self._depth -= 1
        return found

    def _close(self, wanted: str = "`)`") -> None:
        if self._keys[self._index] == ")":
            self._index += 1
            self._wanted = ("and", "or", "order by", "limit", "offset")
        elif self.ended:
            raise self._error(f"expected {wanted}, found the end", "close the parenthesis")
        else:
            raise self.unexpected(f"expected {wanted}, found {self._found()}")

    def _expect(self, key: str, hint: str, advance: bool = True) -> None:
        if self._keys[self._index] != key:
            near = self._nearest()
            raise self._error(f"expected `{key}`, found {self._found()}", near or hint)
        self._index += advance

    # Errors

    def _error(self, message: str, hint: str = "") -> QueryError:
        return QueryError(message, self._starts[self._index], hint, self._text)

    def _found(self) -> str:
        return "the end" if self.ended else f"`{self._texts[self._index]:.80}`"

    def _nearest(self, choices: tuple[str, ...] = ()) -> str:
        key = self._keys[self._index]
        choices = choices or self._wanted
        near = _ELSEWHERE.get(key)
        if near is None or near not in choices:
            # `order by` is two words, mistyped as one or as two.
            both = f"{key} {self._keys[self._index + 1]}" if self._kinds[self._index] == WORD else ""
            matches = get_close_matches(key, choices, 1, 0.6) or get_close_matches(both, choices, 1, 0.7)
            near = matches[0] if matches else None
        return f"did you mean `{near}`?" if near else ""

    def unexpected(self, message: str = "") -> QueryError:
        """The error for a token at which nothing can go on."""
        index = self._index
        hint = self._nearest() if self._kinds[index] == WORD else ""
        if not hint and "and" in self._wanted and self._kinds[index] == self._kinds[index - 1] == WORD:
            hint = f'quote a value of several words: "{self._texts[index - 1]:.40} {self._texts[index]:.40}"'
        if not hint and self._keys[index] == ")":
            hint = "there is no `(` for it"
        return self._error(message or f"{self._found()} is not expected here", hint)

    def _no_operator(self) -> QueryError:
        hint = self._nearest((*_OPERATORS, *self._operators)) if self._kinds[self._index] == WORD else ""
        following = self._keys[self._index + 1] if not self.ended else ""
        if self._keys[self._index] == "not" and following in ("in", "like"):
            hint = f"write `not_{following}`"
        elif self._keys[self._index] == "not":
            hint = "write `is_not`"
        hint = hint or "like `is`, `!=`, `like`, `in`, `has`, `any`"
        return self._error(f"expected an operator, found {self._found()}", hint)

    def _no_value(self) -> QueryError:
        before, key = self._keys[self._index - 1], self._keys[self._index]
        glued = self._starts[self._index] == self._starts[self._index - 1] + len(before)
        signs = {"==": "=", "<>": "!=", "=<": "<=", "=>": ">="}
        hint = ""
        if key == "not" and before == "is":
            hint = "write `is_not`"
        elif glued and before + key in signs:
            hint = f"write `{signs[before + key]}`"
        elif key == "(":
            hint = "a list of values follows `in` or `not_in`"
        elif self._kinds[self._index] == WORD:
            hint = f"quote it if it is a value: '{self._texts[self._index]}'"
        return self._error(f"expected a value, found {self._found()}", hint)

    def _no_path(self) -> QueryError:
        hint = 'quote a name that is not plain: `metadata."frame rate"`' if self._kinds[self._index] == WORD else ""
        if self._keys[self._index] in RESERVED:
            hint = f"quote it if it is a name: '{self._texts[self._index]}'"
        return self._error(f"expected an attribute, found {self._found()}", hint)
