"""A plan: what applying it would change, as sequences to look through, a table to read, JSON to keep."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, TypeVar, cast

from callsheet.core.core import Core
from callsheet.core.verb import Awaiting, Blocking, Verb
from callsheet.flow import Flow
from callsheet.model.operation import Operation
from callsheet.sync.applying import SyncResult, apply
from callsheet.sync.cells import RefusedRow
from callsheet.sync.plan_data import PlanData
from callsheet.sync.report import COLUMNS, as_json, lines, summary, table
from callsheet.sync.steps import Addition, Modification, Removal, Same, operations

__all__ = ["AsyncPlan", "Plan", "plan_class"]

T = TypeVar("T")


class PlanVerbs:
    """What is asked of a plan; see `Plan`."""

    def __init__(self, core: Core, data: PlanData) -> None:
        self._core = core
        self.data = data

    @property
    def created(self) -> Sequence[Addition]:
        """The rows whose key no entity has."""
        return self.data.created

    @property
    def changed(self) -> Sequence[Modification]:
        """The entities that get other values, with each value before and after."""
        return self.data.changed

    @property
    def deleted(self) -> Sequence[Removal]:
        """The entities that no row names, and that are deleted."""
        return self.data.deleted

    @property
    def unchanged(self) -> Sequence[Same]:
        """The rows whose entity has all their values."""
        return self.data.unchanged

    @property
    def refused(self) -> Sequence[RefusedRow]:
        """The rows that cannot go in: row, column, value, reason."""
        return self.data.refused

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What applying sends."""
        return operations(self.data.created, self.data.changed, self.data.deleted)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return not (self.data.created or self.data.changed or self.data.deleted)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.data.entity_type}: {summary(self.data)}>"

    def __str__(self) -> str:
        """The plan as a table: a line for each thing that happens, at most 20 of a kind, and how many there are."""
        return "\n".join(lines(self.data))

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data: counts, and everything that would happen."""
        return as_json(self.data)

    def to_pandas(self) -> Any:
        """One row for each thing that would happen: action, row, key, attribute, before, after, reason."""
        pandas: Any = import_module("pandas")
        return pandas.DataFrame(list(table(self.data)), columns=COLUMNS)

    @Verb
    def apply(self: Any, *, atomic: bool = True, chunk: int = 5_000, progress: Any = None) -> Flow[SyncResult]:
        """Send it: as one commit, or (``atomic=False``) in commits of ``chunk`` operations. See `apply`."""
        return apply(self._core, self.data, self.operations, atomic=atomic, chunk=chunk, progress=progress)


class Plan(Blocking, PlanVerbs):
    """What a sync would change. `apply` sends it; until then nothing is.

    ``created``, ``changed``, ``deleted``, ``unchanged`` and ``refused`` are sequences, ``print(plan)`` is a table.
    """

    def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session that the plan belongs to."""
        return cast(Blocking, self._core).run(flow)


class AsyncPlan(Awaiting, PlanVerbs):
    """What a sync would change, of an `AsyncSession`: ``await plan.apply()``."""

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session that the plan belongs to."""
        return await cast(Awaiting, self._core).run(flow)


def plan_class(core: Any) -> Any:
    """The class of plans that suits a session."""
    return AsyncPlan if getattr(core, "_awaits", False) else Plan
