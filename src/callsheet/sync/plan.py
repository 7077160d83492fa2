"""A plan: what applying it would change, as sequences to look through, a table to read, JSON to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar, cast

from callsheet.core.core import Core
from callsheet.core.verb import Awaiting, Blocking, Verb
from callsheet.flow import Flow
from callsheet.model.operation import Operation
from callsheet.model.record import Identity
from callsheet.sync.applying import SyncResult, apply
from callsheet.sync.cells import RefusedRow
from callsheet.sync.plan_data import PlanData
from callsheet.sync.report import COLUMNS, as_json, lines, summary, table
from callsheet.sync.runs import run_origin
from callsheet.sync.shipment import LargeOperations, Shipment, operations_of
from callsheet.sync.spill import joined
from callsheet.sync.steps import (
    Addition,
    Disagreement,
    Linked,
    LostEntity,
    Modification,
    Removal,
    Same,
)

__all__ = ["AsyncPlan", "Plan", "plan_class"]

T = TypeVar("T")


class PlanVerbs:
    """The methods of a plan; see `Plan`."""

    def __init__(self, core: Core, steps: Sequence[PlanData], name: str, digest: str = "") -> None:
        self._core = core
        #: What the runs of this sync are called in the log, and the digest of the files that were read.
        self.name, self.digest = name, digest
        #: What was found for each entity type, in the order in which the types depend on each other.
        self.steps = tuple(steps)

    @property
    def created(self) -> Sequence[Addition]:
        """The rows whose key no entity has."""
        return joined([step.created for step in self.steps])

    @property
    def changed(self) -> Sequence[Modification]:
        """The entities that get other values, with each value before and after."""
        return joined([step.changed for step in self.steps])

    @property
    def deleted(self) -> Sequence[Removal]:
        """The entities that no row names, and that are deleted."""
        return joined([step.deleted for step in reversed(self.steps)])

    @property
    def unchanged(self) -> Sequence[Same]:
        """The rows whose entity has all their values."""
        return joined([step.unchanged for step in self.steps])

    @property
    def refused(self) -> Sequence[RefusedRow]:
        """The rows that cannot go in: row, column, value, reason."""
        return joined([step.refused for step in self.steps])

    @property
    def linked(self) -> Sequence[Linked]:
        """The pairs of rows and entities that were there on both sides and are linked from now on."""
        return joined([step.linked for step in self.steps])

    @property
    def gone(self) -> Sequence[LostEntity]:
        """The rows whose entity was deleted here since they were linked."""
        return joined([step.gone for step in self.steps])

    @property
    def conflicts(self) -> Sequence[Disagreement]:
        """What was changed on both sides and is left as it is until somebody decides."""
        return joined([step.conflicts for step in self.steps])

    @property
    def overridden(self) -> Sequence[Disagreement]:
        """The edits of one side that the other's value overrides, by policy."""
        return joined([step.overridden for step in self.steps])

    @property
    def links(self) -> Mapping[Identity, Operation]:
        """What the registry of external ids and bases gets, by the entity that it is about."""
        return {identity: link for step in self.steps for identity, link in step.links.items()}

    @property
    def operations(self) -> tuple[Operation, ...] | LargeOperations:
        """What applying sends."""
        types = self._core.schema.types

        def required(identity: Identity, name: str) -> bool:
            attribute = types[identity.entity_type].attributes.get(name)
            return attribute is not None and attribute.required

        return operations_of(self.steps, required, self.links)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change, and nothing to note."""
        return all(step.is_empty for step in self.steps)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'; '.join(f'{step.entity_type}: {summary(step)}' for step in self.steps)}>"

    def __str__(self) -> str:
        """The plan as a table: a line for each thing that happens, at most 20 of a kind, and how many there are."""
        return "\n".join(line for step in self.steps for line in lines(step))

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data: counts, and everything that would happen."""
        return {"steps": [as_json(step) for step in self.steps]}

    def to_pandas(self) -> Any:
        """One row for each thing that would happen: action, row, key, attribute, before, after, reason."""
        pandas: Any = import_module("pandas")
        return pandas.DataFrame([line for step in self.steps for line in table(step)], columns=COLUMNS)

    @Verb
    def apply(self: Any, *, atomic: bool = True, chunk: int = 5_000, progress: Any = None) -> Flow[SyncResult]:
        """Send it: as one commit, or (``atomic=False``) in commits of ``chunk`` operations. See `apply`."""
        origin = run_origin(self.name, self.digest)
        own = {link.identity: identity for identity, link in self.links.items()}
        work = Shipment(self.operations, own, origin)
        return apply(self._core, self.steps, work, atomic=atomic, chunk=chunk, progress=progress)


class Plan(Blocking, PlanVerbs):
    """What a sync would change. `apply` sends it; until then nothing is.

    ``created``, ``changed``, ``deleted``, ``unchanged`` and ``refused`` are sequences, as are ``linked``, ``gone``,
    ``overridden`` and ``conflicts``; ``print(plan)`` is a table.
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
