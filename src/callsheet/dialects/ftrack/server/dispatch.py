"""The server's half: one request of the vendor's client, a list of operations, answered as a whole. Pure.

Reads are answered as they come. Where a request writes, all of it from the first write on happens in one transaction:
operations that write are gathered into one change set, which is committed when an operation of another kind must see
it, or at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from callsheet.dialects.ftrack.server.actions.offered import ACTIONS, AFTERWARDS, WRITING_ACTIONS
from callsheet.dialects.ftrack.server.reading.store_reader import AnswerFormat, StoreReader
from callsheet.dialects.ftrack.server.requests.error_response import JSON, UnsupportedAction, error_response
from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.dialects.ftrack.server.requests.server_information import information
from callsheet.dialects.ftrack.server.requests.vendor_request import TransactionalBackend, VendorRequest
from callsheet.dialects.ftrack.server.schema.catalogue import catalogue_of
from callsheet.dialects.ftrack.server.translation.query_text import parse_vendor_query
from callsheet.errors import CallsheetError, Invalid, QueryError, SchemaError, ServerError, TooLarge
from callsheet.flow import Response

__all__ = ["VendorRequest", "TransactionalBackend", "handle"]

MOST = 20_000
"""Operations in one request."""

WRITING = ("create", "update", "delete")


def handle(backend: TransactionalBackend, asked: VendorRequest) -> Response:
    """Answer one request to ``/api``. Refusals become responses; any other exception is a fault and goes on up."""
    manner = asked.manner
    try:
        operations = _operations(asked.body)
        answers = _answers(backend, asked, manner, operations)
        return Response(200, msgspec.json.encode(answers), dict(JSON))
    except CallsheetError as error:
        if not isinstance(error, ServerError | QueryError | SchemaError):
            raise
        return error_response(error, manner.strict)


def _operations(body: bytes) -> list[Mapping[str, Any]]:
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The request is not valid JSON: {error}") from None
    except RecursionError:
        raise Invalid("The request is nested too deep.") from None
    operations = [decoded] if isinstance(decoded, dict) else decoded
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise Invalid("A request must be a list of operations, each a table with an action.")
    if len(operations) > MOST:
        raise TooLarge(f"{len(operations):,} operations in one request; at most {MOST:,} are taken.")
    return operations


def _answers(
    backend: TransactionalBackend,
    asked: VendorRequest,
    manner: AnswerFormat,
    operations: Sequence[Mapping[str, Any]],
) -> list[Any]:
    catalogue, schema_hash = catalogue_of(backend.schema)

    def answer(inside: TransactionalBackend, first: int, end: int) -> list[Any]:
        work = RequestContext(inside, asked, StoreReader(inside, catalogue, manner))
        return _all(work, operations[first:end], schema_hash, first)

    count = len(operations)
    writes = (index for index, each in enumerate(operations) if each.get("action") in (*WRITING, *WRITING_ACTIONS))
    first = next(writes, count)
    _check_alone(operations, first < count)
    # What is read before the first write needs no transaction.
    answers = answer(backend, 0, first)
    if first < count:
        answers += backend.together(lambda inside: answer(inside, first, count))
    for index, each in enumerate(operations):
        if each.get("action") in AFTERWARDS:
            work = RequestContext(backend, asked, StoreReader(backend, catalogue, manner))
            answers[index] = AFTERWARDS[each["action"]](work, each)
    return answers


def _check_alone(operations: Sequence[Mapping[str, Any]], writing: bool) -> None:
    """Raise `Invalid` where a request that fails at its end would leave changes behind."""
    own = [each["action"] for each in operations if each.get("action") in AFTERWARDS]
    if len(own) > 1 or (own and writing):
        raise Invalid(f"{own[0]} cannot be undone; send it in a request of its own.")


def _all(work: RequestContext, operations: Sequence[Mapping[str, Any]], schema_hash: str, first: int) -> list[Any]:
    """The answers, in the order of the operations, of which the first has this number in its request."""
    for index, operation in enumerate(operations, first):
        action = operation.get("action")
        if action in WRITING:
            work.batch.add(index, action, operation)
        else:
            work.flush()
            work.answered[index] = _one(work, action, operation, schema_hash)
    work.flush()
    return [work.answered[index] for index in range(first, first + len(operations))]


def _one(work: RequestContext, action: Any, operation: Mapping[str, Any], schema_hash: str) -> Any:
    if action == "query_server_information":
        return information(work.reader, schema_hash)
    if action == "query_schemas":
        return work.catalogue.schemas
    if action == "query":
        return _query(work, operation)
    if action in AFTERWARDS:
        return None
    if not isinstance(action, str) or action not in ACTIONS:
        raise UnsupportedAction(str(action))
    return ACTIONS[action](work, operation)


def _query(work: RequestContext, operation: Mapping[str, Any]) -> dict[str, Any]:
    expression = operation.get("expression")
    if not isinstance(expression, str):
        raise Invalid("The expression of a query must be a text.")
    data, following = work.answers.answer(parse_vendor_query(expression))
    return {"action": "query", "data": data, "metadata": {"next": {"offset": following}}}
