"""Reading names, paths and values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from callsheet.errors import QueryError
from callsheet.model.language.hints import OPERATORS, RESERVED, TokenReader
from callsheet.model.language.literal import read_quoted, read_word
from callsheet.model.language.tokens import STRING, WORD
from callsheet.model.query import Literal, Path, Step

if TYPE_CHECKING:
    from callsheet.model.relative_time import RelativeTime

__all__ = ["PathReader"]

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_NOT_A_VALUE = RESERVED | OPERATORS.keys()


class PathReader(TokenReader):
    """The rules of paths, entity types and values."""

    __slots__ = ()

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

    def _type(self, what: str) -> str:
        kind, word = self._kinds[self._index], self._texts[self._index]
        if kind == STRING:
            self._index += 1
            return read_quoted(word)
        if kind != WORD or self._keys[self._index] in RESERVED or not word.isidentifier():
            raise self._error(f"expected {what}, found {self._found()}", "like `Task`")
        self._index += 1
        return word

    def _relative(self) -> RelativeTime:
        """A time relative to now: ``now(-7 days, start of day, in "Europe/Berlin")``."""
        from callsheet.model.relative_time import RelativeTime

        start = self._index
        self._index += 2
        given: dict[str, Any] = {}
        if self._keys[self._index] != ")":
            for name, value in self._several(self._relative_term):
                if name in given:
                    raise self._error(f"`{name}` stands twice in one time")
                given[name] = value
        self._close("`,` or `)`")
        try:
            return RelativeTime(**given)
        except QueryError as error:
            self._index = start
            raise self._error(error.message, error.hint) from None

    def _relative_term(self) -> tuple[str, Any]:
        from callsheet.model.relative_time import STARTS, UNITS

        key, following = self._keys[self._index], self._keys[self._index + 1] if not self.ended else ""
        if key == "start" and following == "of":
            self._index += 2
            unit = self._keys[self._index].removesuffix("s")
            if unit not in STARTS:
                raise self._error(f"expected a unit, found {self._found()}", f"one of {', '.join(STARTS)}")
            self._index += 1
            return "start", unit
        if key == "in":
            self._index += 1
            kind, zone = self._kinds[self._index], self._texts[self._index]
            if kind not in (STRING, WORD):
                raise self._error(f"expected a time zone, found {self._found()}", 'like `in "Europe/Berlin"`')
            self._index += 1
            return "zone", read_quoted(zone) if kind == STRING else zone
        if _NUMBER.fullmatch(key) is None:
            hint = "like `now(-7 days)`, `now(start of month)`"
            raise self._error(f"expected a number and a unit, found {self._found()}", hint)
        self._index += 1
        unit = self._keys[self._index]
        unit = unit if unit.endswith("s") else f"{unit}s"
        if unit not in UNITS:
            self._wanted = UNITS
            hint = self._nearest() if self._kinds[self._index] == WORD else ""
            raise self._error(f"expected a unit, found {self._found()}", hint or f"one of {', '.join(UNITS)}")
        self._index += 1
        return unit, int(key)

    def value(self) -> Literal:
        index = self._index
        kind, token = self._kinds[index], self._texts[index]
        if kind == STRING:
            self._index += 1
            return read_quoted(token)
        if kind != WORD or self._keys[index] in _NOT_A_VALUE:
            raise self._no_value()
        if self._keys[index] == "now" and self._keys[index + 1] == "(":
            return self._relative()
        try:
            value = read_word(token)
        except ValueError as error:
            raise self._error(f"`{token:.80}` {error}", f"quote it if it is text: '{token:.40}'") from None
        self._index += 1
        return value
