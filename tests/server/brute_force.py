"""What an aggregate means, in Python, over the entities of a world: slow, plain, and without SQL."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from hashlib import md5
from typing import Any
from zoneinfo import ZoneInfo

from attrs import frozen

from callsheet.model.choice import Choice, Scoped
from callsheet.model.dimension import dimensions_of
from callsheet.model.facts import Fact, facts_of
from callsheet.model.language.aggregates import kind_of
from callsheet.model.language.matching import matches
from callsheet.model.language.resolution import resolve
from callsheet.model.measure import (
    TOTAL,
    Aggregate,
    AggregateFunction,
    Arithmetic,
    Constant,
    Having,
    HavingAll,
    HavingAny,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
)
from callsheet.model.query import Condition, Order, Path, Select, Step
from callsheet.model.schema import EntityType, Schema
from callsheet.model.window import Window, windows_of

View = Mapping[str, Any]
Steps = tuple[Step, ...]


@frozen(eq=False)
class Entry:
    """A selected entity, and one member of each collection on the ways."""

    entity: View
    members: dict[Steps, Any]


@frozen(eq=False)
class Brute:
    """The entities of a type, each a view in which relations are views."""

    schema: Schema
    entities: Sequence[View]

    # Which entities

    def selected(self, select: Select) -> list[View]:
        found = [
            each
            for each in self.entities
            if self.schema.is_a(each["@type"], select.entity_type)
            and (select.where is None or matches(select.where, each, self.schema))
        ]
        found.sort(key=lambda each: each["id"])
        if select.top is not None:
            found = self._topped(found, select)
        if select.sample is not None:
            found = self._sampled(found, select)
        found = self._sorted(found, select.order)
        end = None if select.limit is None else select.offset + select.limit
        return found[select.offset : end]

    def _sorted(self, found: list[View], orders: Sequence[Order]) -> list[View]:
        found = sorted(found, key=lambda each: each["id"])
        for order in reversed(orders):
            found.sort(key=lambda each: first_none(self.value(Entry(each, {}), order.path)), reverse=order.descending)
        return found

    def _topped(self, found: list[View], select: Select) -> list[View]:
        top = select.top
        assert top is not None
        kept: dict[Any, list[View]] = {}
        for each in self._sorted(found, top.by):
            group = kept.setdefault(None if top.per is None else self.value(Entry(each, {}), top.per), [])
            if len(group) < top.number:
                group.append(each)
        return [each for group in kept.values() for each in group]

    def _sampled(self, found: list[View], select: Select) -> list[View]:
        sample = select.sample
        assert sample is not None
        size = sample.number if sample.fraction is None else math.floor(len(found) * sample.fraction + 0.5)
        assert size is not None
        size = min(size, len(found))
        if sample.method == "first":
            return self._sorted(found, select.order)[:size]
        found = sorted(found, key=lambda each: (drawn(sample.seed, each["id"]), each["id"]))
        if sample.per is None:
            return found[:size]
        per = sample.per
        found.sort(key=lambda each: first_none(self.value(Entry(each, {}), per)))
        number = len(found)
        return [each for place, each in enumerate(found) if (place + 1) * size // number > place * size // number]

    # Values on the way

    def value(self, entry: Entry, path: Path) -> Any:
        return self.at(entry, path.steps)

    def at(self, entry: Entry, steps: Steps) -> Any:
        found: Any = entry.entity
        for index, step in enumerate(steps):
            key = (*steps[:index], Step(step.name))
            found = entry.members[key] if key in entry.members else None if found is None else found.get(step.name)
            if step.cast and found is not None and not self.schema.is_a(found["@type"], step.cast):
                found = None
        return found

    def expanded(self, entity: View, entity_type: EntityType, paths: Iterable[Path]) -> list[Entry]:
        """The entity with each combination of members of the collections on the paths."""
        ways: dict[Steps, None] = {}
        for path in paths:
            for index, kind in enumerate(self.kinds(entity_type, path)):
                if kind == "collection":
                    ways[(*path.steps[:index], Step(path.steps[index].name))] = None
        entries = [Entry(entity, {})]
        for way in sorted(ways, key=len):
            longer = []
            for entry in entries:
                owner = self.at(entry, way[:-1])
                members = [] if owner is None else owner.get(way[-1].name) or []
                longer += [Entry(entity, {**entry.members, way: member}) for member in members or [None]]
            entries = longer
        return entries

    def kinds(self, entity_type: EntityType, path: Path) -> list[str]:
        """What the steps of a path are, up to the first that is no relation."""
        found = []
        for step in path.steps:
            attribute = entity_type.attributes.get(step.name)
            if attribute is None or attribute.kind not in ("reference", "collection"):
                break
            found.append(attribute.kind)
            entity_type = self.schema.type(step.cast or str(attribute.target))
        return found

    def owner(self, entity_type: EntityType, path: Path) -> Steps:
        """The way to the entity that has the value; a reference's key belongs to who refers."""
        kinds = self.kinds(entity_type, path)
        rest = [step.name for step in path.steps[len(kinds) :]]
        if kinds and kinds[-1] == "reference" and rest in ([], ["id"]):
            kinds.pop()
        return path.steps[: len(kinds)]

    # Numbers

    def rows(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        facts = facts_of(aggregate)
        entities = {table: self.selected(fact.select) for table, fact in facts.items()}
        every = tuple(range(len(aggregate.group)))
        found = []
        for kind, kept in enumerate(kinds_of(aggregate)):
            groups: dict[tuple[Any, ...], None] = {} if kept else {(TOTAL,) * len(every): None}
            for table, fact in facts.items():
                levels = {n: level for n, level in enumerate(fact.levels) if level is not None}
                if not levels.keys() >= set(kept):
                    continue
                of_table = self.schema.types[fact.select.entity_type]
                for entity in entities[table]:
                    for entry in self.expanded(entity, of_table, (level.path for level in levels.values())):
                        key = tuple(self.banded(entry, levels[n]) if n in kept else TOTAL for n in every)
                        groups[key] = None
            if aggregate.empty:
                groups |= dict.fromkeys(self.members(aggregate, kept))
            found += [(kind, key, kept) for key in groups]
        measured = []
        rows = [Row(kind, key, kept, self.cell(facts, entities, key, kept), self.schema) for kind, key, kept in found]
        for row in rows:
            kind, key = row.kind, row.key
            if kind >= len(aggregate.kept):
                continue

            def number(measure: Measure, row: Row = row) -> Any:
                return row.value(measure, aggregate, rows)

            if aggregate.having is None or holds(aggregate.having, number):
                orders = [
                    (key[aggregate.group.index(each.by)] if isinstance(each.by, Level) else number(each.by))
                    for each in aggregate.order
                ]
                measured.append((kind, key, orders, tuple(number(each) for each in aggregate.functions)))
        measured.sort(key=lambda each: [(value is TOTAL, first_none(value)) for value in each[1]])
        for place, order in reversed(list(enumerate(aggregate.order))):
            measured.sort(
                key=lambda each, n=place: (each[2][n] is TOTAL, first_none(each[2][n])),  # type: ignore[misc]
                reverse=order.descending,
            )
        if aggregate.order:
            measured.sort(key=lambda each: each[0])
        end = None if aggregate.limit is None else aggregate.offset + aggregate.limit
        return [(*key, *numbers) for _, key, _, numbers in measured[aggregate.offset : end]]

    def banded(self, entry: Entry, level: Level) -> Any:
        found = self.value(entry, level.path)
        if found is None or level.band is None:
            return found
        day = found.astimezone(ZoneInfo(level.zone)).date() if isinstance(found, datetime) else found
        return first_day(day, level.band)

    def members(self, aggregate: Aggregate, kept: Sequence[int]) -> list[tuple[Any, ...]]:
        """All combinations of the members that levels have."""
        found: list[dict[int, Any]] = [{}] if kept else []
        for dimension in dimensions_of(aggregate, self.schema):
            levels = {n: level for n, level in dimension.levels.items() if n in kept}
            if not levels:
                continue
            entity_type = self.schema.types[dimension.select.entity_type]
            own = [
                {n: self.banded(entry, level) for n, level in levels.items()}
                for entity in self.selected(dimension.select)
                for entry in self.expanded(entity, entity_type, (level.path for level in dimension.levels.values()))
            ]
            found = [{**before, **each} for before in found for each in own]
        return [tuple(each.get(n, TOTAL) for n in range(len(aggregate.group))) for each in found]

    def cell(
        self, facts: Mapping[str, Fact], selected: Mapping[str, list[View]], key: tuple[Any, ...], kept: Any
    ) -> Callable[[AggregateFunction], Any]:
        """The numbers of one group."""

        def number(function: AggregateFunction) -> Any:
            fact, entities = facts[function.table], selected[function.table]
            levels = {n: level for n, level in enumerate(fact.levels) if level is not None}
            if not levels.keys() >= set(kept):
                return None
            entity_type = self.schema.types[fact.select.entity_type]
            paths = [level.path for level in levels.values()]
            if function.path is not None:
                paths.append(function.path)
            if function.by is not None:
                paths.append(function.by)
            owner = () if function.path is None else self.owner(entity_type, function.path)
            values: dict[Any, Any] = {}
            for entity in entities:
                if not self._counts(function.condition, entity):
                    continue
                for entry in self.expanded(entity, entity_type, paths):
                    if any(self.banded(entry, levels[n]) != key[n] for n in kept):
                        continue
                    held = self.at(entry, owner)
                    if held is None:
                        continue
                    if function.by is not None and function.path is not None:
                        by, value = self.value(entry, function.by), self.value(entry, function.path)
                        if by is not None and value is not None:
                            values[entity["id"]] = (by, entity["id"], value)
                        continue
                    once = (entity["id"], held["id"]) if function.repeated or not owner else held["id"]
                    values[once] = 1 if function.path is None else self.value(entry, function.path)
            found = [value for value in values.values() if value is not None]
            if function.by is not None:
                chosen = max if function.name == "latest" else min
                return chosen(found, key=lambda each: each[:2])[2] if found else None
            if function.path is not None and self._is_number(function.path, entity_type):
                found = [float(value) for value in found]
                return math.fsum(found) if function.name == "sum" else result(function, found)
            return result(function, found)

        return number

    def _is_number(self, path: Path, entity_type: EntityType) -> bool:
        return resolve(path, entity_type, self.schema).attribute.data_type == "number"

    def _counts(self, condition: Condition | None, entity: View) -> bool:
        return condition is None or matches(condition, entity, self.schema)


def kinds_of(aggregate: Aggregate) -> tuple[tuple[int, ...], ...]:
    """The kinds of groups that are shown, then those that shares need."""
    parents = []
    for window in windows_of(aggregate):
        if window.name == "share":
            parents += [tuple(n for n in kept if aggregate.group[n] in window.levels) for kept in aggregate.kept]
    return tuple(dict.fromkeys((*aggregate.kept, *parents)))


@frozen(eq=False)
class Row:
    """One group, and what computes its functions."""

    kind: int
    key: tuple[Any, ...]
    kept: tuple[int, ...]
    cell: Callable[[AggregateFunction], Any]
    schema: Schema

    def value(self, measure: Measure, aggregate: Aggregate, rows: Sequence[Row]) -> Any:
        def number(part: Measure) -> Any:
            return self.value(part, aggregate, rows)

        if isinstance(measure, AggregateFunction):
            return self.cell(measure)
        if isinstance(measure, Window):
            return self.beside(measure, aggregate, rows)
        if isinstance(measure, Choice | Scoped):
            told = {aggregate.group[place] for place in self.kept}
            chosen = (
                holds(measure.condition, number) if isinstance(measure, Choice) else told.issuperset(measure.levels)
            )
            part = measure.then if chosen else measure.otherwise
            found = None if part is None else number(part)
            kind = kind_of(measure, self.schema.types[aggregate.select.entity_type], self.schema)
            return float(found) if kind == "number" and found is not None else found
        return computed(measure, number)

    def beside(self, window: Window, aggregate: Aggregate, rows: Sequence[Row]) -> Any:
        own = self.value(window.of, aggregate, rows)
        places = [aggregate.group.index(level) for level in window.levels]
        if window.name == "share":
            parent = tuple(n for n in self.kept if aggregate.group[n] in window.levels)
            (whole,) = [r for r in rows if r.kept == parent and all(r.key[n] == self.key[n] for n in parent)]
            total = whole.value(window.of, aggregate, rows)
            return None if own is None or not total else float(own) / float(total)
        like = [row for row in rows if row.kind == self.kind]
        if window.name == "rank":
            peers = [row.value(window.of, aggregate, rows) for row in like if self.agrees(row, places)]
            return None if own is None else 1 + sum(each is not None and each > own for each in peers)
        (place,) = places
        level = aggregate.group[place]
        if place not in self.kept or (level.band and self.key[place] is None and window.name != "cumulative"):
            return None
        others = [n for n in range(len(self.key)) if aggregate.group[n] != level]
        line = [row for row in like if self.agrees(row, others)]
        if window.name == "cumulative":
            before = [row for row in line if first_none(row.key[place]) <= first_none(self.key[place])]
            return added([row.value(window.of, aggregate, rows) for row in before])
        distinct = sorted({row.key[place] for row in like}, key=first_none)

        def number(row: Row) -> int | None:
            key = row.key[place]
            return distinct.index(key) if level.band is None else None if key is None else period(key, level.band)

        here = number(self)
        assert here is not None
        numbered = {number(row): row.value(window.of, aggregate, rows) for row in line}
        if window.name == "moving":
            return added([numbered[n] for n in range(here - window.number + 1, here + 1) if n in numbered])
        return numbered.get(here + (window.number if window.name == "following" else -window.number))

    def agrees(self, other: Row, places: Sequence[int]) -> bool:
        return all(self.key[n] == other.key[n] for n in places)


def added(values: list[Any]) -> Any:
    """The sum of the values that are not None; None if there are none."""
    present = [value for value in values if value is not None]
    return sum(present) if present else None


def period(day: date, band: str) -> int:
    """The number of a period of the calendar."""
    months = day.year * 12 + day.month - 1
    return {"year": day.year, "quarter": months // 3, "month": months}.get(
        band, day.toordinal() // (7 if band == "week" else 1)
    )


def first_none(value: Any) -> tuple[bool, Any]:
    """A key that sorts None before every value."""
    return (value is not None, 0 if value is None or value is TOTAL else value)


def drawn(seed: int, key: str) -> str:
    return md5(f"{seed}:{key}".encode()).hexdigest()


def first_day(day: date, band: str) -> date:
    match band:
        case "year":
            return day.replace(month=1, day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "month":
            return day.replace(day=1)
        case "week":
            return day - timedelta(days=day.weekday())
        case _:
            return day


def result(function: AggregateFunction, values: list[Any]) -> Any:
    """A function of these values."""
    name = function.name
    if name == "count":
        return len(values)
    if name == "distinct":
        return len(set(values))
    if name == "sum":
        return sum(values)
    if not values or (name in ("variance", "deviation") and len(values) < 2):
        return None
    if name in ("minimum", "maximum"):
        return min(values) if name == "minimum" else max(values)
    if name == "mode":
        most = max(values.count(value) for value in values)
        return min(value for value in values if values.count(value) == most)
    if name in ("average", "variance", "deviation"):
        functions = {"average": statistics.fmean, "variance": statistics.variance, "deviation": statistics.stdev}
        return float(functions[name](values))
    places = {"median": 0.5, "lower_quartile": 0.25, "upper_quartile": 0.75}
    return quantile(sorted(float(value) for value in values), places.get(name, function.argument or 0.0))


def quantile(values: list[float], place: float) -> float:
    position = place * (len(values) - 1)
    below = math.floor(position)
    above = min(below + 1, len(values) - 1)
    return values[below] + (position - below) * (values[above] - values[below])


def computed(measure: Measure, number: Callable[[Measure], Any]) -> Any:
    if isinstance(measure, Constant):
        return float(measure.value)
    assert isinstance(measure, Arithmetic)
    left, right = number(measure.left), number(measure.right)
    if left is None or right is None or (measure.operator == "/" and right == 0):
        return None
    left, right = float(left), float(right)
    return {"+": left + right, "-": left - right, "*": left * right}.get(measure.operator, left / (right or 1.0))


def holds(having: Having, number: Callable[[Measure], Any]) -> bool:
    if isinstance(having, HavingNot):
        return not holds(having.condition, number)
    if isinstance(having, HavingAll):
        return all(holds(part, number) for part in having.conditions)
    if isinstance(having, HavingAny):
        return any(holds(part, number) for part in having.conditions)
    assert isinstance(having, MeasureComparison)
    value, operand = number(having.measure), having.value
    if having.operator in ("=", "!="):
        return (value == operand) == (having.operator == "=")
    if value is None:
        return False
    compared = {"<": value < operand, "<=": value <= operand, ">": value > operand, ">=": value >= operand}
    return compared[having.operator]
