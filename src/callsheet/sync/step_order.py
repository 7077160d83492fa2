"""The order of steps: each after those whose new entities its rows may refer to.

Theory. Types refer to each other: a shot to its sequence, a version to its shot, and a shot to its latest version.
Steps that refer to each other in a circle are a group, which is planned together; the groups are in order. Where
nothing decides, the order of the file stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from attrs import define, field

from callsheet.model.schema import Schema
from callsheet.sync.cells import Cells
from callsheet.sync.layout import path_text
from callsheet.sync.references import reference_keys
from callsheet.sync.step_planning import StepPlanning

__all__ = ["in_order", "may_refer", "refers"]

T = TypeVar("T")


def in_order(steps: Sequence[T], needs: Callable[[T, T], bool]) -> list[list[T]]:
    """The steps in groups; a group has several only if these need each other. ``needs`` says whether one needs another.

    >>> in_order(["shot", "sequence"], lambda one, other: (one, other) == ("shot", "sequence"))
    [['sequence'], ['shot']]
    """
    walk = _NeedsWalk([[there for there, other in enumerate(steps) if needs(one, other)] for one in steps])
    return [[steps[place] for place in sorted(group)] for group in walk.groups()]


def may_refer(schema: Schema, one: StepPlanning, other: StepPlanning) -> bool:
    """Whether, by their types, rows of one step may refer to entities that the other creates."""
    own = other.layout.entity_type.name
    return one is not other and any(schema.is_a(own, each.target_type) for each in one.layout.lookups)


def refers(schema: Schema, one: StepPlanning, other: StepPlanning, rows: Iterable[Cells]) -> bool:
    """Whether a row of one step names a row of the other; ``rows`` are those of the other."""
    wanted: list[tuple[tuple[str | None, ...], set[Any]]] = []
    texts = {path_text(target.path): text for text, target in other.layout.targets.items()}
    for lookup in one.layout.lookups:
        if not schema.is_a(other.layout.entity_type.name, lookup.target_type):
            continue
        keys = {key for cells in one.rows for key in reference_keys(lookup, cells.values)}
        if lookup.external is not None:
            wanted.append(((other.layout.keys[0],), keys))
        else:
            wanted.append((tuple(texts.get(path_text(target.rest)) for target in lookup.targets), keys))
    wanted = [(names, keys) for names, keys in wanted if keys and None not in names]
    return bool(wanted) and any(
        tuple([cells.values.get(str(name)) for name in names]) in keys for cells in rows for names, keys in wanted
    )


@define
class _NeedsWalk:
    """Tarjan's walk through the needs of all places: a group ends where the walk is back at its first place."""

    needs: list[list[int]]
    numbers: dict[int, int] = field(factory=dict)
    lowest: dict[int, int] = field(factory=dict)
    open: list[int] = field(factory=list)
    found: list[list[int]] = field(factory=list)

    def groups(self) -> list[list[int]]:
        """The places in groups, each after the groups that it needs."""
        for place in range(len(self.needs)):
            if place not in self.numbers:
                self._walk_from(place)
        return self.found

    def _walk_from(self, first: int) -> None:
        way = [self._enter(first)]
        while way:
            place, left = way[-1]
            following = next(left, None)
            if following is None:
                way.pop()
                self._leave(place)
                if way:
                    above = way[-1][0]
                    self.lowest[above] = min(self.lowest[above], self.lowest[place])
            elif following not in self.numbers:
                way.append(self._enter(following))
            elif following in self.open:
                self.lowest[place] = min(self.lowest[place], self.numbers[following])

    def _enter(self, place: int) -> tuple[int, Iterator[int]]:
        self.numbers[place] = self.lowest[place] = len(self.numbers)
        self.open.append(place)
        return place, iter(self.needs[place])

    def _leave(self, place: int) -> None:
        if self.lowest[place] == self.numbers[place]:
            start = self.open.index(place)
            self.found.append(self.open[start:])
            del self.open[start:]
