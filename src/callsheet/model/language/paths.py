"""Reading names, paths and values."""

from __future__ import annotations

from callsheet.errors import QueryError
from callsheet.model.language.hints import OPERATORS, RESERVED, TokenReader
from callsheet.model.language.literal import read_quoted, read_word
from callsheet.model.language.tokens import STRING, WORD
from callsheet.model.query import Literal, Path, Step

__all__ = ["PathReader"]

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
