"""A transformer that changes nothing, to be derived from."""

from __future__ import annotations

from typing import Any

__all__ = ["ResourceIdentifierTransformer"]


class ResourceIdentifierTransformer:
    """Changes what the server is told a component is called in a location."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def encode(self, resource_identifier: str, context: Any = None) -> str:
        """The identifier as the server is to keep it."""
        return resource_identifier

    def decode(self, resource_identifier: str, context: Any = None) -> str:
        """The identifier as the location knows it."""
        return resource_identifier
