"""Which events a subscription is about: the query language's conditions, matched with an event (`described`).

An expression is a condition of the query language with five liberties. All but the first become conditions the
language already has, so that a reader of conditions reads expressions too:

- A path alone says that there is a value: ``changes.status`` is ``changes.status != None``.
- ``*`` in a value of ``=`` and ``!=`` is a run of characters: ``topic = studio.*`` is ``topic like "studio.%"``
  (and so ASCII letters match in either case). Write ``like`` for a star that is a star.
- A number, a truth value or a date equals the same as text: ``data.take = 3`` is ``data.take in (3, "3")``,
  for not everybody who publishes numbers publishes numbers.
- ``entity.type = Task`` holds for subtypes of Task too; it asks for one of ``entity.types``.
- Names may have dashes, and unquoted values commas: ``data.render-farm = a,b``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from attrs import evolve

from callsheet.errors import QueryError, UsageError
from callsheet.model.event import Event, described
from callsheet.model.language.literal import literal_text, read_word
from callsheet.model.language.matching import matches
from callsheet.model.language.parser import Parser, check_length
from callsheet.model.language.text import condition_text
from callsheet.model.language.tokens import STRING, WORD
from callsheet.model.query import And, Any_, Comparison, Condition, Literal, Not, Or, Path, Select, Step

__all__ = ["event_matches", "expression_text", "parse_expression", "record_of", "topics_of"]

_EXAMPLE = "topic=callsheet.update and entity.type=Task"
_TYPE = ("entity", "type")
_TYPES = Path((Step("entity"), Step("types"), Step("name")))
_ENDS = frozenset({"", "and", "or", ")"})
_REFUSED = frozenset({"and", "or", "not"})


def parse_expression(expression: str | Condition) -> Condition:
    """The condition that an expression stands for. Raises `QueryError` for a text that cannot be read.

    What it gives can be given to it again, and written by `expression_text`.

    >>> condition = parse_expression("topic=callsheet.update and data.take=3 and changes.status")
    >>> expression_text(condition)
    'topic = "callsheet.update" and data.take in (3, "3") and changes.status != None'
    """
    if isinstance(expression, str):
        return _parsed(expression)
    if not isinstance(expression, Comparison | Any_ | And | Or | Not):
        raise UsageError(f"an expression is a text or a condition, not {type(expression).__name__}")
    return _expanded(expression)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Condition:
    check_length(text)
    return _expanded(_ExpressionParser(text).whole(_ExpressionParser.condition, _EXAMPLE))


def expression_text(expression: str | Condition) -> str:
    """The expression as text: as it was written, or that of a condition."""
    return expression if isinstance(expression, str) else condition_text(parse_expression(expression))


def event_matches(condition: Condition, event: Event) -> bool:
    """Whether an event fulfils a condition that `parse_expression` gave.

    >>> task = Event("callsheet.update", {"entity": {"type": "Task", "types": ["Task", "Context"]}})
    >>> event_matches(parse_expression("entity.type=Context and topic=callsheet.*"), task)
    True
    """
    return matches(condition, record_of(event))


def record_of(event: Event) -> Mapping[str, Any]:
    """What conditions are matched with: the event, with the types of its entity as entities that have a name."""
    record = described(event)
    entity = record.get("entity")
    if isinstance(entity, Mapping):
        names = entity.get("types") or [entity.get("type")]
        types = [{"name": name} for name in names if isinstance(name, str)]
        record["entity"] = {**entity, "types": types}
    return record


def topics_of(condition: Condition) -> frozenset[str] | None:
    """The topics of which an event must have one to fulfil the condition; None where it may have any.

    >>> sorted(topics_of(parse_expression("(topic=a or topic=b) and data.x > 1")))
    ['a', 'b']
    >>> topics_of(parse_expression("topic=studio.*")) is None
    True
    """
    if isinstance(condition, Comparison):
        return _topics_compared(condition)
    if isinstance(condition, And):
        found = [topics for part in condition.conditions if (topics := topics_of(part)) is not None]
        return min(found, key=len) if found else None
    if isinstance(condition, Or):
        parts = [topics_of(part) for part in condition.conditions]
        return None if None in parts else frozenset().union(*(part for part in parts if part is not None))
    return None


def _topics_compared(comparison: Comparison) -> frozenset[str] | None:
    if comparison.path.names != ("topic",) or comparison.path.steps[0].cast is not None:
        return None
    value = comparison.value
    if comparison.operator == "=":
        return frozenset({value} if isinstance(value, str) else ())
    if comparison.operator == "in" and isinstance(value, tuple):
        return frozenset(item for item in value if isinstance(item, str))
    return None


# -- liberties become conditions -------------------------------------------------------------------------------


def _expanded(condition: Condition) -> Condition:
    if isinstance(condition, And | Or):
        return evolve(condition, conditions=tuple(map(_expanded, condition.conditions)))
    if isinstance(condition, Not):
        return Not(_expanded(condition.condition))
    if isinstance(condition, Any_):
        return condition if condition.condition is None else evolve(condition, condition=_expanded(condition.condition))
    return _of_types(_or_text(_wild(condition)))


def _or_text(comparison: Comparison) -> Comparison:
    """What equals a number, a truth value or a date equals the text of it, too."""
    value = comparison.value
    if comparison.operator not in ("=", "!=") or value is None or isinstance(value, str | tuple | Select):
        return comparison
    return evolve(comparison, operator=_AMONG[comparison.operator], value=(value, literal_text(value)))


_AMONG = {"=": "in", "!=": "not_in"}


def _wild(comparison: Comparison) -> Comparison:
    """A star in a value of ``=`` and ``!=`` is a run of characters."""
    value = comparison.value
    if comparison.operator not in ("=", "!=") or not isinstance(value, str) or "*" not in value:
        return comparison
    pattern = value.replace("\\", "\\\\").replace("%", "\\%").replace("*", "%")
    return evolve(comparison, operator="like" if comparison.operator == "=" else "not_like", value=pattern)


_COMPLEMENTS = {"!=": "=", "not_like": "like", "not_in": "in"}


def _of_types(comparison: Comparison) -> Condition:
    """A condition on the type of the entity is matched with all the types it is of."""
    names = comparison.path.names
    if (names[1:] if names[0] == "data" else names) != _TYPE:
        return comparison
    complement = _COMPLEMENTS.get(comparison.operator)
    if complement is not None:
        return Not(evolve(comparison, path=_TYPES, operator=complement))
    return evolve(comparison, path=_TYPES)


# -- liberties of writing --------------------------------------------------------------------------------------


class _ExpressionParser(Parser):
    """The query language's parser, with the liberties that are about writing."""

    __slots__ = ()

    def comparison(self) -> Condition:
        start = self._index
        path = self.path()
        if self._keys[self._index] in _ENDS:
            return Comparison(path, "!=", None)
        sign = self._keys[self._index]
        if sign in ("=", "!=", "is", "is_not") and self._is_word(self._index + 1):
            self._index += 1
            self._wanted = ("and", "or")
            return self._equals(path, "=" if sign in ("=", "is") else "!=")
        if sign in ("<", "<=", ">", ">="):
            self._index += 1
            return Comparison(path, sign, self.value())
        self._index = start
        return super().comparison()

    def path(self) -> Path:
        """A path whose plain names may have dashes."""
        index = self._index
        token = self._texts[index]
        if self._kinds[index] != WORD or "-" not in token or self._keys[index + 1] == "[":
            return super().path()
        names = token.split(".")
        if not all(names):
            raise QueryError(f"`{token:.80}` is no path", self._starts[index], "like `data.shot`", self._text)
        self._index += 1
        return Path(tuple(map(Step, names)), self._starts[index])

    def _is_word(self, index: int) -> bool:
        return self._kinds[index] == WORD and self._keys[index] not in _REFUSED

    def _equals(self, path: Path, operator: str) -> Condition:
        """A comparison with an unquoted value, which may have commas."""
        word = self._texts[self._index]
        self._index += 1
        while self._follows_closely() and self._keys[self._index] == ",":
            word += ","
            self._index += 1
            if self._follows_closely() and self._kinds[self._index] == WORD:
                word += self._texts[self._index]
                self._index += 1
        value = _literal(word)
        if value is None or isinstance(value, str):
            return Comparison(path, operator, value)
        return Comparison(path, _AMONG[operator], (value, word))

    def _follows_closely(self) -> bool:
        """Whether nothing stands between this token and the one before it."""
        before = self._index - 1
        return self._starts[self._index] == self._starts[before] + len(self._texts[before])

    def value(self) -> Literal:
        """A value; what looks like a number and is none is text."""
        if self._kinds[self._index] != STRING and self._is_word(self._index):
            self._index += 1
            return _literal(self._texts[self._index - 1])
        return super().value()


def _literal(word: str) -> Literal:
    try:
        return read_word(word)
    except ValueError:
        return word
