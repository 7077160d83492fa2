"""Why a number changed: the commits that changed a cell of an aggregate since a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from callsheet.core.calls import call
from callsheet.core.core import Core
from callsheet.core.past.history import Moment, moment_of
from callsheet.dialects.protocol import ExplainingDialect
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.cause import CellQuestion, NumberChange
from callsheet.model.measure import Aggregate

__all__ = ["position_of", "why"]


def why(
    core: Core, aggregate: Aggregate, cell: Sequence[Any], since: Moment, until: Moment | None = None, measure: int = 0
) -> Flow[NumberChange]:
    """The commits after a moment, up to another (None: now), that changed a measure in a cell of an aggregate."""
    dialect = core._dialect
    if not (core.features.causes and isinstance(dialect, ExplainingDialect)):
        raise UsageError("this server does not say why numbers changed; `commits` and `history` show what changed")
    first = yield from position_of(core, since)
    last = None if until is None else (yield from position_of(core, until))
    core.statistics.count("why")
    return (yield from dialect.why(CellQuestion(aggregate, tuple(cell), first, last, measure)))


def position_of(core: Core, moment: Moment) -> Flow[int]:
    """The position of the last commit at a moment."""
    found = moment_of(moment)
    if not isinstance(found, datetime):
        return found
    answer = yield from call(core, "at", {"time": found})
    position: int = answer["position"]
    return position
