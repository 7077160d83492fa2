"""The exact text of any measure, read and written: ``[Actual] / [Bid]``, ``(sum(bid) where status is Done) * 100``.

It is the language of ``measures.py``, joined by ``+ - * /`` and parentheses; ``[Name]`` is another measure of the same
cube (a closing bracket in a name is doubled). A condition goes on to the end of its parentheses, or of the text.
"""

from __future__ import annotations

import math
import re
from typing import Final

from attrs import evolve

from callsheet.errors import QueryError
from callsheet.model.language.measures import level_text, measure_text, parse_level, parse_measure
from callsheet.model.language.parser import check_length, parse_condition
from callsheet.model.language.text import condition_text, path_text
from callsheet.model.measure import FUNCTIONS, AggregateFunction, Arithmetic, Constant, Level, Measure
from callsheet.model.named import NamedMeasure
from callsheet.model.window import WINDOWS, Window

__all__ = ["formula_text", "parse_formula"]

_NUMBER: Final = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?")
_WORD: Final = re.compile(r"[^\W\d]\w*")
_NAME: Final = re.compile(r"\[((?:[^\]]|\]\])*)\]")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)
DEEPEST: Final = 50
"""The most parentheses within parentheses."""


def parse_formula(text: str) -> Measure:
    """The measure that a text stands for; `QueryError` with the place of a fault.

    >>> parse_formula("[Actual] / (sum(bid) where name is anim)").right.condition.value
    'anim'
    """
    check_length(text)
    return _Formula(text, 0, len(text), 0).whole()


class _Formula:
    """One reading of a part of a text, from one place to another."""

    def __init__(self, text: str, start: int, end: int, depth: int) -> None:
        self._text, self._at, self._end, self._depth = text, start, end, depth
        if depth > DEEPEST:
            raise self._wrong("these parentheses are too deep")

    def whole(self) -> Measure:
        found = self._sum()
        if self._sign():
            raise self._wrong(f"`{self._rest()}` is not understood here")
        return found

    def _sum(self) -> Measure:
        found = self._product()
        while (sign := self._sign()) and sign in "+-":
            self._at += 1
            found = Arithmetic(sign, found, self._product())
        return found

    def _product(self) -> Measure:
        found = self._factor()
        while (sign := self._sign()) and sign in "*/":
            self._at += 1
            found = Arithmetic(sign, found, self._factor())
        return found

    def _factor(self) -> Measure:
        sign = self._sign()
        if sign == "-":
            self._at += 1
            of = self._factor()
            return Constant(-of.value) if isinstance(of, Constant) else Arithmetic("-", 0, of)
        if sign == "(":
            return _Formula(self._text, *self._enclosed(), self._depth + 1).whole()
        if sign == "[":
            return self._named()
        if number := _NUMBER.match(self._text, self._at, self._end):
            self._at = number.end()
            digits = number.group()
            return Constant(int(digits) if digits.isdecimal() and len(digits) < 16 else float(digits))
        if word := _WORD.match(self._text, self._at, self._end):
            return self._call(word.group(), word.start())
        raise self._wrong(f"`{self._rest()}` is no measure" if sign else "a measure is missing here")

    def _named(self) -> Measure:
        found = _NAME.match(self._text, self._at, self._end)
        if found is None or not found[1].strip():
            raise self._wrong("a name is written between brackets, like `[Actual]`")
        self._at = found.end()
        return NamedMeasure(found[1].replace("]]", "]"))

    def _call(self, word: str, start: int) -> Measure:
        self._at = start + len(word)
        name = word.lower()
        if self._sign() == "(":
            inside = self._enclosed()
            made = self._window(name, inside) if name in WINDOWS else self._function(start, *inside)
        else:
            made = self._plain(self._text[start : self._at])
        after = _WORD.match(self._text, self._at + len(self._space()), self._end)
        if after is None or after.group().lower() != "where":
            return made
        condition = self._text[after.end() : self._end]
        self._at = self._end
        try:
            return made.where(parse_condition(condition))
        except QueryError as error:
            raise self._wrong(error.message, after.start(), error.hint) from error

    def _function(self, start: int, begin: int, end: int) -> Measure:
        parts = self._parts(begin, end)
        repeated = len(parts) > 1 and self._text[slice(*parts[-1])].strip().lower() == "repeated"
        text = self._text[start : parts[-1][0] - 1] + ")" if repeated else self._text[start : end + 1]
        made = self._plain(text)
        return evolve(made, repeated=True) if repeated and isinstance(made, AggregateFunction) else made

    def _plain(self, text: str) -> Measure:
        try:
            return parse_measure(text)
        except QueryError as error:
            raise self._wrong(error.message, self._text.find(text), error.hint) from error

    def _window(self, name: str, inside: tuple[int, int]) -> Measure:
        first, *others = self._parts(*inside)
        of = _Formula(self._text, *first, self._depth + 1).whole()
        texts = [self._text[slice(*each)].strip() for each in others]
        number = int(texts.pop()) if texts and texts[-1].isdecimal() and len(texts[-1]) < 10 else 1
        return Window(name, of, tuple(_plain_level(each) for each in texts), number)

    # Places

    def _sign(self) -> str:
        """The next character that is no space."""
        self._at += len(self._space())
        return self._text[self._at] if self._at < self._end else ""

    def _space(self) -> str:
        rest = self._text[self._at : self._end]
        return rest[: len(rest) - len(rest.lstrip())]

    def _enclosed(self) -> tuple[int, int]:
        """The part between the parenthesis that is next and the one that closes it; what follows comes next."""
        begin, depth = self._at + 1, 0
        for place, character in _unquoted(self._text, self._at, self._end):
            depth += (character == "(") - (character == ")")
            if depth == 0:
                self._at = place + 1
                return begin, place
        raise self._wrong("this parenthesis is not closed")

    def _parts(self, begin: int, end: int) -> list[tuple[int, int]]:
        """The parts between commas that are in no parentheses."""
        commas, depth = [begin - 1], 0
        for place, character in _unquoted(self._text, begin, end):
            depth += (character == "(") - (character == ")")
            if character == "," and depth == 0:
                commas.append(place)
        return [(start + 1, stop) for start, stop in zip(commas, [*commas[1:], end])]

    def _rest(self) -> str:
        return self._text[self._at : min(self._end, self._at + 40)]

    def _wrong(self, message: str, at: int | None = None, hint: str = "") -> QueryError:
        place = self._at if at is None or at < 0 else at
        return QueryError(message, place, hint or "like `sum(bid)` or `[Actual] / [Bid]`", self._text)


