"""Parameters in SQL: the value of the most specific rule, for each row of a stem (see ``model/parameter.py``).

Rules are entities, so they are those of the state that is read: a scenario's, or earlier ones; and those that the
account may read. For each combination of keys that some rule has, the rules are joined by equality. Rules of a
combination have different texts, so at most one row is joined; the value is that of the most specific join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, Integer, Text, and_, case, cast, func, null, select, true, type_coerce

from callsheet.errors import QueryError, TooLarge
from callsheet.model.facts import facts_of
from callsheet.model.language.key_levels import check_key_level
from callsheet.model.language.measures import level_text, parse_level
from callsheet.model.measure import Aggregate, Level, functions_of, measures_of
from callsheet.model.parameter import ANY, MOST_KEYS, Parameter, specificity
from callsheet.model.query import Comparison, Path, Step
from callsheet.model.schema import Schema, did_you_mean
from callsheet.server.access.access import Access
from callsheet.server.reading.bands import banded
from callsheet.server.reading.sql import Scope
from callsheet.server.store.columns import NUMBER, TEXT
from callsheet.server.store.comparison import Value
from callsheet.server.store.store import Store

__all__ = ["RULE", "TABLE", "RuleSet", "RuleSets", "check_levels", "joined_value", "rule_sets"]

TABLE, RULE = "ParameterTable", "ParameterRule"
KEYS = tuple(f"key_{number}" for number in range(1, MOST_KEYS + 1))
PATTERNS = 32
"""The most combinations of keys of one table's rules: each is a join."""


@frozen
class RuleSet:
    """What is joined: the levels of a table's keys, and the combinations of keys that rules have.

    ``collections`` are, for each level, the places of its steps that are collections. The most specific combination
    comes first; a key of it is true where rules have a text.
    """

    levels: tuple[Level, ...]
    collections: tuple[tuple[int, ...], ...]
    patterns: tuple[tuple[bool, ...], ...]


RuleSets: TypeAlias = Mapping[tuple[str, Parameter], RuleSet]
"""By the entity type whose values are multiplied, and the parameter."""


def rule_sets(store: Store, connection: Connection, access: Access | None, aggregate: Aggregate) -> RuleSets:
    """The rules that a checked aggregate needs; `QueryError` for a table that the account cannot read."""
    found: dict[tuple[str, Parameter], RuleSet] = {}
    for measure in measures_of(aggregate):
        for function in functions_of(measure):
            for weight in function.weights:
                kind = facts_of(aggregate)[function.table].select.entity_type
                if (kind, weight.parameter) not in found:
                    found[kind, weight.parameter] = _read(store, connection, access, kind, weight.parameter)
    return found


def _read(store: Store, connection: Connection, access: Access | None, kind: str, parameter: Parameter) -> RuleSet:
    if TABLE not in store.schema.types or RULE not in store.schema.types:
        raise QueryError(
            f"there is no parameter table `{parameter.name:.80}` here: what is asked keeps no type {TABLE}",
            hint="the presets `production` and `lab` have it; tables of external databases cannot",
        )
    scope = Scope(store, TABLE, access)
    names = scope.value(Path.of("name")).expression
    keys, places = (scope.value(Path.of(name)).expression for name in ("keys", "places"))
    rows = connection.execute(select(names, keys, places).select_from(scope.source).where(*scope.of_type())).all()
    found = {row[0]: row for row in rows}
    if parameter.name not in found:
        near = did_you_mean(parameter.name, found)
        raise QueryError(f"there is no parameter table `{parameter.name:.80}`{near}", hint=", ".join(found))
    _, labels, declared = found[parameter.name]
    levels = parameter.levels or _declared(store.schema, parameter.name, kind, declared or {})
    if len(levels) != len(labels):
        raise QueryError(
            f"the parameter table `{parameter.name:.80}` has {len(labels)} keys, and {len(levels)} levels are given",
            hint=f"in this order: {', '.join(labels)}",
        )
    place = store.schema.types[kind]
    checked = [check_key_level(level, place, store.schema, parameter.name) for level in levels]
    patterns = _patterns(store, connection, access, parameter.name, len(levels))
    return RuleSet(tuple(level for level, _ in checked), tuple(each for _, each in checked), patterns)


