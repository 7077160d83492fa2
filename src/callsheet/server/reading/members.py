"""Members: the values that levels have among the entities of their dimensions, with facts or without."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from sqlalchemy import Connection, FromClause, func, literal, select, true
from sqlalchemy import Select as Statement

from callsheet.errors import TooLarge
from callsheet.model.dimension import Dimension, dimensions_of
from callsheet.model.measure import Aggregate
from callsheet.server.access.access import Access
from callsheet.server.reading.bands import banded
from callsheet.server.reading.cost import GROUPS
from callsheet.server.reading.sql import Scope
from callsheet.server.store.store import Store

__all__ = ["LevelMembers"]


class LevelMembers:
    """The members of all levels, and their combinations; an account has those that it may read."""

    def __init__(self, store: Store, access: Access | None, aggregate: Aggregate) -> None:
        self._store, self._access = store, access
        self._dimensions = dimensions_of(aggregate, store.schema)

    def rows(self, kept: Sequence[int]) -> Statement[Any]:
        """All combinations of the members at some levels, as ``level_0`` and so on."""
        sources = self._sources(kept)
        joined = reduce(lambda left, right: left.join(right, true()), sources)
        return select(*(column for source in sources for column in source.c)).select_from(joined)

    def check(self, connection: Connection) -> None:
        """Raise `TooLarge` if there are more combinations than an answer may have groups."""
        sources = self._sources([place for each in self._dimensions for place in each.levels])
        joined = reduce(lambda left, right: left.join(right, true()), sources)
        some = select(literal(1)).select_from(joined).limit(GROUPS + 1).subquery()
        if (connection.execute(select(func.count()).select_from(some)).scalar() or 0) > GROUPS:
            raise TooLarge(
                f"the members of the levels make more than {GROUPS:,} groups; ask for fewer levels, or without `empty`"
            )

    def _sources(self, kept: Sequence[int]) -> list[FromClause]:
        found = [self._of(each, [place for place in each.levels if place in kept]) for each in self._dimensions]
        return [source for source in found if source is not None]

    def _of(self, dimension: Dimension, places: Sequence[int]) -> FromClause | None:
        """The members of one dimension at some of its levels."""
        if not places:
            return None
        scope = Scope(self._store, dimension.select.entity_type, self._access)
        levels = [(place, dimension.levels[place]) for place in places]
        columns = [banded(scope.row_value(level.path), level).expression.label(f"level_{n}") for n, level in levels]
        conditions = scope.of_type()
        if dimension.select.where is not None:
            conditions.append(scope.condition(dimension.select.where))
        return select(*columns).select_from(scope.source).where(*conditions).distinct().subquery()