def _unquoted(text: str, begin: int, end: int) -> list[tuple[int, str]]:
    """The characters outside quotes and brackets, with their places."""
    found, place = [], begin
    while place < end:
        skipped = _QUOTED.match(text, place, end) or _NAME.match(text, place, end)
        if skipped is not None:
            place = skipped.end()
            continue
        found.append((place, text[place]))
        place += 1
    return found


def _plain_level(text: str) -> Level:
    found = parse_level(text)
    return Level(found.path, found.band)


# -- writing ----------------------------------------------------------------------------------------------------


def formula_text(measure: Measure) -> str:
    """The exact text of a measure: `parse_formula` reads an equal one.

    >>> formula_text(NamedMeasure("Actual") / (AggregateFunction("sum", "bid") + 1))
    '[Actual] / (sum(bid) + 1)'
    """
    match measure:
        case NamedMeasure():
            return f"[{measure.name.replace(']', ']]')}]"
        case Constant():
            return _number_text(measure.value) if measure.value >= 0 else f"({_number_text(measure.value)})"
        case Arithmetic():
            return f"{_closed(measure.left)} {measure.operator} {_closed(measure.right)}"
        case Window():
            number = [str(measure.number)] if measure.number != 1 else []
            return f"{measure.name}({', '.join([formula_text(measure.of), *map(level_text, measure.levels), *number])})"
        case AggregateFunction() if measure.name in FUNCTIONS:
            return _function_text(measure)
    return measure_text(measure)


def _number_text(value: float) -> str:
    if not math.isfinite(value):
        raise QueryError(f"{value} is no number of a measure")
    return repr(value)


def _function_text(function: AggregateFunction) -> str:
    inside = [] if function.path is None else [path_text(function.path)]
    inside += [] if function.argument is None else [repr(function.argument)]
    inside += ["repeated"] if function.repeated else []
    text = f"{function.name}({', '.join(inside)})" if inside else function.name
    return text if function.condition is None else f"{text} where {condition_text(function.condition)}"


def _closed(measure: Measure) -> str:
    """The text of a measure beside an operator."""
    text = formula_text(measure)
    alone = isinstance(measure, Constant | NamedMeasure | Window)
    plain = isinstance(measure, AggregateFunction) and measure.condition is None
    return text if alone or plain else f"({text})"
