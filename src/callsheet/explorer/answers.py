"""Bodies and answers of the page's own requests, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from callsheet.dialects.routes import Visit
from callsheet.errors import Invalid
from callsheet.explorer.page import SECURITY
from callsheet.flow import Response

__all__ = ["answer", "body_of"]

T = TypeVar("T")


def body_of(visit: Visit, shape: type[T]) -> T:
    """The body of a request as a struct; raises `Invalid` for another shape."""
    try:
        return msgspec.json.decode(visit.request.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"the request cannot be read: {error}") from None


def answer(data: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Data as a response that no cache keeps."""
    kept = {"content-type": "application/json", "cache-control": "no-store", **SECURITY}
    return Response(200, msgspec.json.encode(data), {**kept, **(headers or {})})
