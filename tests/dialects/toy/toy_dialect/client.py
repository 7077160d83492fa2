"""The client's half: each verb is one request, with a verb's name in the path and its arguments pickled."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.dialects.protocol import CommitResult, Description
from callsheet.flow import Flow, Request
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Select
from callsheet.model.record import Page
from callsheet.model.schema import Schema
from toy_dialect.declaration import TOY

__all__ = ["ToyDialect"]


class ToyDialect:
    """Flows that speak the toy's wire."""

    name = "toy"
    declaration = TOY

    @staticmethod
    def credentials(user: str, key: str) -> dict[str, str]:
        """The headers that say who calls."""
        return {"toy-user": user, "toy-key": key}

    def learn(self, schema: Schema) -> None:
        """Replies need no schema to be read."""

    def describe(self, known_hash: str = "") -> Flow[Description]:
        return (yield from self._verb("describe", known_hash))

    def select(self, select: Select, size: int, cursor: str | None = None) -> Flow[Page]:
        return (yield from self._verb("select", select, size, cursor))

    def aggregate(self, aggregate: Aggregate) -> Flow[list[tuple[Any, ...]]]:
        return (yield from self._verb("aggregate", aggregate))

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> Flow[None]:
        return (yield from self._verb("stage", commit_id, number, list(operations)))

    def commit(self, changes: ChangeSet) -> Flow[CommitResult]:
        return (yield from self._verb("commit", changes))

    def call(self, action: str, arguments: Mapping[str, Any]) -> Flow[Any]:
        return (yield from self._verb("call", action, dict(arguments)))

    def _verb(self, verb: str, *arguments: Any) -> Flow[Any]:
        headers = {"content-type": "application/x-toy"}
        response = yield Request("POST", f"/toy/{verb}", pickle.dumps(arguments), headers=headers, safe=True)
        answer = pickle.loads(response.content)
        if isinstance(answer, Exception):
            raise answer
        return answer
