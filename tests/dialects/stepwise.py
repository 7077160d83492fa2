"""A toy server without transactions: it applies the operations of a commit one by one, and knows no commit ids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from callsheet.dialects.local import LocalDialect
from callsheet.dialects.protocol import CommitResult, Description
from callsheet.errors import Disconnected, Invalid, ServerError, Unavailable
from callsheet.flow import Flow
from callsheet.model.operation import ChangeSet, Create, Delete, Operation
from callsheet.model.query import Comparison, Path, Select, Step
from callsheet.model.record import Identity, new_key

__all__ = ["StepwiseBackend", "StepwiseDialect"]


class StepwiseBackend:
    """A backend over an embedded one. ``faults`` are taken one for each operation: ``"lost"`` (done, reply lost),
    ``"cut"`` (not done, no reply), ``"refused"``, ``"fault"`` (not done, a server's fault), or ``""``."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.faults: list[str] = []
        self.applied: list[Operation] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def describe(self, known_hash: str = "") -> Description:
        described: Description = self._backend.describe(known_hash)
        features = evolve(described.features, atomic=False, commit_ids=False, staging=False, history=False)
        return evolve(described, features=features)

    def commit(self, changes: ChangeSet) -> CommitResult:
        """Apply one operation after the other; what was applied before a refusal stays applied."""
        results = [self._apply(changes, place) for place in range(len(changes.operations))]
        last = results[-1]
        versions = [version for result in results for version in result.versions]
        return evolve(last, commit_id=changes.commit_id, versions=versions)

    def _apply(self, changes: ChangeSet, place: int) -> CommitResult:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "cut":
            raise Disconnected("the connection was lost")
        if fault == "fault":
            raise Unavailable("come back later")
        if fault == "refused":
            raise Invalid("this one is not taken", operation=place)
        operation = changes.operations[place]
        try:
            done: CommitResult = self._backend.commit(ChangeSet(new_key(), (operation,), policy=changes.policy))
        except ServerError as error:
            error.operation = place
            raise
        self.applied.append(operation)
        if fault == "lost":
            raise Disconnected("the connection was lost")
        return done


class StepwiseDialect(LocalDialect):
    """Looks at the server to find out whether an operation was done."""

    def verify(self, changes: ChangeSet) -> Flow[CommitResult | None]:
        (operation,) = changes.operations
        found = yield from self._row(operation)
        if isinstance(operation, Create):
            done = found is not None
        elif isinstance(operation, Delete):
            done = found is None
        else:
            done = found is not None and all(found[name] == value for name, value in operation.values.items())
        if not done:
            return None
        return CommitResult(changes.commit_id, 0, datetime.now(UTC), [None], replayed=True)

    def _row(self, operation: Operation) -> Flow[dict[str, Any] | None]:
        identity: Identity = operation.identity
        names = tuple(getattr(operation, "values", {}))
        paths = tuple(Path((Step(name),)) for name in names)
        select = Select(identity.entity_type, paths, Comparison(Path.of("id"), "=", identity.key))
        page = yield from self.select(select, 1)
        for records in page.records[: page.roots]:
            for row in records.rows:
                return dict(zip(records.attributes, row[2:]))
        return None