def _declared(schema: Schema, name: str, kind: str, places: Mapping[str, Sequence[str]]) -> tuple[Level, ...]:
    """Where the entities of a type have the keys, as the table says it for the type or one that it is derived from."""
    for declared, texts in places.items():
        if declared in schema.types and schema.is_a(kind, declared):
            return tuple(parse_level(text) for text in texts)
    raise QueryError(
        f"the parameter table `{name:.80}` does not say where {kind} has its keys: it is about {', '.join(places)}",
        hint=f"name the levels, like `parameter({name}, parent.name)`",
    )


def _patterns(
    store: Store, connection: Connection, access: Access | None, name: str, keys: int
) -> tuple[tuple[bool, ...], ...]:
    scope = Scope(store, RULE, access)
    conditions = [*scope.of_type(), scope.condition(_of_table(name))]
    bound = [case((scope.value(Path.of(key)).expression == ANY, 0), else_=1) for key in KEYS[:keys]]
    statement = select(*bound).select_from(scope.source).where(*conditions).distinct()
    found = [tuple(bool(each) for each in row) for row in connection.execute(statement)]
    if len(found) > PATTERNS:
        raise TooLarge(
            f"the rules of `{name:.80}` combine its keys in {len(found)} ways; the limit is {PATTERNS}: make two tables"
        )
    return tuple(sorted(found, key=lambda pattern: specificity(["" if each else ANY for each in pattern])))


def _of_table(name: str) -> Comparison:
    return Comparison(Path.of("table.name"), "=", name)


def joined_value(scope: Scope, parameter: Parameter, rules: RuleSet, cut: int = 0) -> ColumnElement[Any]:
    """The parameter's value for each row of a scope; NULL where no rule holds.

    The scope's entities are ``cut`` relations away from where the levels begin.
    """
    values = [_text(_level_value(scope, level, cut), level) for level in rules.levels]
    found = [_joined(scope, parameter.name, pattern, values) for pattern in rules.patterns]
    if not found:
        return type_coerce(cast(null(), NUMBER), NUMBER)
    return found[0] if len(found) == 1 else func.coalesce(*found, type_=NUMBER)


def _level_value(scope: Scope, level: Level, cut: int) -> Value:
    return banded(scope.row_value(Path(level.path.steps[cut:])), level)


def _text(value: Value, level: Level) -> ColumnElement[Any]:
    """The text by which rules name a value."""
    kind = "date" if level.band is not None else value.attribute.data_type
    if kind == "string":
        return value.expression
    if kind == "boolean":
        number = cast(value.expression, Integer())
        return case((number == 1, "true"), (number == 0, "false"))
    return type_coerce(cast(value.expression, Text()), TEXT)


def _joined(
    scope: Scope, name: str, pattern: Sequence[bool], values: Sequence[ColumnElement[Any]]
) -> ColumnElement[Any]:
    """The value of the rules of one combination of keys, joined to the scope's rows."""
    inner = Scope(scope.store, RULE, scope.access)
    conditions = [*inner.of_type(), inner.condition(_of_table(name))]
    keys = [inner.value(Path.of(key)).expression for key in KEYS[: len(pattern)]]
    conditions += [key != ANY if bound else key == ANY for key, bound in zip(keys, pattern)]
    texts = [key.label(f"key_{place}") for place, (key, bound) in enumerate(zip(keys, pattern)) if bound]
    value = func.max(inner.value(Path.of("value")).expression, type_=NUMBER).label("value")
    rules = select(*texts, value).select_from(inner.source).where(*conditions)
    rules = rules.group_by(*(keys[place] for place, bound in enumerate(pattern) if bound))
    joined = rules.subquery()
    same = [joined.c[f"key_{place}"] == values[place] for place, bound in enumerate(pattern) if bound]
    scope.join_rows(joined, and_(true(), *same))
    return joined.c.value


def check_levels(name: str, rules: RuleSet, owner: Sequence[Step], once: bool) -> None:
    """Raise `QueryError` unless each value that a function takes has one value at each level of a parameter.

    The values are those of an ``owner``, which is ``once`` in a group, or there for each entity.
    """
    way = tuple(owner)
    of = ".".join(step.name for step in way)
    for level, collections in zip(rules.levels, rules.collections):
        inside = level.path.steps[: len(way)] == way
        if once and not inside:
            raise QueryError(
                f"`{name}` takes each `{of}` once, which does not tell `{level_text(level)}` apart",
                hint=f"name a level that begins with `{of}`, or take the value `repeated` for each entity",
            )
        if any(place >= (len(way) if inside else 0) for place in collections):
            raise QueryError(
                f"`{level_text(level)}` leads through a collection, so there is no single value that a rule names"
            )
