"""What an endpoint's function returned, as the content of a response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec

from callsheet.dialects.routes import Answered, FileContent
from callsheet.entity.entity import Entity
from callsheet.errors import PluginError
from callsheet.flow import Response

__all__ = ["content_of", "is_stream", "piece_of", "safe_headers"]

JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain; charset=utf-8"}
BYTES = {"content-type": "application/octet-stream"}
ISOLATED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""The content policy of what an endpoint sends without one of its own: no script of it runs as the server's page."""


def content_of(result: Any) -> Answered:
    """A result as a response: JSON, unless it is None, a text, bytes, or a response already.

    >>> content_of({"a": 1}).content, content_of("a").headers["content-type"], content_of(None).status
    (b'{"a":1}', 'text/plain; charset=utf-8', 204)
    """
    if isinstance(result, Response):
        return Response(result.status, result.content, safe_headers(result.headers))
    if isinstance(result, FileContent):
        return FileContent(result.path, safe_headers(result.headers), result.media_type)
    if result is None:
        return Response(204, b"", safe_headers({}))
    if isinstance(result, str):
        return Response(200, result.encode("utf-8", "replace"), safe_headers(TEXT))
    if isinstance(result, bytes | bytearray | memoryview):
        return Response(200, bytes(result), safe_headers(BYTES))
    return Response(200, _json(result), safe_headers(JSON))


def is_stream(result: Any) -> bool:
    """Whether a result is sent as it is made."""
    return isinstance(result, Iterator | AsyncIterator)


def piece_of(value: Any) -> bytes:
    """A piece of a stream: bytes and texts as they are, all else as a line of JSON.

    >>> piece_of("a"), piece_of({"a": 1})
    (b'a', b'{"a":1}\\n')
    """
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "replace") if isinstance(value, str) else _json(value) + b"\n"


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of a response that an endpoint made: what it sends does not run as the server's own page."""
    found = {name.lower(): value for name, value in headers.items() if name.lower() != "set-cookie"}
    found.setdefault("content-security-policy", ISOLATED)
    found.setdefault("cache-control", "no-store")
    return {**found, "x-content-type-options": "nosniff"}


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise PluginError(f"an endpoint returned what is no JSON: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Entity):
        return {"type": value.entity_type, "id": value.identity.key}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterator):
        raise TypeError("a stream within a result; yield it, or make a list of it")
    if hasattr(value, "__iter__"):
        return list(value)
    raise TypeError(f"values of the type {type(value).__name__} have no form in JSON; return texts, numbers, lists, …")
