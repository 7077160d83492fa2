"""One write of the vendor's client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from callsheet.dialects.ftrack.server.schema.catalogue import VendorType
from callsheet.model.record import Identity

__all__ = ["WireOperation"]


@frozen
class WireOperation:
    """One operation of a request: ``key`` is the store's, ``data`` the attributes on the wire."""

    index: int
    action: str
    type: VendorType
    key: str
    data: Mapping[str, Any]

    @property
    def identity(self) -> Identity:
        kind = self.type.name if self.type.entity_type is None else self.type.entity_type.name
        return Identity(kind, self.key)
