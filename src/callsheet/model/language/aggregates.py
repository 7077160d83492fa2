"""An aggregate is brought to what a schema knows, as ``checking.py`` does with queries.

What comes back holds only this: references under functions and at levels have become their keys; functions have names
of `FUNCTIONS`; values of conditions on measures have the type of the measure; totals are sorted places of levels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from callsheet.errors import QueryError
from callsheet.model.choice import Choice, Scoped
from callsheet.model.facts import facts_of, translation
from callsheet.model.language.checking import QueryChecker, check_natural
from callsheet.model.language.coercion import FAMILIES, ORDERED, coerce
from callsheet.model.language.measures import level_text, measure_text
from callsheet.model.language.resolution import ResolvedPath
from callsheet.model.language.text import path_text
from callsheet.model.measure import (
    ARITHMETIC,
    BANDS,
    COMPARISONS,
    FUNCTIONS,
    IN_TIME,
    Aggregate,
    AggregateFunction,
    AggregateOrder,
    Arithmetic,
    Constant,
    Having,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
    Shared,
    functions_of,
    measures_of,
)
from callsheet.model.parameter import MOST_KEYS, Parameter, Weight
from callsheet.model.query import Path, Select
from callsheet.model.scalar import shown
from callsheet.model.schema import Attribute, EntityType, Schema, did_you_mean
from callsheet.model.weighing import WEIGHED, weighed
from callsheet.model.window import ALONG, WINDOWS, Window

__all__ = ["check_aggregate", "check_level", "kind_of"]

_NUMERIC: Final = frozenset(FUNCTIONS) - {"count", "distinct", "mode", "minimum", "maximum", *IN_TIME}
_COUNT: Final = Attribute("count", data_type="integer")
_NUMBER: Final = Attribute("number", data_type="number")
MOST_WEIGHTS: Final = 4
"""The most parameters of one function."""
MOST_PLACES: Final = 100_000
"""The most places that a measure goes along a level."""


def check_aggregate(aggregate: Aggregate, schema: Schema, text: str = "") -> Aggregate:
    """The aggregate with all names resolved; `QueryError` for what the schema lacks.

    References at levels or under ``count`` become their keys (``status`` → ``status.id``). Of the select's order is
    kept what decides which entities there are.
    """
    if not aggregate.functions and not aggregate.group:
        raise QueryError("this aggregate asks for nothing", hint="add a function such as count, or a group", text=text)
    select = aggregate.select
    ordered = select.limit is not None or select.offset or (select.sample and select.sample.method == "first")
    checker = _AggregateChecker(schema, text)
    checked = checker.select(evolve(select, projections=(), order=select.order if ordered else ()))
    return checker.aggregate(aggregate, checked)


def kind_of(measure: Measure, entity_type: EntityType, schema: Schema) -> str:
    """The data type of a checked measure's values."""
    return _AggregateChecker(schema, "").type_of(measure, entity_type).data_type


def check_level(level: Level, entity_type: EntityType, schema: Schema) -> tuple[Level, ResolvedPath]:
    """A level with its names resolved, and the way to its value; `QueryError` for what the schema lacks."""
    checker = _AggregateChecker(schema, "")
    found = checker.level(level, entity_type)
    return found, checker.valued(found.path, entity_type)


