"""The server's half: one request of the vendor's client, a list of operations, answered as a whole. Pure.

Reads are answered as they come. Where a request writes, all of it happens in one transaction: operations that
write are gathered into one change set, which is committed when another kind of operation wants to see it, or
at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import msgspec
from attrs import define, field, frozen

from callsheet.dialects.ftrack.actions import ACTIONS, AFTERWARDS, WRITING_ACTIONS
from callsheet.dialects.ftrack.batch import Batch
from callsheet.dialects.ftrack.catalogue import Catalogue, catalogue_of
from callsheet.dialects.ftrack.question import read_question
from callsheet.dialects.ftrack.reading import Manner, Reader
from callsheet.dialects.ftrack.refusal import JSON, UnsupportedAction, refused
from callsheet.dialects.protocol import Backend
from callsheet.errors import CallsheetError, Invalid, QueryError, SchemaError, ServerError, TooLarge
from callsheet.flow import Response
from callsheet.model.schema import Schema

__all__ = ["Asked", "Files", "Together", "handle"]

VERSION = "dev"
MOST = 20_000
"""Operations in one request."""

WRITING = ("create", "update", "delete")
T = TypeVar("T")


class Together(Backend, Protocol):
    """A backend that can do several things in one transaction."""

    @property
    def schema(self) -> Schema: ...

    def together(self, function: Callable[[Together], T]) -> T:
        """Call the function with a backend whose verbs all happen in one transaction; raising undoes all."""
        ...


class Files(Protocol):
    """Where uploaded files are kept: addresses to put them to, parts put together."""

    def address(self, url: str, key: str, part: int = 0) -> str: ...

    def join(self, key: str, upload: str, parts: Sequence[int]) -> None: ...

    def new_upload(self, key: str, parts: int) -> str: ...


@frozen
class Asked:
    """One request: who asks, how to answer, the server's own address."""

    user: str
    url: str
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)

    @property
    def manner(self) -> Manner:
        """Strictness and de-duplication, from two headers."""
        told = self.headers.get("ftrack-api-options", "").replace("=", ":").split(";")
        options = {name.strip(): value.strip() for name, _, value in (each.partition(":") for each in told)}
        strict = self.headers.get("ftrack-strict-api", "").lower() == "true" or options.get("strict") == "1"
        return Manner(strict, strict and options.get("denormalize") == "1", self.url)


def handle(backend: Together, files: Files, asked: Asked) -> Response:
    """Answer one request to ``/api``. Refusals become responses; any other exception is a fault and goes on up."""
    manner = asked.manner
    try:
        operations = _operations(asked.body)
        answers = _answers(backend, files, asked, manner, operations)
        return Response(200, msgspec.json.encode(answers), dict(JSON))
    except CallsheetError as error:
        if not isinstance(error, ServerError | QueryError | SchemaError):
            raise
        return refused(error, manner.strict)


def _operations(body: bytes) -> list[Mapping[str, Any]]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The request is not valid JSON: {error}") from None
    except RecursionError:
        raise Invalid("The request is nested too deep.") from None
    operations = [told] if isinstance(told, dict) else told
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise Invalid("A request is a list of operations, each of them a table with an action.")
    if len(operations) > MOST:
        raise TooLarge(f"{len(operations):,} operations in one request; at most {MOST:,} are taken.")
    return operations


def _answers(
    backend: Together, files: Files, asked: Asked, manner: Manner, operations: Sequence[Mapping[str, Any]]
) -> list[Any]:
    catalogue, schema_hash = catalogue_of(backend.schema)

    def answer(inside: Together) -> list[Any]:
        work = Work(inside, files, asked, Reader(inside, catalogue, manner), schema_hash)
        return work.all(operations)

    writing = any(each.get("action") in (*WRITING, *WRITING_ACTIONS) for each in operations)
    answers = backend.together(answer) if writing else answer(backend)
    for index, each in enumerate(operations):
        if each.get("action") in AFTERWARDS:
            work = Work(backend, files, asked, Reader(backend, catalogue, manner), schema_hash)
            answers[index] = AFTERWARDS[each["action"]](work, each)
    return answers


@define(eq=False)
class Work:
    """One request on its way; what the actions need."""

    backend: Together
    files: Files
    asked: Asked
    reader: Reader
    schema_hash: str
    _batch: Batch | None = None
    _answers: dict[int, Any] = field(factory=dict)

    @property
    def catalogue(self) -> Catalogue:
        return self.reader.catalogue

    def all(self, operations: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The answers, in the order of the operations."""
        for index, told in enumerate(operations):
            action = told.get("action")
            if action in WRITING:
                self.batch.add(index, action, told)
            else:
                self.flush()
                self._answers[index] = self._one(action, told)
        self.flush()
        return [self._answers[index] for index in range(len(operations))]

    @property
    def batch(self) -> Batch:
        """The writes that wait."""
        if self._batch is None:
            self._batch = Batch(self.reader, self.asked.user, datetime.now(UTC))
        return self._batch

    def flush(self) -> None:
        """Do the writes that wait, so that what comes next sees them."""
        if self._batch is not None:
            waiting, self._batch = self._batch, None
            self._answers.update(waiting.run())
            self.reader.forget()

    def _one(self, action: Any, told: Mapping[str, Any]) -> Any:
        if action == "query_server_information":
            return self._information()
        if action == "query_schemas":
            return self.catalogue.schemas
        if action == "query":
            return self._query(told)
        if action in AFTERWARDS:
            return None
        if not isinstance(action, str) or action not in ACTIONS:
            raise UnsupportedAction(str(action))
        return ACTIONS[action](self, told)

    def _information(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "schema_hash": self.schema_hash,
            "storage_scenario": {"scenario": "ftrack.automatic", "data": {}},
            "is_timezone_support_enabled": True,
        }

    def _query(self, told: Mapping[str, Any]) -> dict[str, Any]:
        expression = told.get("expression")
        if not isinstance(expression, str):
            raise Invalid("A query has an expression, a text.")
        data, following = self.reader.answer(read_question(expression))
        return {"action": "query", "data": data, "metadata": {"next": {"offset": following}}}
