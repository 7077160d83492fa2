"""The totals of all rows of a query, of each of its groups, and of the work on them by step and status."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from callsheet.errors import Invalid
from callsheet.explorer.work import WorkType, is_status
from callsheet.model.measure import TOTAL, Aggregate, AggregateFunction, Level
from callsheet.model.query import Comparison, Order, Path, Select, Step
from callsheet.model.question import Question
from callsheet.model.schema import EntityType, Schema

__all__ = ["GroupLevel", "SummaryRequest", "grouped", "summary"]

GROUPS = 5_000
"""Groups of one sheet."""


@frozen
class GroupLevel:
    """What rows are grouped by: the value at a path; of a reference also its label."""

    path: Path
    label: Path | None
    target: str = ""

    @property
    def order(self) -> tuple[Order, ...]:
        """Rows of one group come together, the groups by their labels."""
        return (Order(self.path),) if self.label is None else (Order(self.label), Order(self.path))

    @property
    def levels(self) -> tuple[Level, ...]:
        return tuple(Level(each.path) for each in self.order)


@frozen
class SummaryRequest:
    """A query, what it is grouped by, the work on its rows, and the numbers whose sums are wanted."""

    select: Select
    level: GroupLevel | None
    work: WorkType | None
    totals: tuple[Path, ...] = ()


def grouped(schema: Schema, entity_type: EntityType, text: str) -> GroupLevel:
    """The level of a path such as ``parent`` or ``status.state``; raises `Invalid` if rows cannot be grouped by it."""
    path, at = Path.of(text), entity_type
    for place, name in enumerate(path.names):
        attribute = at.attributes.get(name)
        last = place == len(path.names) - 1
        if attribute is None and not last:
            raise Invalid(f"`{text:.80}` is no path of {entity_type.name}")
        if attribute is not None and attribute.kind == "collection":
            raise Invalid(f"rows are not grouped by `{text:.80}`: {at.name} has many {name}")
        if attribute is not None and attribute.kind == "reference":
            at = schema.type(str(attribute.target))
            if last:
                return GroupLevel(path, Path((*path.steps, Step(at.label))), at.name)
        elif not last:
            raise Invalid(f"`{text:.80}` goes on after {name}, which is no reference")
    return GroupLevel(path, None)


def summary(backend: Any, wanted: SummaryRequest) -> dict[str, Any]:
    """Count, sums, groups with theirs, and how much work has which status; of one position."""
    schema = backend.schema
    counted = evolve(wanted.select, projections=(), order=())
    sums = tuple(AggregateFunction("sum", each) for each in wanted.totals)
    levels = () if wanted.level is None else wanted.level.levels
    groups = Aggregate(
        counted, (AggregateFunction("count"), *sums), levels, order=levels, totals=((),) if levels else False
    )
    asked = [Question(groups)]
    if wanted.work is not None:
        asked.append(Question(_by_status(wanted, wanted.work, counted)))
    answers = backend.ask(asked)
    found: dict[str, Any] = {"position": answers[0].position}
    rows = [row for row in answers[0].rows if not levels or row[0] is not TOTAL]
    total = next((row for row in answers[0].rows if not levels or row[0] is TOTAL), None)
    many = len(levels)
    found["count"] = 0 if total is None else total[many]
    found["totals"] = [] if total is None else list(total[many + 1 :])
    places: dict[Any, int] = {}
    if wanted.level is not None:
        if len(rows) > GROUPS:
            raise Invalid(
                f"there are {len(rows):,} groups, and a sheet has at most {GROUPS:,}; group by something else"
            )
        places = {_key(row[many - 1]): place for place, row in enumerate(rows)}
        found["groups"] = [
            {"key": _key(row[many - 1]), "label": row[0], "count": row[many], "totals": list(row[many + 1 :])}
            for row in rows
        ]
        found["target"] = wanted.level.target
    if wanted.work is not None:
        found |= _bars(backend, schema, wanted.work, answers[1].rows, places)
    return found


def _by_status(wanted: SummaryRequest, work: WorkType, counted: Select) -> Aggregate:
    """How many pieces of work have which step and status, in each group of what they are for."""
    inner = evolve(counted, projections=(Path.of("id"),), order=wanted.select.order if counted.limit else ())
    where = Comparison(Path.of(f"{work.parent}.id"), "in", inner)
    up = Step(work.parent, wanted.select.entity_type)
    group = [] if wanted.level is None else [Level(Path((up, *wanted.level.path.steps)))]
    group += [Level(Path.of(work.step)), Level(Path.of(work.status))]
    return Aggregate(Select(work.type, where=where), (AggregateFunction("count"),), tuple(group))


def _bars(backend: Any, schema: Schema, work: WorkType, rows: Any, places: dict[Any, int]) -> dict[str, Any]:
    """Steps, statuses, and for each group, step and status (by their places) how much work there is."""
    used_steps = {_key(row[-3]) for row in rows}
    steps = [each for each in _entities(backend, schema, work.step_type) if each["key"] in used_steps]
    if None in used_steps:
        steps.append({"key": None, "label": f"No {work.step}"})
    state = is_status(schema, schema.type(work.type).attributes[work.status])
    statuses = _entities(backend, schema, work.status_type, "state.short" if state else "")
    statuses.append({"key": None, "label": f"No {work.status}"})
    step_at = {each["key"]: place for place, each in enumerate(steps)}
    status_at = {each["key"]: place for place, each in enumerate(statuses)}
    bars = []
    for row in rows:
        group = places.get(_key(row[0]), 0) if len(row) == 4 else 0
        step, status = step_at.get(_key(row[-3])), status_at.get(_key(row[-2]))
        if step is not None and status is not None:
            bars.append([group, step, status, row[-1]])
    return {"steps": steps, "statuses": statuses, "bars": bars}


def _entities(backend: Any, schema: Schema, name: str, also: str = "") -> list[dict[str, Any]]:
    """All entities of a small type in the order that they have of their own: key, label, and what they mean."""
    entity_type = schema.type(name)
    label = Path.of(entity_type.label)
    order = (Order(Path.of("sort")), Order(label)) if "sort" in entity_type.attributes else (Order(label),)
    page = backend.select(Select(name, (label, *([Path.of(also)] if also else [])), order=order), 500)
    meaning = {}
    if also:
        first, last = also.split(".")
        related = {str(row[0]): row for block in page.records[page.roots :] for row in block.rows}
        names = {str(row[0]): block.attributes for block in page.records[page.roots :] for row in block.rows}
        for block in page.records[: page.roots]:
            for row in block.rows:
                key = _key(row[block.attributes.index(first) + 2])
                if key in related:
                    meaning[str(row[0])] = related[key][names[key].index(last) + 2]
    found = []
    for block in page.records[: page.roots]:
        place = block.attributes.index(entity_type.label) + 2
        found += [{"key": str(row[0]), "label": row[place], "state": meaning.get(str(row[0]))} for row in block.rows]
    return found if page.order is None else [found[place] for place in page.order]


def _key(value: Any) -> Any:
    """What a value at a level is compared by: of an entity its key."""
    if isinstance(value, tuple):
        return str(value[1])
    key = getattr(value, "key", None)
    return value if key is None else str(key)
