"""A place in a list of tokens, and the errors that say where reading stopped and how to repair the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TypeAlias, TypeVar

from callsheet.errors import QueryError
from callsheet.model.language.tokens import END, WORD, cut
from callsheet.model.query import Condition, Literal, Path

__all__ = ["AddedOperator", "NESTING", "OPERATORS", "RESERVED", "TokenReader"]

NESTING = 32
RESERVED = frozenset({"select", "from", "where", "and", "or", "not"})
OPERATORS = {sign: sign for sign in ("=", "!=", "<", "<=", ">", ">=", "like", "not_like", "in", "not_in")} | {
    "is": "=",
    "is_not": "!=",
    "before": "<",
    "after": ">",
    "less_than": "<",
    "greater_than": ">",
    "any": "any",
    "has": "has",
}
#: Words and signs of other languages, and what they are called in this one.
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
_CHANGES = "queries only read; change entities in a session, and `session.commit()`"
_STATEMENTS = dict.fromkeys(("update", "insert", "delete", "drop", "alter", "create", "with"), _CHANGES)
_AGGREGATE = 'numbers come from `session.query("Task").count()` or `.aggregate("sum(bid)", group_by=["status.name"])`'
_SQL = {
    "*": "this is not SQL: `Task` alone reads all attributes; `select name, bid from Task` reads these",
    "count": _AGGREGATE,
    "group": _AGGREGATE,
    "having": _AGGREGATE,
    "distinct": "entities come once each, so there is no `distinct`; " + _AGGREGATE,
    "top": "this is not SQL: `limit 5` at the end",
    "as": "there are no aliases: attributes have their own names",
    "join": "there are no joins: write a path, as in `parent.name` or `assignments any (resource.username is anna)`",
    ";": "a query ends without `;`",
}
_SQL |= dict.fromkeys(("inner", "left", "right", "outer", "cross"), _SQL["join"])
_SQL_ANYWHERE = frozenset({"group", "having", "join", "inner", "left", "right", "outer", ";"})
"""Words of SQL at places where nothing of this language is called so."""
T = TypeVar("T")

AddedOperator: TypeAlias = Callable[[Path, Literal | tuple[Literal, ...]], Condition]
"""An operator of a plugin: it expands to a condition of the language, so every reader understands it."""


class TokenReader:
    """Reads on from a place in a list of tokens; every error names the place and a repair."""

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
            self._wanted = ("and", "or", "order by", "limit", "offset", "sample")
        elif self.ended:
            raise self._error(f"expected {wanted}, found the end", "close the parenthesis")
        else:
            raise self.unexpected(f"expected {wanted}, found {self._found()}")

    def _expect(self, key: str, hint: str, advance: bool = True) -> None:
        if self._keys[self._index] != key:
            near = self._nearest()
            raise self._error(f"expected `{key}`, found {self._found()}", near or hint)
        self._index += advance

    def _error(self, message: str, hint: str = "") -> QueryError:
        return QueryError(message, self._starts[self._index], self._of_sql() or hint, self._text)

    def _of_sql(self) -> str:
        """The cure for what is SQL and not this language, at the place reached."""
        if self._keys[0] in _STATEMENTS:
            return _STATEMENTS[self._keys[0]]
        key = "" if self.ended else self._keys[self._index]
        if self._keys[0] != "select" and key not in _SQL_ANYWHERE and not key.endswith(";"):
            return ""
        if key.endswith(";"):
            return _SQL[";"]
        before = self._keys[self._index - 1] if self._index else ""
        if key == "(" and before == "count":
            return _SQL["count"]
        return _SQL.get(key) or _SQL.get(before, "") if before in ("distinct", "top") else _SQL.get(key, "")

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
        hint = self._nearest((*OPERATORS, *self._operators)) if self._kinds[self._index] == WORD else ""
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
