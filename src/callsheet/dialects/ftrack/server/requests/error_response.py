"""What went wrong, in the vendor's words: a kind, a text without braces, and a status for clients that request one."""

from __future__ import annotations

from typing import Any

import msgspec

from callsheet.errors import (
    CallsheetError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    QueryError,
    SchemaError,
    ServerError,
    TooLarge,
    Unauthorised,
    Unavailable,
)
from callsheet.flow import Response
from callsheet.model.values import pack

__all__ = ["UnsupportedAction", "error_response"]

JSON = {"content-type": "application/json"}
CONFLICT = "ConflictError"
_BRACES = str.maketrans({"{": "(", "}": ")"})
_TAKEN = ("exists already", "must be unique")


class UnsupportedAction(Invalid):
    """The server does not know the action; the client knows the text."""

    def __init__(self, action: str) -> None:
        super().__init__(f"Invalid action u'{action:.80}'")


def error_response(error: CallsheetError, strict: bool) -> Response:
    """The refusal of a whole request. A caller without access always gets a status of its own."""
    kind, status, code = _kind(error)
    body: dict[str, Any] = {"exception": kind, "content": str(error).translate(_BRACES)}
    if code:
        body["error_code"] = code
    if isinstance(error, ServerError) and error.operation is not None:
        body["operation"] = error.operation
    if isinstance(error, ServerError) and error.attribute is not None:
        body["attribute"] = error.attribute
    if kind == CONFLICT and isinstance(error, ServerError):
        body["conflicts"] = [{name: pack(value) for name, value in each.items()} for each in error.details["conflicts"]]
    always = isinstance(error, Unauthorised | Unavailable | TooLarge)
    headers = dict(JSON)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        headers["retry-after"] = f"{error.retry_after:g}"
    return Response(status if strict or always else 200, msgspec.json.encode(body), headers)


def _kind(error: CallsheetError) -> tuple[str, int, str]:
    if isinstance(error, Unauthorised):
        return "InvalidCredentialsError", 401, "api_credentials_invalid"
    if isinstance(error, UnsupportedAction):
        return "ServerError", 400, ""
    if isinstance(error, Forbidden):
        return "PermissionError", 403, ""
    if isinstance(error, NotFound):
        return "NotFoundError", 404, ""
    if isinstance(error, Conflict) and "conflicts" in error.details:
        return CONFLICT, 409, ""
    if isinstance(error, QueryError):
        return "ParseError", 400, ""
    if isinstance(error, Invalid) and any(word in str(error) for word in _TAKEN):
        timer = error.entity is not None and error.entity[0] == "Timer"
        return ("DuplicateEntryError" if timer else "IntegrityError"), 409, ""
    if isinstance(error, Invalid | SchemaError):
        return "ValidationError", 400, ""
    if isinstance(error, ServerError):
        return "ServerError", error.status, ""
    return "ValidationError", 400, ""
