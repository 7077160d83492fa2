"""Measures of a cube that other measures of it name; for a question, each name gives way to what it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import evolve, fields, frozen, has

from callsheet.errors import UsageError
from callsheet.model.measure import Measure
from callsheet.model.query import Condition
from callsheet.model.schema import did_you_mean

__all__ = ["NamedMeasure", "names_in", "replaced", "resolved"]


@frozen(order=False)
class NamedMeasure(Measure):
    """Another measure of the same cube, by its name: ``[Actual]`` in texts.

    >>> from callsheet.model.measure import AggregateFunction
    >>> resolved(NamedMeasure("Tasks") / 2, {"Tasks": AggregateFunction("count")}).left.name
    'count'
    """

    name: str

    def where(self, condition: Condition) -> Measure:
        raise UsageError(f"`[{self.name}]` is a name: put the condition on the measure that it stands for")


def replaced(value: Any, change: Callable[[NamedMeasure], Measure]) -> Any:
    """A measure in which each name is what a function gives for it; the same object if there is none."""
    if isinstance(value, NamedMeasure):
        return change(value)
    if isinstance(value, tuple):
        parts = tuple(replaced(each, change) for each in value)
        return value if all(new is old for new, old in zip(parts, value)) else parts
    if not has(type(value)):
        return value
    changed = {}
    for each in fields(type(value)):
        before = getattr(value, each.name)
        if (after := replaced(before, change)) is not before:
            changed[each.name] = after
    return evolve(value, **changed) if changed else value


def names_in(measure: Any) -> Iterator[str]:
    """The names of other measures in a measure."""
    found: list[str] = []

    def noted(each: NamedMeasure) -> Measure:
        found.append(each.name)
        return each

    replaced(measure, noted)
    yield from dict.fromkeys(found)


def resolved(measure: Measure, measures: Mapping[str, Measure], above: tuple[str, ...] = ()) -> Measure:
    """A measure without names. Raises `UsageError` for one that is unknown, or leads back to itself."""

    def meant(each: NamedMeasure) -> Measure:
        if each.name in above:
            way = " > ".join(f"`{name}`" for name in (*above[above.index(each.name) :], each.name))
            raise UsageError(f"a measure cannot be made of itself: {way}")
        if each.name not in measures:
            near = did_you_mean(each.name, measures)
            raise UsageError(f"there is no measure `{each.name:.80}`{near}")
        return resolved(measures[each.name], measures, (*above, each.name))

    found: Measure = replaced(measure, meant)
    return found
