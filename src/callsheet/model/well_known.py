"""The keys of the locations that every client knows by key: they are the same on every server, of every dialect."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["LOCATION_KEYS"]

LOCATION_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "origin": "ce9b348f-8809-11e3-821c-20c9d081909b",
        "unmanaged": "cb268ecc-8809-11e3-a7e2-20c9d081909b",
        "review": "cd41be70-8809-11e3-b98a-20c9d081909b",
        "connect": "07b82a97-8cf9-11e3-9383-20c9d081909b",
        "server": "3a372bde-05bc-11e4-8908-20c9d081909b",
    }
)
"""By the location's name, without the prefix that a dialect gives it."""
