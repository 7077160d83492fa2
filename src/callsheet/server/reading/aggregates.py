"""Aggregates are read from the store, by one statement that loads no entities.

A function belongs to a *stem*: the rows that its values are taken from. The values of one stem are read together:

- Functions of the selected entities, and those for which repetition plays no part, share one stem, with one row for
  each entity. Conditions of functions are CASE WHEN in it.
- A function of values of another owner (``sum(task.bid)``) has a stem in which each owner is once in a group.

Each kind of groups (all levels, and those of totals) is a SELECT with GROUP BY over its stem, or one of its GROUPING
SETS where the database has these. These SELECTs are stacked by UNION ALL; where there are several stems, the rows of
one group are folded. Around this are the arithmetic, ``having``, and the order, limit and offset. Row rules are
conditions in every stem, as in pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Subquery,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy import Select as Statement

from callsheet.errors import Invalid, TooLarge
from callsheet.model.choice import Choice, Scoped
from callsheet.model.facts import facts_of
from callsheet.model.measure import (
    TOTAL,
    Aggregate,
    AggregateFunction,
    Arithmetic,
    Constant,
    Having,
    HavingAll,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
    functions_of,
    measures_of,
)
from callsheet.model.schema import Attribute
from callsheet.model.window import Window, windows_of
from callsheet.server.access.access import Access
from callsheet.server.reading.choosing import directed
from callsheet.server.reading.functions import SqlFunction, group_reader, sql_function
from callsheet.server.reading.members import LevelMembers
from callsheet.server.reading.parameters import RuleSets, rule_sets
from callsheet.server.reading.stems import Stem, StemKey, missing_of, stem_key
from callsheet.server.reading.windows import WindowStorey, kinds_of
from callsheet.server.store.columns import INTEGER, NUMBER
from callsheet.server.store.comparison import Value, Where, compared
from callsheet.server.store.store import Store

__all__ = ["SELECTS", "read_aggregate"]

Column = ColumnElement[Any]
Row = tuple[Any, ...]

GROUPING_SETS = frozenset({"duckdb", "postgresql"})
"""Databases that make several kinds of groups in one reading of the rows."""
SELECTS = 100
"""The most SELECTs in one statement: stems, times kinds of groups. SQLite stacks at most 500."""


def read_aggregate(
    store: Store,
    connection: Connection,
    aggregate: Aggregate,
    access: Access | None = None,
    most: int | None = None,
    plan: AggregatePlan | None = None,
) -> list[Row]:
    """A tuple for each group: the values of its levels, then the measures.

    The aggregate must have been checked (``model/language/aggregates.py``). Only entities that ``access`` lets the
    account read are counted (None: all). Raises `TooLarge` for more than ``most`` groups. ``plan`` is one that reads
    something else than the entities.
    """
    plan = plan or AggregatePlan(store, access, aggregate, rule_sets(store, connection, access, aggregate))
    plan.check(connection)
    rows = connection.execute(plan.limited(most)).all()
    if most is not None and len(rows) > most:
        raise TooLarge(f"there are more than {most:,} groups; group by fewer levels or longer bands, or set a limit")
    return plan.read(rows)


class AggregatePlan:
    """The statement of one aggregate; ``within`` are the groups that are wanted, by their full levels (None: all)."""

    def __init__(
        self,
        store: Store,
        access: Access | None,
        aggregate: Aggregate,
        rules: RuleSets,
        within: FromClause | None = None,
    ) -> None:
        self.store, self.access, self.aggregate, self._rules, self._within = store, access, aggregate, rules, within
        self._facts = facts_of(aggregate)
        self._stems: dict[StemKey, Stem] = {}
        self._functions: dict[AggregateFunction, SqlFunction] = {}
        for measure in measures_of(aggregate):
            for function in functions_of(measure):
                if function not in self._functions:
                    self._functions[function] = self._stem(self._key(function)).add(function)
        if not self._functions:
            count = AggregateFunction("count")
            self._functions[count] = self._stem(StemKey()).add(count)
        for table in self._facts:
            if all(key.condition is not None for key in self._stems if key.table == table):
                # Groups in which no entity fulfils the condition are groups, too.
                self._stem(StemKey(table))
        self._windows = list(dict.fromkeys(windows_of(aggregate)))
        self._kinds = kinds_of(aggregate, self._windows)
        self._members = LevelMembers(store, access, aggregate) if aggregate.empty and aggregate.group else None
        kinds = len(self._stems) * len(self._kinds)
        if kinds > SELECTS:
            raise TooLarge(f"the measures need {kinds} selects; the limit is {SELECTS}: use fewer totals or measures")
        self._levels = [self._level(place) for place in range(len(aggregate.group))]

    def _key(self, function: AggregateFunction) -> StemKey:
        return stem_key(self.store.schema, self._facts[function.table], function)

    def _stem(self, key: StemKey) -> Stem:
        found = self._stems.get(key)
        if found is None:
            found = self._stems[key] = self._new_stem(key)
        return found

    def _new_stem(self, key: StemKey) -> Stem:
        return Stem.of(key, self._facts[key.table], self.store, self.access, self._rules, self._within)

    @property
    def functions(self) -> Mapping[AggregateFunction, SqlFunction]:
        """The functions of all measures, in SQL."""
        return self._functions

    def _level(self, place: int) -> Value:
        """What a level's values are: those of a table that knows it."""
        return next(stem.levels[place] for stem in self._stems.values() if place in stem.levels)

    # The statement

    def limited(self, most: int | None) -> Statement[Any]:
        """The statement of all groups, or of one more than ``most``, by which the reader knows that there are more."""
        statement, limit = self.statement(), self.aggregate.limit
        if most is None or (limit is not None and limit <= most):
            return statement
        return statement.limit(most + 1)

    def statement(self) -> Statement[Any]:
        """Levels, the number of the kind of group (if there are totals), and measures of all groups."""
        if self._is_bare:
            return self._counted()
        folded = self._folded()
        columns = [folded.c[f"level_{place}"] for place in range(len(self._levels))]
        measures = [self._expression(measure, folded) for measure in self.aggregate.functions]
        kind = [folded.c.kind] if self.aggregate.totals else []
        statement = select(*columns, *kind, *measures).select_from(folded)
        if len(self._kinds) > len(self.aggregate.kept):
            statement = statement.where(folded.c.kind < len(self.aggregate.kept))
        if self.aggregate.having is not None:
            statement = statement.where(self._having(self.aggregate.having, folded))
        statement = statement.order_by(*self._order(folded, columns))
        return statement.limit(self.aggregate.limit).offset(self.aggregate.offset or None)

    @property
    def _is_bare(self) -> bool:
        """Whether it is just a count of entities."""
        return self.aggregate == Aggregate(self.aggregate.select)

    def _counted(self) -> Statement[Any]:
        """Just a count: as SQLite likes it best."""
        stem = Stem.of(StemKey(), self._facts[""], self.store, self.access, self._rules)
        # Conditions join what they need, so they are made first.
        conditions = stem.conditions()
        return select(func.count()).select_from(stem.scope.source).where(*conditions)

    def _folded(self) -> Subquery:
        """All groups, with the values of the functions, and then of measures beside other groups."""
        folded = self._stacked()
        if not self._windows:
            return folded
        return WindowStorey(self.aggregate, self._kinds, self._windows, self._expression).over(folded)

    def _stacked(self) -> Subquery:
        selects = [each for stem in self._stems.values() for each in self._selects(stem)]
        if self._members is not None:
            selects += [self._without_facts(number, kept) for number, kept in enumerate(self._kinds) if kept]
        elif not selects:
            raise Invalid("no measure knows all levels of a group; ask for totals over those that it does not know")
        stacked = (selects[0] if len(selects) == 1 else union_all(*selects)).subquery()
        if len(self._stems) == 1 and self._members is None:
            return stacked
        names = ["kind", *(f"level_{place}" for place in range(len(self._levels)))]
        values = [
            func.max(stacked.c[name], type_=stacked.c[name].type).label(name)
            for name in (f"value_{index}" for index in range(len(self._functions)))
        ]
        grouped = [stacked.c[name] for name in names]
        return select(*grouped, *values).group_by(*grouped).subquery()

    def _selects(self, stem: Stem) -> Iterable[Statement[Any]]:
        """For each kind of groups, the groups of one stem."""
        # Another stem has the one row of all entities; what a table does not know is not told apart there.
        kinds = {
            number: kept
            for number, kept in enumerate(self._kinds)
            if (kept or stem.functions) and stem.fact.knows(kept)
        }
        if len(kinds) > 1 and not stem.repeats and self.store.engine_name in GROUPING_SETS:
            yield self._grouped_at_once(stem, kinds)
            return
        rows = stem.rows().cte() if len(self._kinds) > 1 else None
        for number, kept in kinds.items():
            yield self._grouped(stem, number, kept, stem.source(kept, rows))

    def _grouped_at_once(self, stem: Stem, kinds: Mapping[int, Sequence[int]]) -> Statement[Any]:
        """Several kinds of groups in one reading of the rows."""
        rows = stem.rows().subquery()
        places = sorted({place for kept in kinds.values() for place in kept})
        levels = {place: rows.c[f"level_{place}"] for place in places}
        untold = func.grouping(*levels.values(), type_=INTEGER)
        bits = {
            sum(1 << (len(places) - 1 - index) for index, place in enumerate(places) if place not in kept): number
            for number, kept in kinds.items()
        }
        kind = case(*((untold == mask, literal(number, INTEGER)) for mask, number in bits.items()))
        columns = [type_coerce(kind, INTEGER).label("kind"), *self._level_columns(levels)]
        sets = [tuple_(*(levels[place] for place in kept)) for kept in kinds.values()]
        return select(*columns, *self._values(stem, rows)).select_from(rows).group_by(func.grouping_sets(*sets))

    def _without_facts(self, number: int, kept: Sequence[int]) -> Statement[Any]:
        """Groups of one kind, of all members that the levels have, without numbers."""
        assert self._members is not None
        rows = self._members.rows(kept).subquery()
        values = [
            missing_of(built.type).label(f"value_{index}") for index, built in enumerate(self._functions.values())
        ]
        return select(*self._group_columns(number, kept, rows), *values)

    def _group_columns(self, number: int, kept: Sequence[int], rows: FromClause) -> list[Column]:
        """The number of a kind of groups, and its levels."""
        return [
            literal(number, INTEGER).label("kind"),
            *self._level_columns({place: rows.c[f"level_{place}"] for place in kept}),
        ]

    def _level_columns(self, known: Mapping[int, Column]) -> list[Column]:
        """All levels; those that are not known are NULL."""
        return [
            known.get(place, missing_of(value.expression.type)).label(f"level_{place}")
            for place, value in enumerate(self._levels)
        ]

    def _grouped(self, stem: Stem, number: int, kept: Sequence[int], rows: FromClause) -> Statement[Any]:
        group = [rows.c[f"level_{place}"] for place in kept]
        columns = [*self._group_columns(number, kept, rows), *self._values(stem, rows)]
        return select(*columns).select_from(rows).group_by(*group)

    def _values(self, stem: Stem, rows: FromClause) -> list[Column]:
        """The values of all functions, of which a stem has some."""
        columns: list[Column] = []
        inputs = {
            function: [rows.c[f"input_{index}_{place}"] for place in range(len(each.inputs))]
            for index, (function, each) in enumerate(stem.functions.items())
        }
        for index, (function, built) in enumerate(self._functions.items()):
            if function in inputs:
                column = built.function(*inputs[function])
            else:
                column = missing_of(built.type)
            columns.append(type_coerce(column, built.type).label(f"value_{index}"))
        return columns

    # Measures of folded groups

    def _expression(self, measure: Measure, folded: Subquery) -> Column:
        if isinstance(measure, AggregateFunction):
            index = list(self._functions).index(measure)
            built, column = self._functions[measure], folded.c[f"value_{index}"]
            if built.empty is None:
                return column
            whole = func.coalesce(column, literal(built.empty, built.type), type_=built.type)
            fact = self._facts[measure.table]
            known = [number for number, kept in enumerate(self._kinds) if fact.knows(kept)]
            return whole if len(known) == len(self._kinds) else case((folded.c.kind.in_(known), whole))
        if isinstance(measure, Constant):
            return literal(float(measure.value), NUMBER)
        if isinstance(measure, Window):
            return folded.c[f"window_{self._windows.index(measure)}"]
        if isinstance(measure, Choice | Scoped):
            return self._chosen(measure, folded)
        if not isinstance(measure, Arithmetic):
            raise Invalid(f"there is no measure of the kind {type(measure).__name__}")
        left, right = (cast(self._expression(side, folded), NUMBER) for side in (measure.left, measure.right))
        if measure.operator == "+":
            return left + right
        if measure.operator == "-":
            return left - right
        return (
            left * right if measure.operator == "*" else left / func.nullif(right, literal(0.0, NUMBER), type_=NUMBER)
        )

    def _chosen(self, measure: Choice | Scoped, folded: Subquery) -> Column:
        """One of two measures, of the type that both have, or as floats."""
        if isinstance(measure, Choice):
            condition = self._having(measure.condition, folded)
        else:
            condition = folded.c.kind.in_(self._kinds_with(measure.levels))
        sides = [self._expression(each, folded) for each in (measure.then, measure.otherwise) if each is not None]
        if self._data_type(measure) == "number":
            sides = [cast(side, NUMBER) for side in sides]
        kind = sides[0].type
        return type_coerce(case((condition, sides[0]), else_=sides[1] if len(sides) > 1 else null()), kind)

    def _kinds_with(self, levels: Iterable[Level]) -> list[int]:
        """The numbers of the kinds of rows that tell all these levels apart."""
        group = self.aggregate.group
        apart = [{group[place] for place in kept} for kept in self._kinds]
        return [number for number, kept in enumerate(apart) if kept.issuperset(levels)]

    def _data_type(self, measure: Measure) -> str:
        """The type of a measure's values."""
        if isinstance(measure, AggregateFunction):
            return self._functions[measure].data_type
        if isinstance(measure, Window) and measure.name != "share":
            return "integer" if measure.name == "rank" else self._data_type(measure.of)
        if isinstance(measure, Choice | Scoped):
            then = self._data_type(measure.then)
            return then if measure.otherwise is None or self._data_type(measure.otherwise) == then else "number"
        return "number"

    def _is_item(self, measure: Measure) -> bool:
        """Whether a measure's values are those of an item of a mapping, as they are stored there."""
        if isinstance(measure, Choice | Scoped):
            items = {self._is_item(each) for each in (measure.then, measure.otherwise) if each is not None}
            if len(items) > 1 and self._data_type(measure) not in ("number", "integer"):
                raise Invalid("cannot choose between a value of a mapping's item and one of an attribute")
            return True in items
        return isinstance(measure, AggregateFunction) and self._functions[measure].item

    def _having(self, having: Having, folded: Subquery) -> Where:
        if isinstance(having, MeasureComparison):
            value = self._value(having.measure, self._expression(having.measure, folded))
            return compared(value, having.operator, having.value)
        if isinstance(having, HavingNot):
            return self._having(having.condition, folded).is_not(true())
        parts = [self._having(part, folded) for part in having.conditions]
        return and_(true(), *parts) if isinstance(having, HavingAll) else or_(false(), *parts)

    def _value(self, measure: Measure, expression: Column) -> Value:
        name = measure.name if isinstance(measure, AggregateFunction) else "number"
        return Value(expression, Attribute(name, data_type=self._data_type(measure)), self._is_item(measure))

    def _order(self, folded: Subquery, levels: Sequence[Column]) -> list[Column]:
        """The expressions of ``ORDER BY``; by default, totals come after the groups that they sum up."""
        found: list[Column] = []
        kinds = self.aggregate.kept
        if self.aggregate.order and len(kinds) > 1:
            found.append(folded.c.kind)
        for order in self.aggregate.order:
            by = order.by
            column = levels[self.aggregate.group.index(by)] if isinstance(by, Level) else self._expression(by, folded)
            found.append(directed(column, order.descending))
        for place, level in enumerate(levels):
            if len(kinds) > 1:
                untold = [number for number, kept in enumerate(kinds) if place not in kept]
                if untold:
                    found.append(case((folded.c.kind.in_(untold), 1), else_=0))
            found.append(directed(level, False))
        return [*found, folded.c.kind] if len(kinds) > 1 else found

    # The answer

    def check(self, connection: Connection) -> None:
        """Raise `TooLarge` if the members of the levels make too many groups."""
        if self._members is not None:
            self._members.check(connection)

    def read(self, rows: Sequence[Any]) -> list[Row]:
        """The rows as Python values, with `TOTAL` where a level is not distinguished."""
        number = len(self._levels)
        levels = [group_reader(value) for value in self._levels]
        measures = [self._reader(measure) for measure in self.aggregate.functions]
        kinds = self.aggregate.kept
        found = []
        for row in rows:
            kept: Sequence[int] = kinds[row[number]] if self.aggregate.totals else range(number)
            values = row[number + 1 :] if self.aggregate.totals else row[number:]
            group = [read(row[place]) if place in kept else TOTAL for place, read in enumerate(levels)]
            found.append((*group, *(read(value) for read, value in zip(measures, values))))
        return found

    def _reader(self, measure: Measure) -> Callable[[Any], Any]:
        if isinstance(measure, AggregateFunction):
            return _unless_none(self._functions[measure].read)
        if isinstance(measure, Window) and measure.name not in ("share", "rank"):
            return _unless_none(self._reader(measure.of))
        if isinstance(measure, Window) and measure.name == "rank":
            return _unless_none(int)
        if isinstance(measure, Choice | Scoped):
            kind = self._data_type(measure)
            if kind not in ("number", "integer"):
                return self._reader(measure.then)
            if kind == "integer":
                return _unless_none(int)
        return sql_function("average", Value(literal(0.0, NUMBER), Attribute("number", data_type="number")), None).read


def _unless_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)
