"""What a server's answer holds, or the error that it is."""

from __future__ import annotations

from typing import NoReturn, TypeVar

from callsheet import errors
from callsheet.dialects.native import shapes
from callsheet.errors import ServerError, TransportError, Unavailable
from callsheet.flow import Response
from callsheet.model.plain import Malformed
from callsheet.model.values import unpack

__all__ = ["answer_start", "read_reply", "refuse"]

T = TypeVar("T")
KINDS: dict[str, type[ServerError]] = {
    error.kind: error
    for error in (
        errors.Unauthorised,
        errors.Forbidden,
        errors.NotFound,
        errors.Conflict,
        errors.AlreadyHandled,
        errors.Invalid,
        errors.TooLarge,
        errors.Unavailable,
    )
}
# Statuses that proxies and gateways send with bodies of their own, with the same meaning.
STATUSES: dict[int, type[ServerError]] = {
    401: errors.Unauthorised,
    403: errors.Forbidden,
    413: errors.TooLarge,
    429: errors.Unavailable,
}


def read_reply(response: Response, shape: type[T], secret: bool = False) -> T:
    """Decode a successful answer; any other answer raises its error. An error shows nothing of a ``secret`` one."""
    if response.status != 200:
        refuse(response)
    seen = f"status {response.status}" if secret else answer_start(response)
    if not _is_json(response):
        raise TransportError(f"this is not an answer of a Callsheet server: {seen}")
    try:
        return shapes.decode(response.content, shape)
    except Malformed as error:
        reason = "" if secret else f" ({error})"
        raise TransportError(f"the server's answer cannot be read{reason}: {seen}") from None


def refuse(response: Response) -> NoReturn:
    """Raise the error that the server sent, or one for the status if the answer is not the server's."""
    status = response.status
    if _is_json(response):
        try:
            error = shapes.decode(response.content, shapes.ErrorReply).error
            details = unpack(error.details) if error.details else {}
        except Malformed:
            pass
        else:
            raised = KINDS.get(error.kind, ServerError)(
                error.message,
                operation=error.operation,
                entity=error.entity,
                attribute=error.attribute,
                details=details,
            )
            _raise(raised, response)
    if status >= 500:
        _raise(Unavailable(f"the server cannot answer now: {answer_start(response)}"), response)
    if status in STATUSES:
        wait = f"; try again in {seconds:g} s" if (seconds := _wait(response)) is not None and status == 429 else ""
        _raise(STATUSES[status](f"refused on the way to the server: {answer_start(response)}{wait}"), response)
    if 300 <= status < 400:
        place = response.headers.get("location", "elsewhere")
        raise TransportError(f"the server's URL redirects to {place}; use that address (status {status})")
    raise TransportError(f"this is not an answer of a Callsheet server: {answer_start(response)}")


def _raise(error: ServerError, response: Response) -> NoReturn:
    if isinstance(error, Unavailable) and (seconds := _wait(response)) is not None:
        error.retry_after = seconds
    raise error


def _wait(response: Response) -> float | None:
    """The seconds that the server wants a client to wait."""
    try:
        return float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None


def _is_json(response: Response) -> bool:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def answer_start(response: Response) -> str:
    """The status and the beginning of the body, as one printable line."""
    text = response.content[:400].decode("utf-8", "replace")
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    kind = response.headers.get("content-type", "no content type")
    return f"status {response.status}, {kind}: {line[:160] or 'nothing'}"
