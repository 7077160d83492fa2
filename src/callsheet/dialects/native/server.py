"""The server half: requests become calls of a `Backend`, its results and errors become responses. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from callsheet.dialects.native import causes, codec, measures, questions, serving, shapes
from callsheet.dialects.native.columns import can_write, stream_of_page
from callsheet.dialects.native.events import WireEvent, event_in
from callsheet.dialects.protocol import (
    AskingBackend,
    Backend,
    ColumnBackend,
    EventBackend,
    ExplainingBackend,
    ScenarioBackend,
    TableBackend,
)
from callsheet.errors import Invalid, NotFound, QueryError, SchemaError, ServerError, Unavailable
from callsheet.flow import Response
from callsheet.model.converter import changes_from_plain, operations_from_plain
from callsheet.model.plain import Malformed
from callsheet.model.record import Page
from callsheet.model.values import pack, unpack

__all__ = ["error_response", "handle"]

COMMIT_ID_LENGTH = 128
Headers: TypeAlias = Mapping[str, str]


def handle(
    backend: Backend, method: str, path: str, params: Mapping[str, str], headers: Headers, body: bytes
) -> Response:
    """Answer one HTTP request: ``path`` is percent-encoded, header names are in lower case.

    Callsheet's errors become responses; any other exception is propagated to the error boundary.
    """
    try:
        if (position := headers.get("x-callsheet-at")) is not None:
            backend = backend.at(_position(position))
        if (label := headers.get(shapes.SCENARIO)) is not None:
            backend = _in_scenario(backend, unquote(label))
        if headers.get(shapes.WHOLE_SCHEMA) is not None:
            params = {**params, shapes.WHOLE_SCHEMA: "1"}
        if headers.get("accept") == shapes.ARROW:
            params = {**params, shapes.ARROW: "1"}
        return _route(backend, method, path, params, body)
    except ServerError as error:
        return error_response(error)
    except QueryError as error:
        details = {"position": error.position, "hint": error.hint}
        return error_response(Invalid(str(error), details=details))
    except SchemaError as error:
        return error_response(Invalid(str(error)))
    except Malformed as error:
        return error_response(Invalid(f"the request cannot be read: {error}"))


def error_response(error: ServerError, status: int | None = None, headers: Headers | None = None) -> Response:
    """The response of an error; the client raises the same error from it."""
    wire = shapes.WireError(error.kind, str(error), error.operation, error.entity, error.attribute)
    if error.details:
        wire.details = pack(error.details)
    sent = {"content-type": "application/json", **(headers or {})}
    if isinstance(error, Unavailable) and error.retry_after is not None:
        sent["retry-after"] = f"{error.retry_after:g}"
    return Response(status or error.status, shapes.encode(shapes.ErrorReply(wire)), sent)


def _route(backend: Backend, method: str, path: str, params: Mapping[str, str], body: bytes) -> Response:
    match [unquote(part) for part in path.split("/")[1:]]:
        case ["v1", "description"]:
            known, whole = params.get("known", ""), shapes.WHOLE_SCHEMA in params
            return _only("GET", method, lambda: _describe(backend, known, whole))
        case ["v1", "select"]:
            select = _select_columns if shapes.ARROW in params else _select
            return _only("POST", method, lambda: select(backend, body))
        case ["v1", "aggregate"]:
            return _only("POST", method, lambda: _aggregate(backend, body))
        case ["v1", "ask"]:
            return _only("POST", method, lambda: _ask(backend, body))
        case ["v1", "why"]:
            return _only("POST", method, lambda: _why(backend, body))
        case ["v1", "commits", commit_id, "parts", number]:
            return _only("POST", method, lambda: _stage(backend, commit_id, number, body))
        case ["v1", "commits", commit_id]:
            return _only("POST", method, lambda: _commit(backend, commit_id, body))
        case ["v1", "events"]:
            return _only("POST", method, lambda: _publish(backend, body))
        case ["v1", "tables", "loads", load, number]:
            return _only("PUT", method, lambda: _stage_rows(backend, load, number, body))
        case ["v1", "call", action]:
            return _only("POST", method, lambda: _call(backend, action, body))
        case ["v1", "files", key, *rest]:
            return serving.answer(backend, method, key, rest, params, body)
    raise NotFound(f"there is nothing at {path!r:.200}; the server's verbs are below /v1/")


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Invalid(f"the header x-callsheet-at must be the position of a commit, not {text!r:.40}")
    return int(text)


def _in_scenario(backend: Backend, label: str) -> Backend:
    if not isinstance(backend, ScenarioBackend):
        raise Invalid(f"{backend!r} has no scenarios")
    return backend.scenario(label)


def _only(allowed: str, method: str, answer: Callable[[], Response]) -> Response:
    if method != allowed:
        error = Invalid(f"this address takes {allowed}, not {method:.20}")
        return error_response(error, 405, {"allow": allowed})
    return answer()


def _answer(data: Any) -> Response:
    return Response(200, shapes.encode(data), {"content-type": "application/json"})


def _describe(backend: Backend, known: str, whole: bool) -> Response:
    """Clients before 0.3 refuse attributes with unknown keys; later ones request the whole schema."""
    found = backend.describe(known)
    schema = found.schema if found.schema is None or whole else found.schema.for_old_clients
    reply = shapes.DescriptionReply(
        server=found.server,
        version=found.version,
        time=found.time,
        schema_hash=found.schema_hash if schema is None else schema.hash,
        schema=None if schema is None or schema.hash == known else dict(schema.document),
        user=found.user,
        features=found.features,
        workspace=found.workspace,
    )
    return _answer(reply)


def _select(backend: Backend, body: bytes) -> Response:
    wanted = shapes.decode(body, shapes.SelectBody)
    return _answer(page_out(backend.select(codec.select_in(wanted.select), wanted.size, wanted.cursor)))


def _select_columns(backend: Backend, body: bytes) -> Response:
    if not isinstance(backend, ColumnBackend) or not can_write():
        raise Invalid(f"this server sends no `{shapes.ARROW}`; ask for application/json")
    wanted = shapes.decode(body, shapes.SelectBody)
    page = backend.columns(codec.select_in(wanted.select), wanted.size, wanted.cursor)
    headers = {"content-type": shapes.ARROW}
    if page.cursor is not None:
        headers[shapes.CURSOR] = quote(page.cursor, safe="")
    return Response(200, stream_of_page(page), headers)


def page_out(page: Page) -> dict[str, Any]:
    """A page as plain data; rows are unchanged, because the encoder accepts them."""
    return {
        "roots": page.roots,
        "order": page.order if page.order is None or isinstance(page.order, list) else list(page.order),
        "cursor": page.cursor,
        "records": [
            {"type": block.entity_type, "attributes": block.attributes, "rows": _rows(block.rows)}
            for block in page.records
        ],
    }


def _rows(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    return rows if isinstance(rows, list | tuple) else list(rows)


def _aggregate(backend: Backend, body: bytes) -> Response:
    wanted = measures.aggregate_in(shapes.decode(body, shapes.AggregateBody))
    return _answer(measures.rows_out(backend.aggregate(wanted), len(wanted.group)))


def _why(backend: Backend, body: bytes) -> Response:
    if not isinstance(backend, ExplainingBackend):
        raise NotFound("this server does not say why numbers changed")
    asked = causes.question_in(shapes.decode(body, shapes.CellBody))
    return _answer(causes.change_out(backend.why(asked)))


def _ask(backend: Backend, body: bytes) -> Response:
    if not isinstance(backend, AskingBackend):
        raise Invalid("this server answers one aggregate at a time")
    asked = questions.questions_in(shapes.decode(body, shapes.QuestionsBody))
    return _answer(questions.answers_out(asked, backend.ask(asked)))


def _stage(backend: Backend, commit_id: str, number: str, body: bytes) -> Response:
    if not (number.isascii() and number.isdigit() and len(number) <= 6):
        raise Invalid(f"the number of a part is an integer from 0 to 999,999, not {number!r:.40}")
    part = shapes.decode(body, shapes.PartBody)
    backend.stage(_commit_id(commit_id), int(number), operations_from_plain(part.operations, strict=True))
    return _answer({})


def _stage_rows(backend: Backend, load: str, number: str, body: bytes) -> Response:
    if not isinstance(backend, TableBackend):
        raise Invalid("there are no user tables here")
    if not (number.isascii() and number.isdigit() and len(number) <= 6):
        raise Invalid(f"the number of a part is an integer from 0 to 999,999, not {number!r:.40}")
    backend.stage_rows(_commit_id(load), int(number), body)
    return _answer({})


def _commit(backend: Backend, commit_id: str, body: bytes) -> Response:
    changes = changes_from_plain(_commit_id(commit_id), shapes.decode(body, dict), strict=True)
    return _answer(codec.result_out(backend.commit(changes)))


def _call(backend: Backend, action: str, body: bytes) -> Response:
    arguments = unpack(shapes.decode(body, dict[str, Any]) if body else {})
    if not isinstance(arguments, dict):
        raise Invalid("the arguments of an action are a JSON object")
    return _answer({"result": pack(backend.call(action, arguments))})


def _publish(backend: Backend, body: bytes) -> Response:
    event = event_in(shapes.decode(body, WireEvent))
    if not isinstance(backend, EventBackend):
        raise Invalid("events cannot be published in a past state")
    return _answer({"position": list(backend.publish(event))})


def _commit_id(commit_id: str) -> str:
    if not 0 < len(commit_id) <= COMMIT_ID_LENGTH or not commit_id.isprintable():
        raise Invalid(f"a commit id has 1 to {COMMIT_ID_LENGTH} printable characters, not {commit_id!r:.40}")
    return commit_id
