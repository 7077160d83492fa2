"""Small pictures of components, as cells and entities show them, for accounts that may read the component."""

from __future__ import annotations

from callsheet.dialects.routes import FileContent, Visit
from callsheet.errors import Invalid
from callsheet.explorer.page import SECURITY
from callsheet.flow import Response

__all__ = ["thumbnail"]

SIZES = (46, 92, 184, 368, 736)
"""Widths that pictures are made in; free ones would be work without an end."""
KEPT = "private, max-age=60"


def thumbnail(visit: Visit) -> Response | FileContent:
    """A picture of a component, no wider and no higher than the size in the address."""
    names = visit.request.names
    try:
        size = int(names["size"])
    except ValueError:
        size = 0
    if size not in SIZES:
        raise Invalid(f"pictures have a width of {', '.join(map(str, SIZES))}, not {names['size']:.20}")
    content, kind = visit.backend.files.image(names["key"], size)
    headers = {**SECURITY, "cache-control": KEPT}
    if isinstance(content, bytes):
        return Response(200, content, {**headers, "content-type": kind})
    return FileContent(content, headers, kind)
