"""Comparisons of a variable with values, as conditions of the model, each checked by the schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from callsheet.errors import QueryError, UsageError
from callsheet.model.language.checking import check_condition
from callsheet.model.query import Any_, Comparison, Condition, Not, Or, Path, Step
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType

__all__ = ["between", "compared", "listed", "matching", "null", "patterned"]


def compared(variable: Any, operator: str, value: Any) -> Condition:
    """A comparison with one value; ``=`` and ``!=`` also take a list."""
    if operator in ("=", "!=") and _is_list(value):
        return listed(variable, value, negated=operator == "!=")
    if value is None and operator in ("=", "!="):
        return null(variable, negated=operator == "!=")
    return _checked(variable, lambda: _comparison(variable, operator, value))


def listed(variable: Any, values: Any, negated: bool = False) -> Condition:
    """Whether the variable has one of the values."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise UsageError(f"{variable._shown}: a list of values is needed, not {values!r:.80}; for one value use `==`")
    given = list(values)
    present = [value for value in given if value is not None]
    found = _checked(variable, lambda: _list(variable, present))
    if len(present) < len(given):
        found = Or((found, null(variable)))
    return Not(found) if negated else found


def between(variable: Any, low: Any, high: Any) -> Condition:
    """Whether the value is from ``low`` to ``high``."""
    if low is None or high is None:
        raise UsageError(f"{variable._shown}: `between` needs two values; for one bound use `>=` or `<=`")
    try:
        turned = bool(low > high)
    except TypeError:
        both = f"{low!r:.60} and {high!r:.60}"
        raise UsageError(f"{variable._shown}: {both} cannot be compared with each other") from None
    if turned:
        raise UsageError(f"{variable._shown}: `between` takes the lower value first, not {low!r:.60} and {high!r:.60}")
    return compared(variable, ">=", low) & compared(variable, "<=", high)


def null(variable: Any, negated: bool = False) -> Condition:
    """Whether the variable has no value."""
    if variable._attribute.kind == "collection":
        there = Any_(variable._path, None, "any")
        return there if negated else Not(there)
    return _checked(variable, lambda: Comparison(variable._path, "!=" if negated else "=", None))


def matching(variable: Any, texts: Sequence[Any], form: str) -> Condition:
    """Whether the text fits one of the patterns that ``form`` makes of these."""
    return _any_pattern(variable, [form.format(_literal(variable, text)) for text in texts])


def patterned(variable: Any, patterns: Sequence[Any]) -> Condition:
    """Whether the text fits one of the patterns with asterisks."""
    return _any_pattern(variable, [_pattern(variable, pattern) for pattern in patterns])


def _any_pattern(variable: Any, patterns: Sequence[str]) -> Condition:
    if not patterns:
        raise UsageError(f"{variable._shown}: at least one text is needed")
    found = [_checked(variable, lambda each=each: _comparison(variable, "like", each)) for each in patterns]
    return found[0] if len(found) == 1 else Or(tuple(found))


def _literal(variable: Any, text: Any) -> str:
    if not isinstance(text, str):
        raise UsageError(f"{variable._shown}: a text is needed, not {text!r:.80}")
    return text.replace("\\", "\\\\").replace("%", "\\%")


def _pattern(variable: Any, pattern: Any) -> str:
    if not isinstance(pattern, str):
        raise UsageError(f"{variable._shown}: a pattern is a text, not {pattern!r:.80}")
    parts, text, rest = [], "", pattern
    while rest:
        sign, rest = rest[0], rest[1:]
        if sign == "\\" and rest[:1] in ("*", "?", "\\") and rest:
            sign, rest = rest[0], rest[1:]
            text += sign
        elif sign == "*":
            parts.append(_literal(variable, text))
            text = ""
        elif sign == "?":
            raise UsageError(
                f"{variable._shown}: `?` in {pattern!r:.60} cannot stand for one character; `*` stands for any run, "
                "and `\\?` for a question mark"
            )
        else:
            text += sign
    return "%".join((*parts, _literal(variable, text)))


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and not isinstance(value, Identity)


def _list(variable: Any, values: list[Any]) -> Condition:
    if not values:
        return Comparison(_value_path(variable, None), "in", ())
    if any(_is_entity(value) for value in values):
        keys = tuple(_comparison(variable, "=", value) for value in values)
        return keys[0] if len(keys) == 1 else Or(keys)
    return Comparison(_value_path(variable, values[0]), "in", tuple(values))


def _comparison(variable: Any, operator: str, value: Any) -> Condition:
    if _is_entity(value):
        entity_type: EntityType = variable.table._type
        if variable.type not in ("Reference", "Array") or variable.name in entity_type.key:
            raise QueryError(f"an entity is no value of type {variable.type}")
        target = variable._dictionary.schema.types[str(variable._attribute.target)]
        path = Path((*variable._path.steps, Step(target.key[0])))
        return Comparison(path, operator, value.identity.key)
    return Comparison(_value_path(variable, value), operator, value)


def _value_path(variable: Any, value: Any) -> Path:
    """The path of the variable's values; members of an array are compared by their label."""
    if variable._attribute.kind != "collection":
        path: Path = variable._path
        return path
    target = variable._dictionary.schema.types[str(variable._attribute.target)]
    label = target.label if target.label in target.attributes else target.key[0]
    return Path((*variable._path.steps, Step(label)))


def _is_entity(value: Any) -> bool:
    return isinstance(getattr(value, "identity", None), Identity)


def _checked(variable: Any, make: Any) -> Condition:
    """The condition, if the schema allows it; else an error that names the variable."""
    try:
        made: Condition = make()
        return check_condition(made, variable.table._type, variable._dictionary.schema)
    except QueryError as error:
        raise QueryError(f"{variable._shown}: {error.message}", hint=error.hint) from None
