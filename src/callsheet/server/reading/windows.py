"""Measures beside other groups in SQL (their meaning: ``model/window.py``), over the folded groups of an aggregate.

A statement of groups has all kinds of rows: full groups, totals, and *helpers*, totals that only shares need and nobody
sees. Each measure becomes a window function over them. ``kind`` says which levels a row distinguishes, so rows are
compared within their kind; a share looks at the one row of its parent's kind. Places along a level are periods of the
calendar for a band, else the rank of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import ColumnElement, Subquery, and_, case, cast, func, literal, null, select, type_coerce

from callsheet.model.measure import Aggregate, Level, Measure
from callsheet.model.window import Window
from callsheet.server.reading.choosing import directed
from callsheet.server.store.columns import INTEGER, NUMBER
from callsheet.server.store.sql_template import SqlTemplate

__all__ = ["WindowStorey", "kinds_of"]

Column = ColumnElement[Any]


class _Ordinal(SqlTemplate):
    """The number of a period of the calendar."""

    inherit_cache = True
    type = INTEGER


class _Years(_Ordinal):
    inherit_cache = True
    sqlite, postgres = "CAST(substr({0}, 1, 4) AS INTEGER)", "extract(year FROM {0})::bigint"
    mariadb = "year({0})"


class _Months(_Ordinal):
    inherit_cache = True
    sqlite = "(CAST(substr({0}, 1, 4) AS INTEGER) * 12 + CAST(substr({0}, 6, 2) AS INTEGER) - 1)"
    postgres = "(extract(year FROM {0})::bigint * 12 + extract(month FROM {0})::bigint - 1)"
    mariadb = "(year({0}) * 12 + month({0}) - 1)"


class _Days(_Ordinal):
    inherit_cache = True
    sqlite, postgres = "CAST(julianday({0}) + 0.5 AS INTEGER)", "({0} - date '2000-01-01')::bigint"
    mariadb = "datediff({0}, '2000-01-01')"


_ORDINALS: dict[str, tuple[type[_Ordinal], int]] = {
    "year": (_Years, 1),
    "quarter": (_Months, 3),
    "month": (_Months, 1),
    "week": (_Days, 7),
    "day": (_Days, 1),
}
"""For each band, how its first days are numbered, and how far apart they are."""


def kinds_of(aggregate: Aggregate, windows: Sequence[Window]) -> tuple[tuple[int, ...], ...]:
    """The kinds of groups that are shown, then those that shares need."""
    shown = aggregate.kept
    parents = [_parent(aggregate, each, kept) for each in windows if each.name == "share" for kept in shown]
    return tuple(dict.fromkeys((*shown, *parents)))


def _parent(aggregate: Aggregate, window: Window, kept: Sequence[int]) -> tuple[int, ...]:
    """The places of the levels at which a group agrees with its total."""
    return tuple(place for place in kept if aggregate.group[place] in window.levels)


@frozen(eq=False)
class WindowStorey:
    """One more storey of a statement: the folded groups, with a column for each of the ``windows``.

    ``expression`` gives a measure without windows as a column of the folded groups.
    """

    aggregate: Aggregate
    kinds: Sequence[tuple[int, ...]]
    windows: Sequence[Window]
    expression: Callable[[Measure, Subquery], Column]

    def over(self, folded: Subquery) -> Subquery:
        """The folded groups with ``window_0`` and so on."""
        placed = self._placed(folded)
        found = [
            type_coerce(
                self._column(each, placed),
                NUMBER
                if each.name == "share"
                else INTEGER
                if each.name == "rank"
                else self.expression(each.of, placed).type,
            ).label(f"window_{index}")
            for index, each in enumerate(self.windows)
        ]
        return select(*placed.c, *found).subquery()

    def _placed(self, folded: Subquery) -> Subquery:
        """The groups with the place of each level that a measure goes along, as ``place_0`` and so on."""
        walked = {each.levels[0]: None for each in self.windows if each.name in ("previous", "following", "moving")}
        columns = [self._place(level, folded).label(f"place_{self.aggregate.group.index(level)}") for level in walked]
        return select(*folded.c, *columns).subquery() if columns else folded

    def _place(self, level: Level, folded: Subquery) -> Column:
        value = folded.c[f"level_{self.aggregate.group.index(level)}"]
        if level.band is None:
            return func.dense_rank().over(partition_by=self._kind(folded), order_by=directed(value, False))
        ordinal, apart = _ORDINALS[level.band]
        return ordinal(value) // literal(apart, INTEGER) if apart > 1 else ordinal(value)

    def _column(self, window: Window, groups: Subquery) -> Column:
        value = self.expression(window.of, groups)
        if window.name == "share":
            return self._share(window, value, groups)
        if window.name == "rank":
            agreed = [*self._kind(groups), *self._levels(window.levels, groups)]
            place = func.rank().over(partition_by=agreed, order_by=value.desc().nulls_last())
            return case((value.is_not(None), place))
        (level,) = window.levels
        return case((and_(*self._has_place(window, level, groups)), self._along(window, level, value, groups)))

    def _share(self, window: Window, value: Column, groups: Subquery) -> Column:
        """The value through that of the row that is its total: another one for each kind of rows."""
        totals: list[tuple[Column, Column]] = []
        for number, kept in enumerate(self.aggregate.kept):
            parent = _parent(self.aggregate, window, kept)
            levels: list[Column] = [groups.c[f"level_{place}"] for place in parent]
            whole = func.max(cast(value, NUMBER)).filter(groups.c.kind == self.kinds.index(parent))
            totals.append((groups.c.kind == number, whole.over(partition_by=levels or None)))
        total: Column = case(*totals)
        return cast(value, NUMBER) / func.nullif(total, literal(0.0, NUMBER), type_=NUMBER)

    def _along(self, window: Window, level: Level, value: Column, groups: Subquery) -> Column:
        others = [each for each in self.aggregate.group if each != level]
        partition = [*self._kind(groups), *self._levels(others, groups)]
        if window.name == "cumulative":
            order = directed(groups.c[f"level_{self.aggregate.group.index(level)}"], False)
            return cast(func.sum(value).over(partition_by=partition, order_by=order, rows=(None, 0)), value.type)
        place = groups.c[f"place_{self.aggregate.group.index(level)}"]
        if window.name == "moving":
            frame = (1 - window.number, 0)
            return cast(func.sum(value).over(partition_by=partition, order_by=place, range_=frame), value.type)
        steps = -window.number if window.name == "previous" else window.number
        return func.max(value).over(partition_by=partition, order_by=place, range_=(steps, steps))

    def _has_place(self, window: Window, level: Level, groups: Subquery) -> list[Any]:
        """The conditions that a row has a place along the level."""
        place = self.aggregate.group.index(level)
        kinds = [number for number, kept in enumerate(self.aggregate.kept) if place in kept]
        found: list[Any] = [groups.c.kind.in_(kinds)]
        if level.band is not None and window.name != "cumulative":
            found.append(groups.c[f"level_{place}"].is_not(null()))
        return found

    def _kind(self, groups: Subquery) -> list[Column]:
        return [groups.c.kind]

    def _levels(self, levels: Sequence[Level], groups: Subquery) -> list[Column]:
        return [groups.c[f"level_{self.aggregate.group.index(each)}"] for each in levels]
