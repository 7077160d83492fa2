"""Measures, levels and conditions on measures are read from tokens.

The grammar, one method for each rule; ``condition`` and ``path`` are those of queries (``parser.py``)::

    measure    = product {("+" | "-") product}
    product    = factor {("*" | "/") factor}
    factor     = number | "(" measure ")" | "[" name of another measure "]" | function
    function   = name ["(" [path ["," path | "," number] ["," "repeated"]] ")"] ["of" type] ["where" condition]
               | beside "(" measure {"," level} ["," number] ")"              (share, rank, previous, …)
               | "if" "(" having "," measure ["," measure] ")"
               | "scoped" "(" measure "," measure {"," level} ")"
               | "parameter" "(" name {"," level} ")"
    level      = path | band "(" path ["," zone] ")"
    having     = as a condition, with measure operator value for a comparison
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from callsheet.errors import QueryError
from callsheet.model.choice import Choice, Scoped
from callsheet.model.language.hints import OPERATORS
from callsheet.model.language.literal import read_quoted
from callsheet.model.language.parser import Parser, check_length
from callsheet.model.language.tokens import END, STRING, WORD
from callsheet.model.measure import (
    BANDS,
    FUNCTIONS,
    IN_TIME,
    AggregateFunction,
    Arithmetic,
    Constant,
    Having,
    HavingAll,
    HavingAny,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
)
from callsheet.model.named import NamedMeasure
from callsheet.model.parameter import Parameter
from callsheet.model.query import And, Not, Or, Path
from callsheet.model.schema import did_you_mean
from callsheet.model.window import WINDOWS, Window

__all__ = ["FUNCTION_NAMES", "MeasureReader"]

_ALIASES: Final = {
    "total": "sum",
    "mean": "average",
    "avg": "average",
    "min": "minimum",
    "max": "maximum",
    "stddev": "deviation",
}
_CHOICES: Final = ("if", "scoped", "parameter")
_KNOWN: Final = (*FUNCTIONS, *WINDOWS, *_CHOICES)
FUNCTION_NAMES: Final = frozenset({*_KNOWN, *_ALIASES})
"""What functions are called in texts."""
_OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=")
_OPERAND: Final = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|[^+*/\-\d][^+*/\-]*|[+\-*/]")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")


class MeasureReader(Parser):
    """Reads measures; ``named`` are those that a text may call by their names."""

    __slots__ = ("_noun", "_of_paths", "named")

    def __init__(self, text: str, named: Mapping[str, Measure] | None = None) -> None:
        check_length(text)
        super().__init__(text)
        self.named: Mapping[str, Measure] = named or {}
        self._noun = "function" if named is None else "measure"
        # Whether comparisons are those of a query, which are of paths, and not of measures.
        self._of_paths = False

    # Arithmetic

    def measure(self) -> Measure:
        return self._joined("+-", lambda: self._joined("*/", self._factor))

    def _joined(self, signs: str, rule: Callable[[], Measure]) -> Measure:
        found = rule()
        while (sign := self._sign()) and sign in signs:
            self._index += 1
            found = Arithmetic(sign, found, rule())
        return found

    def _sign(self) -> str:
        """The sign that stands here, cut off from what is written behind it."""
        word = self._texts[self._index]
        if self._kinds[self._index] != WORD or word[0] not in "+-*/":
            return ""
        self._split(1)
        return word[0]

    def _split(self, length: int) -> None:
        """Make two tokens of the one that stands here."""
        index, word = self._index, self._texts[self._index]
        if len(word) <= length:
            return
        self._kinds.insert(index, WORD)
        self._starts.insert(index + 1, self._starts[index] + length)
        for tokens, key in ((self._texts, False), (self._keys, True)):
            parts = [word[:length], word[length:]]
            tokens[index : index + 1] = [part.lower() for part in parts] if key else parts

    def _factor(self) -> Measure:
        kind, word = self._kinds[self._index], self._texts[self._index]
        if self._keys[self._index] == "(":
            found = self._nested(self.measure)
            self._close()
            return found
        if self._keys[self._index] == "[":
            return self._named()
        if kind == WORD and word not in self.named:
            negative = word[0] == "-" and len(word) > 1
            operand = _OPERAND.match(word, negative)
            self._split(operand.end() if operand else len(word))
            word = self._texts[self._index]
            if _NUMBER.fullmatch(word):
                self._index += 1
                number = float(word)
                return Constant(int(word) if word.lstrip("-").isdecimal() and len(word) < 18 else number)
        return self._function()

    def _named(self) -> NamedMeasure:
        """What stands between brackets, quoted or as it is."""
        begin = end = self._index
        while self._kinds[end] != END and self._keys[end] != "]":
            end += 1
        if self._kinds[end] == END:
            raise self._error("this bracket is not closed", "like `[Actual] / [Bid]`")
        quoted = end == begin + 2 and self._kinds[begin + 1] == STRING
        raw = self._text[self._starts[begin] + 1 : self._starts[end]].strip()
        name = read_quoted(self._texts[begin + 1]) if quoted else raw
        if not name:
            raise self._error("a name is missing between these brackets", "like `[Actual] / [Bid]`")
        self._index = end + 1
        return NamedMeasure(name)

    # Functions

    def _function(self) -> Measure:
        start = self._index
        kind, word = self._kinds[start], self._texts[start]
        name = read_quoted(word) if kind == STRING else word
        called = kind in (STRING, WORD) and self._keys[start + 1] == "("
        if kind in (STRING, WORD) and name in self.named and not called:
            self._index += 1
            return self.named[name]
        if kind != WORD:
            raise self._error(f"expected a measure, found {self._found()}", "like `sum(bid) > 3`")
        key = _ALIASES.get(self._keys[start], self._keys[start])
        if key not in _KNOWN:
            raise self._unknown(name)
        self._index += 1
        if key in WINDOWS or key in _CHOICES:
            return self._of_measures(key, called)
        return self._of_entities(key, called, start)

    def _unknown(self, name: str) -> QueryError:
        near = did_you_mean(name, [*self.named, *FUNCTION_NAMES])
        hint = "like `sum(bid) > 3`" if self._noun == "measure" else ", ".join(_KNOWN)
        return self._error(f"there is no {self._noun} `{name:.80}`{near}", hint)

    def _of_measures(self, name: str, called: bool) -> Measure:
        rules: dict[str, Callable[[], Measure]] = {
            "if": self._choice,
            "scoped": self._scoped,
            "parameter": self._parameter,
        }
        if not called or self._keys[self._index + 1] == ")":
            example = _EXAMPLES.get(name, f"{name}(sum(bid), month(due_date))")
            raise self._error(f"`{name}` needs a measure", f"like `{example}`")
        found = self._nested(rules.get(name, lambda: self._window(name)))
        self._close()
        return found

    def _window(self, name: str) -> Window:
        of, levels, number = self.measure(), [], 1
        while self._keys[self._index] == ",":
            self._index += 1
            word = self._texts[self._index]
            if self._kinds[self._index] == WORD and word.isdecimal() and self._keys[self._index + 1] == ")":
                number = int(word) if len(word) < 10 else 0
                self._index += 1
            else:
                levels.append(self.level())
        return Window(name, of, tuple(levels), number)

    def _choice(self) -> Choice:
        condition = self.having()
        self._comma("if")
        then, otherwise = self.measure(), None
        if self._keys[self._index] == ",":
            self._index += 1
            otherwise = self.measure()
        return Choice(condition, then, otherwise)

    def _scoped(self) -> Scoped:
        then = self.measure()
        self._comma("scoped")
        otherwise, levels = self.measure(), []
        while self._keys[self._index] == ",":
            self._index += 1
            levels.append(self.level())
        return Scoped(then, otherwise, tuple(levels))

    def _parameter(self) -> Parameter:
        kind, word = self._kinds[self._index], self._texts[self._index]
        if kind not in (STRING, WORD):
            raise self._error(f"expected the name of a parameter table, found {self._found()}", _EXAMPLES["parameter"])
        self._index += 1
        levels = []
        while self._keys[self._index] == ",":
            self._index += 1
            levels.append(self.level())
        return Parameter(read_quoted(word) if kind == STRING else word, tuple(levels))

    def _comma(self, name: str) -> None:
        self._expect(",", f"like `{_EXAMPLES[name]}`")

    def _of_entities(self, name: str, called: bool, start: int) -> AggregateFunction:
        path: Path | None = None
        given: dict[str, Any] = {}
        if called:
            self._index += 1
            if self._keys[self._index] != ")":
                path = self.path()
                given = self._arguments(name, start)
            self._close()
        if self._keys[self._index] == "of":
            self._index += 1
            given["table"] = self._type("an entity type")
        if self._keys[self._index] == "where":
            self._index += 1
            outside, self._of_paths = self._of_paths, True
            given["condition"] = self.condition()
            self._of_paths = outside
        if name == "quantile" and path is not None and "argument" not in given:
            raise self._no_quantile(start)
        return AggregateFunction(name, path, **given)

    def _arguments(self, name: str, start: int) -> dict[str, Any]:
        """What follows the path: a number, another path, or the word ``repeated``."""
        given: dict[str, Any] = {}
        while self._keys[self._index] == ",":
            self._index += 1
            if name == "quantile" and not given:
                word = self._texts[self._index]
                place = float(word) if _NUMBER.fullmatch(word) else -1.0
                if not 0 <= place <= 1:
                    raise self._no_quantile(start)
                self._index += 1
                given["argument"] = place
            elif name in IN_TIME and not given:
                given["by"] = self.path()
            elif self._keys[self._index] == "repeated" and "repeated" not in given:
                self._index += 1
                given["repeated"] = True
            else:
                raise self.unexpected()
        return given

    def _no_quantile(self, start: int) -> QueryError:
        text = self._text[self._starts[start] :]
        self._index = start
        return self._error(f"`{text:.80}` is not a quantile", "like `quantile(bid, 0.9)`")

    def level(self) -> Level:
        """A path, or the band of a date at it."""
        start, key = self._index, self._keys[self._index]
        if self._kinds[start] != WORD or self._keys[start + 1] != "(":
            path = self.path()
            return Level(path, name=self._since(start))
        if key not in BANDS:
            raise self._error(f"there is no band `{key:.80}`{did_you_mean(key, BANDS)}", ", ".join(BANDS))
        self._index += 2
        path, zone = self.path(), "UTC"
        if self._keys[self._index] == ",":
            self._index += 1
            zone = str(self.value())
        self._close()
        return Level(path, key, self._since(start), zone)

    def _since(self, start: int) -> str:
        """The text from a token to the place reached."""
        last = self._index - 1
        return self._text[self._starts[start] : self._starts[last] + len(self._texts[last])]

    # Conditions on measures

    def having(self) -> Having:
        return _as_having(self.condition())

    def _term(self) -> Any:
        if self._keys[self._index] == "(" and not self._of_paths and self._opens_measure():
            return self.comparison()
        return super()._term()

    def _opens_measure(self) -> bool:
        """Whether what stands in these parentheses goes on as a measure, and not as a condition."""
        depth, index = 0, self._index
        while self._kinds[index] != END:
            depth += (self._keys[index] == "(") - (self._keys[index] == ")")
            index += 1
            if depth == 0:
                break
        key = self._keys[index]
        return key in OPERATORS or key[:1] in ("+", "-", "*", "/")

    def comparison(self) -> Any:
        if self._of_paths:
            return super().comparison()
        measure = self.measure()
        operator = OPERATORS.get(self._keys[self._index])
        if operator not in _OPERATORS:
            hint = "measures are compared with = != < <= > >=, is, is_not"
            raise self._error(f"expected a comparison, found {self._found()}", hint)
        self._index += 1
        value = self.value()
        self._wanted = ("and", "or")
        return MeasureComparison(measure, operator, value)


_EXAMPLES: Final = {
    "if": "if(count > 3, sum(bid), 0)",
    "scoped": "scoped(average(bid), sum(bid), status.name)",
    "parameter": "sum(duration) * parameter(Rates, user.username)",
}


def _as_having(condition: Any) -> Having:
    if isinstance(condition, And | Or):
        parts = tuple(_as_having(part) for part in condition.conditions)
        return HavingAll(parts) if isinstance(condition, And) else HavingAny(parts)
    if isinstance(condition, Not):
        return HavingNot(_as_having(condition.condition))
    found: MeasureComparison = condition
    return found
