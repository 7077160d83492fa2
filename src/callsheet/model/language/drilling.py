"""Drilling: the entities behind a cell of an aggregate, as a query.

A cell is a row of an aggregate, named by its values at the levels. Its entities fulfil one condition, made of those
values:

- `TOTAL` leaves a level free; None is a value, which what a path does not reach has.
- A band becomes the range of time that it covers, by the calendar of its zone.
- Levels through one collection are about the same member, as in the groups: ``children any (name is a and kind is b)``.
  An entity without members is in the cell of None.
- Where a limit, a top or a sample bounds the entities, the cell has those among them.

So the number of entities that the query finds is the number that ``count`` has in the cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias

from attrs import evolve, frozen

from callsheet.errors import UsageError
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.resolution import resolve
from callsheet.model.measure import TOTAL, Aggregate, AggregateFunction, Level, Measure
from callsheet.model.periods import beginning, first_day, next_first_day
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Path, Select, Step
from callsheet.model.scalar import shown
from callsheet.model.schema import EntityType, Schema

__all__ = ["cell_condition", "drilled", "drilled_owners"]

KEY = Path.of("id")


@frozen
class _WantedValue:
    """The value that an entity has at the end of a path, in the band of a level; ``steps`` are what is left of it."""

    steps: tuple[Step, ...]
    value: Any
    level: Level


_Way: TypeAlias = tuple[Step, ...]


def drilled(aggregate: Aggregate, cell: Sequence[Any], schema: Schema, measure: Measure | None = None) -> Select:
    """The entities behind a cell, as a query of their type.

    ``cell`` has a value for each level, and may have more: a row of the answer will do. With a ``measure``, one that
    has a condition, only the entities that it is about. Raises `UsageError` for what is no cell of the aggregate.

    >>> schema = Schema({"types": {"Dot": {"attributes": {"size": {"type": "number"}, "day": {"type": "date"}}}}})
    >>> aggregate = Aggregate(Select("Dot"), group=("size", Level("day", "month")), totals=True)
    >>> drilled(aggregate, (2.0, TOTAL, 14), schema).where
    Comparison(path=Path(steps=(Step(name='size', cast=None),)), operator='=', value=2.0)
    >>> [part.value for part in drilled(aggregate, (2.0, date(2024, 2, 1)), schema).where.conditions[1].conditions]
    [None, datetime.date(2024, 2, 1), datetime.date(2024, 3, 1)]
    """
    checked = check_aggregate(aggregate, schema)
    parts = [cell_condition(checked, cell, schema)]
    if isinstance(measure, AggregateFunction):
        parts.append(measure.condition)
    return _selected(checked.select, _all(parts))


def drilled_owners(aggregate: Aggregate, cell: Sequence[Any], schema: Schema, measure: Measure) -> Select:
    """The entities whose values a measure takes in a cell: of ``sum(task.bid)`` the tasks of the cell's time entries.

    Raises `UsageError` for a measure of several values, and for one through a collection without an inverse.
    """
    if not isinstance(measure, AggregateFunction):
        raise UsageError("only a function of one attribute has owners: drill without them")
    checked = check_aggregate(evolve(aggregate, functions=(measure,), order=(), having=None), schema)
    (function,) = checked.functions
    assert isinstance(function, AggregateFunction)
    facts = drilled(checked, cell, schema, function)
    owner = () if function.path is None else _owner(schema, schema.types[facts.entity_type], function.path)
    if not owner:
        return facts
    return _Owners(schema, checked, cell, function.condition).select(owner)


def cell_condition(aggregate: Aggregate, cell: Sequence[Any], schema: Schema) -> Condition | None:
    """What the entities of a cell of a checked aggregate fulfil beside its query; None: nothing more."""
    return _CellCondition(schema).condition(_wanted(aggregate, cell), schema.types[aggregate.select.entity_type])


def _wanted(aggregate: Aggregate, cell: Sequence[Any]) -> list[_WantedValue]:
    number = len(aggregate.group)
    if isinstance(cell, str) or not isinstance(cell, Sequence) or len(cell) < number:
        raise UsageError(f"a cell of this aggregate has {number} values, one for each level, not {shown(cell)}")
    kept = tuple(place for place in range(number) if cell[place] is not TOTAL)
    if kept not in aggregate.kept and (aggregate.totals or len(kept) != number):
        raise UsageError(f"the aggregate has no such total: {shown(tuple(cell[:number]))}")
    return [
        _WantedValue(level.path.steps, value, level)
        for level, value in zip(aggregate.group, cell)
        if value is not TOTAL
    ]


def _selected(select: Select, condition: Condition | None) -> Select:
    """The entities of a query that fulfil one more condition."""
    plain = Select(select.entity_type)
    if select.limit is None and not select.offset and select.top is None and select.sample is None:
        return evolve(plain, where=_all([select.where, condition]))
    chosen = Comparison(KEY, "in", evolve(select, projections=(KEY,)))
    return evolve(plain, where=_all([chosen, condition]))


def _all(parts: Iterable[Condition | None]) -> Condition | None:
    held = [part for part in parts if part is not None]
    return held[0] if len(held) == 1 else And(tuple(held)) if held else None


@frozen
class _CellCondition:
    """Makes conditions of wanted values."""

    schema: Schema

    def condition(self, wanted: Sequence[_WantedValue], place: EntityType) -> Condition | None:
        """What an entity of a type fulfils that has these values, those through a collection at the same member."""
        parts: list[Condition | None] = []
        ways: dict[_Way, list[_WantedValue]] = {}
        for each in wanted:
            index = self._collection(each.steps, place)
            if index is None:
                parts.append(self._compared(each, place))
            else:
                way = (*each.steps[:index], Step(each.steps[index].name))
                ways.setdefault(way, []).append(evolve(each, steps=each.steps[index:]))
        parts += [self._member(way, held, place) for way, held in ways.items()]
        return _all(parts)

    def _collection(self, steps: _Way, place: EntityType) -> int | None:
        found = resolve(Path(steps), place, self.schema).collections
        return found[0] if found else None

    def _member(self, way: _Way, wanted: Sequence[_WantedValue], place: EntityType) -> Condition:
        """Some member at the end of a way has these values; or there is no member, and all of them are None."""
        path = Path(way)
        target = resolve(path, place, self.schema).target
        casts: dict[str | None, list[_WantedValue]] = {}
        for each in wanted:
            casts.setdefault(each.steps[0].cast, []).append(evolve(each, steps=each.steps[1:]))
        inside = _all(self._cast(cast, held, target) for cast, held in casts.items())
        found = Any_(path, inside)
        if any(each.value is not None for each in wanted):
            return found
        return Or((found, Not(Any_(path))))

    def _cast(self, cast: str | None, wanted: Sequence[_WantedValue], target: EntityType) -> Condition | None:
        """A member, taken as one of a type, has these values; if it is of another type, they are None."""
        if cast is None or self.schema.is_a(target.name, cast):
            return self.condition(wanted, target if cast is None else self.schema.types[cast])
        having = Comparison(KEY, "in", Select(cast, (KEY,), self.condition(wanted, self.schema.types[cast])))
        if any(each.value is not None for each in wanted):
            return having
        return Or((having, Comparison(KEY, "not_in", Select(cast, (KEY,)))))

    def _compared(self, wanted: _WantedValue, place: EntityType) -> Condition:
        path, value, band = Path(wanted.steps), wanted.value, wanted.level.band
        if band is None or value is None:
            return Comparison(path, "=", value)
        if not isinstance(value, date) or isinstance(value, datetime) or first_day(value, band) != value:
            raise UsageError(f"a {band} is named by its first day, a date, not {shown(value)}")
        bounds: list[Any] = [value, next_first_day(value, band)]
        if resolve(path, place, self.schema).attribute.data_type == "datetime":
            bounds = [None if day is None else beginning(day, wanted.level.zone) for day in bounds]
        parts = [Comparison(path, word, bound) for word, bound in zip((">=", "<"), bounds) if bound is not None]
        return And((Comparison(path, "!=", None), *parts))


@frozen
class _Owners:
    """Makes the query of the entities whose values a measure takes."""

    schema: Schema
    aggregate: Aggregate
    cell: Sequence[Any]
    extra: Condition | None

    def select(self, owner: _Way) -> Select:
        """The entities at the end of a way that the cell's entities reach."""
        place = self.schema.types[self.aggregate.select.entity_type]
        collections = resolve(Path(owner), place, self.schema).collections
        wanted = _wanted(self.aggregate, self.cell)
        if not collections:
            return self._reached(self._facts(wanted), owner)
        if len(collections) > 1:
            raise UsageError("values that are reached through several collections have no query of their own")
        index = collections[0]
        way = (*owner[:index], Step(owner[index].name))
        inside = [each for each in wanted if _goes(each.steps, way)]
        member = self._members(way, [each for each in wanted if not _goes(each.steps, way)], owner[index].cast)
        same = [evolve(each, steps=each.steps[index:]) for each in inside]
        return self._reached(evolve(member, where=_all([member.where, self._same(same, member)])), owner[index + 1 :])

    def _facts(self, wanted: Sequence[_WantedValue]) -> Select:
        select = self.aggregate.select
        here = _CellCondition(self.schema).condition(wanted, self.schema.types[select.entity_type])
        return _selected(select, _all([here, self.extra]))

    def _members(self, way: _Way, wanted: Sequence[_WantedValue], cast: str | None) -> Select:
        """The members of a collection, those of one type, whose owners the facts reach."""
        facts = self._facts(wanted)
        owners = self._reached(facts, way[:-1])
        attribute = self.schema.types[owners.entity_type].attributes[way[-1].name]
        target = str(attribute.target)
        back = None if attribute.inverse is None else self.schema.types[target].attributes.get(attribute.inverse)
        if back is None:
            raise UsageError(f"`{owners.entity_type}.{attribute.name}` has no inverse, by which its members are found")
        narrower = None if back.target == owners.entity_type else owners.entity_type
        return Select(cast or target, where=Any_(Path((Step(back.name, narrower),)), owners.where))

    def _same(self, wanted: Sequence[_WantedValue], member: Select) -> Condition | None:
        """What a member fulfils that levels are about, too."""
        casts: dict[str | None, list[_WantedValue]] = {}
        for each in wanted:
            casts.setdefault(each.steps[0].cast, []).append(evolve(each, steps=each.steps[1:]))
        place = self.schema.types[member.entity_type]
        return _all(_CellCondition(self.schema)._cast(cast, held, place) for cast, held in casts.items())

    def _reached(self, select: Select, way: _Way) -> Select:
        """What entities reach by references."""
        if not way:
            return select
        target = resolve(Path(way), self.schema.types[select.entity_type], self.schema).target
        return Select(target.name, where=Comparison(KEY, "in", evolve(select, projections=(Path((*way, Step("id"))),))))


def _goes(steps: _Way, way: _Way) -> bool:
    """Whether steps begin with a way to the members of a collection, whatever type these are cast to."""
    index = len(way) - 1
    return len(steps) > index and (*steps[:index], Step(steps[index].name)) == way


def _owner(schema: Schema, place: EntityType, path: Path) -> _Way:
    """The way to the owner of a path's values; the key of a reference belongs to who refers."""
    chain = resolve(path, place, schema).chain
    kinds = [attribute.kind for _, attribute in chain if attribute.kind in ("reference", "collection")]
    rest = [step.name for step in path.steps[len(kinds) :]]
    if kinds and kinds[-1] == "reference" and rest in ([], ["id"]):
        kinds.pop()
    return path.steps[: len(kinds)]