class _AggregateChecker(QueryChecker):
    """One check: the conditions of all measures count as parts of the query."""

    _group: tuple[Level, ...] = ()
    _shared: Shared = ()

    def aggregate(self, aggregate: Aggregate, select: Select) -> Aggregate:
        entity_type = self._schema.types[select.entity_type]
        group = self._group = tuple(self.level(level, entity_type) for level in aggregate.group)
        self._shared = self.shared(aggregate, entity_type)
        functions = tuple(self.measure(each, entity_type) for each in aggregate.functions)
        check_natural("limit", aggregate.limit)
        check_natural("offset", aggregate.offset)
        found = Aggregate(
            select,
            functions,
            group,
            None if aggregate.having is None else self.having(aggregate.having, entity_type),
            tuple(self.order_of(each, entity_type) for each in aggregate.order),
            aggregate.limit,
            aggregate.offset,
            _totals(aggregate, len(group)),
            self._shared,
            aggregate.empty,
        )
        self.check_facts(found)
        return found

    def shared(self, aggregate: Aggregate, entity_type: EntityType) -> Shared:
        """Where second tables have what the levels are about; by default through the one reference to them."""
        named = dict(aggregate.shared)
        for measure in measures_of(aggregate):
            for function in functions_of(measure):
                if function.table and function.table not in named:
                    named[function.table] = self.referring(entity_type, self.table(function.table))
        found = {}
        for name, pairs in named.items():
            table = self.table(name)
            found[name] = tuple(self.pair(one, entity_type, other, table) for one, other in pairs)
        return tuple(found.items())

    def pair(self, one: Path, entity_type: EntityType, other: Path, table: EntityType) -> tuple[Path, Path]:
        """A path, and that of a second table which stands for it, of the same type."""
        here, there = self.valued(one, entity_type), self.valued(other, table)
        if (here.attribute.data_type, here.item) != (there.attribute.data_type, there.item):
            name = f"`{path_text(other)}` of {table.name}, a {there.attribute.data_type}"
            raise QueryError(f"{name}, cannot stand for `{path_text(one)}`, a {here.attribute.data_type}")
        return Path(here.steps, one.position), Path(there.steps, other.position)

    def table(self, name: str) -> EntityType:
        """The entity type of a second table."""
        found = self._schema.types.get(name)
        if found is None:
            raise QueryError(f"there is no entity type `{name:.80}`{did_you_mean(name, self._schema.types)}")
        return found

    def referring(self, entity_type: EntityType, table: EntityType) -> tuple[tuple[Path, Path], ...]:
        """The pair of keys of the one reference that leads to a table; none if there are several, or none."""
        found = [
            attribute.name
            for attribute in entity_type.attributes.values()
            if attribute.kind == "reference" and attribute.target == table.name
        ]
        return ((Path.of(found[0]), Path.of("id")),) if len(found) == 1 and "id" in table.attributes else ()

    def check_facts(self, aggregate: Aggregate) -> None:
        """Raise `QueryError` unless each level is known to a measure, and the tables' levels are of one type."""
        facts = facts_of(aggregate)
        select, entity_type = aggregate.select, self._schema.types[aggregate.select.entity_type]
        if any(facts) and (select.limit is not None or select.offset or select.top or select.sample):
            tables = ", ".join(table for table in facts if table)
            raise QueryError(f"a limit, top or sample of {select.entity_type} cannot narrow {tables}; use a condition")
        for place, level in enumerate(aggregate.group):
            known = [(fact, there) for fact in facts.values() if (there := fact.levels[place]) is not None]
            if not known:
                raise QueryError(
                    f"no measure knows the level `{level_text(level)}`",
                    hint=f"say where {' and '.join(facts)} has it, in `shared`",
                )
            for fact, there in known:
                if fact.table:
                    self.pair(level.path, entity_type, there.path, self.table(fact.table))
        for fact in facts.values():
            if fact.table and fact.select.where is not None:
                self.condition(fact.select.where, self.table(fact.table))

    def place_of(self, function: AggregateFunction, entity_type: EntityType) -> EntityType:
        """The type of the entities that a function is about."""
        return self.table(function.table) if function.table else entity_type

    def measure(self, measure: Measure, entity_type: EntityType) -> Measure:
        measure = weighed(measure)
        if isinstance(measure, AggregateFunction):
            return self.function(measure, entity_type)
        if isinstance(measure, Constant):
            value = measure.value
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise QueryError(f"a measure is joined with numbers, not with {shown(value)}")
            return measure
        if isinstance(measure, Window):
            return self.window(measure, entity_type)
        if isinstance(measure, Choice):
            return self.choice(measure, entity_type)
        if isinstance(measure, Scoped):
            return self.scoped(measure, entity_type)
        if not isinstance(measure, Arithmetic):
            raise QueryError(f"{shown(measure)} is no measure", hint="like `total('bid')` of `callsheet.measures`")
        if measure.operator not in ARITHMETIC:
            raise QueryError(f"there is no operator `{measure.operator:.80}` of measures", hint="one of + - * /")
        self._enter()
        sides = self.measure(measure.left, entity_type), self.measure(measure.right, entity_type)
        self._depth -= 1
        for side in sides:
            if FAMILIES[self.type_of(side, entity_type).data_type] != "number":
                raise QueryError(f"cannot reckon with `{measure_text(side)}`, which is no number")
        return Arithmetic(measure.operator, *sides)

    def choice(self, choice: Choice, entity_type: EntityType) -> Choice:
        """One of two measures, by a condition on measures."""
        self._enter()
        condition = self.having(choice.condition, entity_type)
        then = self.measure(choice.then, entity_type)
        otherwise = None if choice.otherwise is None else self.measure(choice.otherwise, entity_type)
        self._depth -= 1
        if otherwise is not None:
            self.alike(then, otherwise, entity_type)
        return Choice(condition, then, otherwise)

    def scoped(self, scoped: Scoped, entity_type: EntityType) -> Scoped:
        """One of two measures, by levels, which the answer need not have."""
        if not scoped.levels:
            raise QueryError("`scoped` needs a level", hint="like `scoped(average(bid), sum(bid), status.name)`")
        self._enter()
        then, otherwise = self.measure(scoped.then, entity_type), self.measure(scoped.otherwise, entity_type)
        self._depth -= 1
        self.alike(then, otherwise, entity_type)
        return Scoped(then, otherwise, tuple(self.level(level, entity_type) for level in scoped.levels))

    def alike(self, left: Measure, right: Measure, entity_type: EntityType) -> None:
        """Raise `QueryError` unless both measures are numbers, or of one type."""
        kinds = [self.type_of(each, entity_type).data_type for each in (left, right)]
        if kinds[0] != kinds[1] and any(FAMILIES[kind] != "number" for kind in kinds):
            texts = " and ".join(f"`{measure_text(each)}`, a {kind}" for each, kind in zip((left, right), kinds))
            raise QueryError(f"cannot choose between {texts}", hint="both must be numbers, or of one type")

    def window(self, window: Window, entity_type: EntityType) -> Window:
        """A measure beside other groups, with its levels among those of the answer."""
        name, number = window.name, window.number
        if name not in WINDOWS:
            raise QueryError(f"there is no function `{name:.80}`{did_you_mean(name, WINDOWS)}", hint=", ".join(WINDOWS))
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_PLACES:
            raise QueryError(f"`{name}` takes a whole number from 1 to {MOST_PLACES:,}, not {shown(number)}")
        if name in ALONG and len(window.levels) != 1:
            raise QueryError(f"`{name}` goes along one level", hint=f"like `{name}(sum(bid), month(due_date))`")
        self._enter()
        of = self.measure(window.of, entity_type)
        self._depth -= 1
        if not list(functions_of(of)) or any(isinstance(each, Window) for each in _parts(of)):
            raise QueryError(f"`{name}` takes functions of entities, and no measure that sees other groups")
        if FAMILIES[self.type_of(of, entity_type).data_type] != "number":
            raise QueryError(f"`{name}` takes a number, and `{measure_text(of)}` is none")
        levels = tuple(self.grouped(level, entity_type, "take") for level in window.levels)
        if name in ("cumulative", "moving"):
            self.adds_up(of, levels[0], name, entity_type)
        return Window(name, of, levels, number)

    def adds_up(self, measure: Measure, level: Level, name: str, entity_type: EntityType) -> None:
        """Raise `QueryError` unless the sum over groups along the level is the measure of these groups together."""
        if isinstance(measure, Arithmetic) and measure.operator in "+-":
            for part in measure.parts:
                self.adds_up(part, level, name, entity_type)
            return
        own = False
        if isinstance(measure, AggregateFunction):
            place = self.place_of(measure, entity_type)
            own = measure.path is None or measure.repeated or not self.valued(measure.path, place).chain[:-1]
            asked = Aggregate(Select(entity_type.name), group=(level,), shared=self._shared)
            if measure.table and translation(asked, measure.table)(level.path) is None:
                raise QueryError(
                    f"{measure.table} does not know the level `{level_text(level)}`, which `{name}` goes along"
                )
        if not own or measure.name not in ("sum", "count"):  # type: ignore[attr-defined]
            raise QueryError(
                f"`{measure_text(measure)}` does not add up along groups",
                hint=f"`{name}` takes sums and counts of the entities' own values, and `+` and `-` of such",
            )
        if self.valued(level.path, entity_type).collections:
            raise QueryError(f"`{name}` goes along no collection: an entity is in several groups of it")

    def grouped(self, level: Level, entity_type: EntityType, verb: str) -> Level:
        """One of the levels of the groups."""
        found = self.level(level, entity_type)
        if found not in self._group:
            hint = ", ".join(f"`{level_text(each)}`" for each in self._group) or "group by it"
            raise QueryError(f"cannot {verb} `{level_text(level)}`, which is no level of the groups", hint=hint)
        return found

    def function(self, function: AggregateFunction, entity_type: EntityType) -> AggregateFunction:
        """A function with its path and condition checked."""
        name = function.name
        if name not in FUNCTIONS:
            near = did_you_mean(name, FUNCTIONS)
            raise QueryError(f"there is no function `{name:.80}`{near}", hint=", ".join(FUNCTIONS))
        if function.path is None and name != "count":
            raise QueryError(f"`{name}` needs a path", hint="only `count` can do without")
        entity_type = self.place_of(function, entity_type)
        if function.path is None and function.repeated:
            raise QueryError("`count` without a path counts every entity once", hint="name a path to count repeated")
        path = None if function.path is None else self.values(function.path, name, entity_type)
        condition = None if function.condition is None else self.condition(function.condition, entity_type)
        by = self.time_of(function, entity_type)
        weights = tuple(self.weight(each, function, entity_type) for each in function.weights)
        return evolve(function, path=path, condition=condition, argument=_argument(function), by=by, weights=weights)

    def weight(self, weight: Weight, function: AggregateFunction, entity_type: EntityType) -> Weight:
        """A parameter that values are multiplied with; what its table is, is known where it is read."""
        name, levels = weight.parameter.name, weight.parameter.levels
        if function.name not in WEIGHED or len(function.weights) > MOST_WEIGHTS:
            raise QueryError(
                f"`{function.name}` cannot be multiplied with {len(function.weights)} parameters",
                hint=f"{MOST_WEIGHTS} at most; {', '.join(WEIGHED)} can",
            )
        if not isinstance(name, str) or not name or len(levels) > MOST_KEYS:
            raise QueryError(f"a parameter has a name and at most {MOST_KEYS} levels, not {shown(name)}")
        if function.path is not None and function.name != "count":
            way = self.valued(function.path, entity_type)
            if FAMILIES[way.attribute.data_type] != "number":
                raise self.error(way, f"`{path_text(function.path)}` is no number, and cannot be multiplied")
        return Weight(Parameter(name, tuple(self.level(each, entity_type) for each in levels)), weight.divides)

    def time_of(self, function: AggregateFunction, entity_type: EntityType) -> Path | None:
        """The path that ``latest`` and ``first`` are ordered by; no other function has one."""
        name, path, by = function.name, function.path, function.by
        if name not in IN_TIME:
            if by is not None:
                raise QueryError(f"`{name}` is not ordered by `{path_text(by)}`", hint="`latest` and `first` are")
            return None
        if by is None:
            raise QueryError(f"`{name}` needs what it is ordered by", hint=f"like `{name}(status.name, created_at)`")
        for each in (path, by):
            assert each is not None
            way = self.valued(next(iter(self._meant(each, entity_type)), each), entity_type)
            if way.collections:
                raise self.error(way, f"`{name}` leads through no collection, as `{path_text(each)}` does")
        if FAMILIES[way.attribute.data_type] not in ORDERED:
            raise self.error(way, f"`{path_text(by)}` has no order", "a time, a date, a number or a text has")
        return Path(way.steps, by.position)

    def values(self, path: Path, name: str, entity_type: EntityType) -> Path:
        """The path of a function's values."""
        path = next(iter(self._meant(path, entity_type)), path)
        way = self.valued(path, entity_type)
        kind = way.attribute.data_type
        wrong = name in _NUMERIC and FAMILIES[kind] != "number"
        wrong = wrong or (name in ("minimum", "maximum") and FAMILIES[kind] not in ORDERED) or kind == "json"
        if wrong:
            raise self.error(way, f"cannot take the {name} of `{path_text(path)}`, a {kind}")
        return Path(way.steps, path.position)

    def type_of(self, measure: Measure, entity_type: EntityType) -> Attribute:
        """What kind of value a checked measure has."""
        if isinstance(measure, AggregateFunction):
            entity_type = self.place_of(measure, entity_type)
            if measure.weights:
                return _NUMBER
            if measure.name in ("count", "distinct"):
                return _COUNT
            if measure.path is not None and measure.name in ("sum", "minimum", "maximum", "mode", *IN_TIME):
                return self.valued(measure.path, entity_type).attribute
        if isinstance(measure, Window) and measure.name != "share":
            return _COUNT if measure.name == "rank" else self.type_of(measure.of, entity_type)
        if isinstance(measure, Choice | Scoped):
            then = self.type_of(measure.then, entity_type)
            other = then if measure.otherwise is None else self.type_of(measure.otherwise, entity_type)
            return then if then.data_type == other.data_type else _NUMBER
        return _NUMBER

    def level(self, level: Level, entity_type: EntityType) -> Level:
        path = next(iter(self._meant(level.path, entity_type)), level.path)
        way = self.valued(path, entity_type)
        kind = way.attribute.data_type
        if kind == "json":
            raise self.error(way, f"cannot group by `{path_text(path)}`: JSON data can be neither ordered nor compared")
        if level.band is not None:
            self.band(level, way, kind)
        zone = level.zone if level.band is not None and kind == "datetime" else "UTC"
        return Level(Path(way.steps, path.position), level.band, level.name, zone)

    def band(self, level: Level, way: ResolvedPath, kind: str) -> None:
        if level.band not in BANDS:
            near = did_you_mean(str(level.band), BANDS)
            raise self.error(way, f"there is no band `{level.band:.80}`{near}", ", ".join(BANDS))
        if kind not in ("date", "datetime"):
            raise self.error(way, f"`{path_text(level.path)}` is a {kind}: only dates are in a {level.band}")

    def order_of(self, order: AggregateOrder, entity_type: EntityType) -> AggregateOrder:
        if isinstance(order.by, Measure):
            return AggregateOrder(self.measure(order.by, entity_type), order.descending)
        if not isinstance(order.by, Level):
            raise QueryError(f"groups are ordered by levels and measures, not by {shown(order.by)}")
        return AggregateOrder(self.grouped(order.by, entity_type, "order by"), order.descending)

    def having(self, having: Having, entity_type: EntityType) -> Having:
        if isinstance(having, MeasureComparison):
            return self.measured(having, entity_type)
        self._enter()
        try:
            if isinstance(having, HavingNot):
                return HavingNot(self.having(having.condition, entity_type))
            if not having.conditions:
                raise QueryError("a condition on measures needs conditions")
            return type(having)(tuple(self.having(part, entity_type) for part in having.conditions))
        except AttributeError:
            raise QueryError(f"{shown(having)} is no condition on measures", hint="like `total('bid') > 3`") from None
        finally:
            self._depth -= 1

    def measured(self, comparison: MeasureComparison, entity_type: EntityType) -> MeasureComparison:
        """A comparison of a measure with a value, which gets the measure's type."""
        operator, value = comparison.operator, comparison.value
        measure = self.measure(comparison.measure, entity_type)
        name, attribute = measure_text(measure), self.type_of(measure, entity_type)
        if operator not in COMPARISONS:
            raise QueryError(f"there is no operator `{operator:.80}` for `{name}`", hint=" ".join(COMPARISONS))
        if value is None and operator not in ("=", "!="):
            raise QueryError(f"`{operator}` needs a value for `{name}`, not None", hint="`equals(None)`")
        if operator not in ("=", "!=") and FAMILIES[attribute.data_type] not in ORDERED:
            raise QueryError(f"`{name}` has no order: `{operator}`", hint="use `equals` or `differs`")
        try:
            return MeasureComparison(measure, operator, coerce("", attribute, value, operator))
        except QueryError as error:
            message = error.message.replace(f".{attribute.name}", f"`{name}`", 1)
            raise QueryError(message, hint=error.hint) from None


def _parts(measure: Measure) -> Iterator[Measure]:
    """A measure and all that it is made of."""
    yield measure
    for part in measure.parts:
        yield from _parts(part)


def _argument(function: AggregateFunction) -> float | None:
    """The place of a quantile, as a float."""
    place = function.argument
    if function.name != "quantile":
        if place is not None:
            raise QueryError(f"`{function.name}` takes no number, only a quantile does: {shown(place)}")
        return None
    if isinstance(place, bool) or not isinstance(place, int | float) or not 0 <= place <= 1:
        raise QueryError(f"a quantile is at a number from 0 to 1, not {shown(place)}", hint="quantile(bid, 0.9)")
    return float(place)


def _totals(aggregate: Aggregate, levels: int) -> bool | tuple[tuple[int, ...], ...]:
    if isinstance(aggregate.totals, bool):
        return aggregate.totals
    found = []
    for kept in aggregate.totals:
        if any(isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < levels for place in kept):
            raise QueryError(f"totals name levels by their places from 0 to {levels - 1}, not {shown(kept)}")
        found.append(tuple(sorted(set(kept))))
    return tuple(dict.fromkeys(found))
