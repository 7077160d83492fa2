"""The server's half of ftrack's dialect, for `callsheet.dialects.ftrack.declaration`."""

from __future__ import annotations

from typing import Any

from callsheet.dialects.ftrack.common.schema import vendor_schemas
from callsheet.dialects.ftrack.server.routes import ROUTES
from callsheet.dialects.ftrack.server.schema.configurations import described
from callsheet.dialects.ftrack.server.schema.store_document import store_document
from callsheet.dialects.ftrack.server.seed.essentials import essential_operations
from callsheet.dialects.ftrack.server.seed.studio import studio_operations
from callsheet.dialects.serving import SchemaFormat, ServerHalf

__all__ = ["HALF"]

_KEYS = ("id", "primary_key", "properties")


def _document(data: Any) -> dict[str, Any] | None:
    """The store's document of a site's schemas: tables with ``id``, ``primary_key`` and ``properties``."""
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], list):
        data = data[0]
    if not isinstance(data, list) or not data:
        return None
    fits = all(isinstance(each, dict) and all(key in each for key in _KEYS) for each in data)
    return store_document(data) if fits else None


HALF = ServerHalf(
    routes=ROUTES,
    schemas=SchemaFormat(
        document=_document,
        original=vendor_schemas,
        described=described,
        essentials=essential_operations,
        studios={"vfx": studio_operations},
        advice="callsheet schema --dialect ftrack --server https://STUDIO.ftrackapp.com --save FILE",
    ),
)
