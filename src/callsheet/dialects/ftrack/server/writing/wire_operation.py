"""One write of the vendor's client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from callsheet.dialects.ftrack.server.schema.catalogue import VendorType
from callsheet.model.record import Identity

__all__ = ["WireOperation"]


@frozen
class WireOperation:
    """One operation of a request: ``key`` is the store's, ``data`` the attributes on the wire.

    ``before`` are those that the writer of an update saw, where the client says so.
    """

    index: int
    action: str
    type: VendorType
    key: str
    data: Mapping[str, Any]
    before: Mapping[str, Any] = field(factory=dict)

    @property
    def identity(self) -> Identity:
        kind = self.type.name if self.type.entity_type is None else self.type.entity_type.name
        return Identity(kind, self.key)
