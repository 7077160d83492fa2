"""What an ftrack server's response holds, or the error it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from callsheet.dialects.ftrack.common.codec import EXCEPTIONS
from callsheet.errors import Forbidden, Invalid, ServerError, TooLarge, TransportError, Unauthorised, Unavailable
from callsheet.flow import Response
from callsheet.model.plain import Malformed, decode
from callsheet.model.values import unpack

__all__ = ["next_offset", "results"]

# Statuses that proxies and gateways send with texts of their own, and that always mean the same.
STATUSES: dict[int, type[ServerError]] = {401: Unauthorised, 403: Forbidden, 413: TooLarge, 429: Unavailable}


def results(response: Response, count: int, payloads: Sequence[Mapping[str, Any]] = ()) -> list[Any]:
    """One result for each of ``count`` operations; every other answer is raised.

    ``payloads`` are the operations, so that an error can name the one that it is about; ``operation`` of the
    error is the index among them.
    """
    try:
        answer = decode(response.content)
    except Malformed as error:
        _refuse(response, str(error))
    if isinstance(answer, dict) and "exception" in answer:
        _raise(answer, response, payloads)
    if response.status != 200:
        _refuse(response, "no error of the server's own")
    if not isinstance(answer, list) or len(answer) != count:
        raise TransportError(f"the server's answer is no list of {count} results: {_start(response)}")
    return answer


def next_offset(result: Mapping[str, Any]) -> int | None:
    """The offset of the next page, or None after the last."""
    metadata = result.get("metadata")
    following = metadata.get("next") if isinstance(metadata, Mapping) else None
    offset = following.get("offset") if isinstance(following, Mapping) else None
    return offset if isinstance(offset, int) and not isinstance(offset, bool) else None


def _raise(answer: Mapping[str, Any], response: Response, payloads: Sequence[Mapping[str, Any]]) -> NoReturn:
    """Raise what the server calls an exception."""
    name, content = str(answer["exception"]), str(answer.get("content", ""))
    kind = EXCEPTIONS.get(name)
    if kind is None and name == "ServerError" and "Invalid action" in content:
        kind = Invalid
    if kind is None:
        kind = STATUSES.get(response.status, ServerError if response.status >= 500 else Invalid)
    details = {key: value for key, value in answer.items() if key not in ("content", "conflicts")}
    if conflicts := _conflicts(answer.get("conflicts")):
        details["conflicts"] = conflicts
    index = _blamed(answer, content, payloads)
    attribute = answer.get("attribute")
    error = kind(content or name, operation=index, attribute=None if attribute is None else str(attribute))
    error.details.update(details)
    if index is not None and "entity_type" in payloads[index]:
        payload = payloads[index]
        parts = payload.get("entity_key")
        key = parts[0] if isinstance(parts, list) and len(parts) == 1 else parts
        error.entity = (str(payload["entity_type"]), tuple(key) if isinstance(key, list) else key)
    raise error


def _conflicts(answer: Any) -> list[dict[str, Any]]:
    """The values in conflict, as a server of ours sends them; those that cannot be read are left out."""
    found = []
    for each in answer if isinstance(answer, list) else ():
        try:
            (kind, key), attribute = each["entity"], str(each["attribute"])
            values = {name: unpack(each[name]) for name in ("base", "ours", "theirs")}
        except (KeyError, TypeError, ValueError):
            continue
        found.append({"entity": (str(kind), key), "attribute": attribute, **values})
    return found


def _blamed(answer: Mapping[str, Any], content: str, payloads: Sequence[Mapping[str, Any]]) -> int | None:
    """The operation at fault: the one that the server names, the only one, or the only one whose key it quotes."""
    number = answer.get("operation")
    if isinstance(number, int) and 0 <= number < len(payloads):
        return number
    if len(payloads) == 1:
        return 0
    quoted = [
        index
        for index, payload in enumerate(payloads)
        if any(isinstance(part, str) and len(part) > 8 and part in content for part in payload.get("entity_key") or ())
    ]
    return quoted[0] if len(quoted) == 1 else None


def _refuse(response: Response, reason: str) -> NoReturn:
    """Raise what a status stands for that did not come from the server itself."""
    status = response.status
    if status >= 500:
        error = Unavailable(f"the server cannot answer now: {_start(response)}")
        try:
            error.retry_after = float(response.headers["retry-after"])
        except (KeyError, ValueError):
            pass
        raise error
    if status in STATUSES:
        raise STATUSES[status](f"refused on the way to the server: {_start(response)}")
    if 300 <= status < 400:
        place = response.headers.get("location", "elsewhere")
        raise TransportError(f"the server's URL leads on to {place}; use that address (status {status})")
    raise TransportError(f"this is no answer of an ftrack server ({reason}): {_start(response)}")


def _start(response: Response) -> str:
    """The status, and the beginning of a body in one readable line."""
    text = response.content[:400].decode("utf-8", "replace")
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    kind = response.headers.get("content-type", "no content type")
    return f"status {response.status}, {kind}: {line[:160] or 'nothing'}"
