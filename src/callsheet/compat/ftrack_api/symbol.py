"""Symbols: no value known, the states of entities, and the keys of the locations that every server has."""

from __future__ import annotations

import os
from typing import Final

from callsheet.model.record import NOT_SET
from callsheet.storage.locations import WELL_KNOWN

__all__ = ["CREATED", "DELETED", "MODIFIED", "NOT_SET", "Symbol"]


class Symbol:
    """A name that stands for itself.

    >>> CREATED, bool(CREATED), CREATED == DELETED
    (CREATED, True, False)
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__


CREATED: Final = Symbol("CREATED")
MODIFIED: Final = Symbol("MODIFIED")
DELETED: Final = Symbol("DELETED")

COMPONENT_ADDED_TO_LOCATION_TOPIC: Final = "ftrack.location.component-added"
COMPONENT_REMOVED_FROM_LOCATION_TOPIC: Final = "ftrack.location.component-removed"
ORIGIN_LOCATION_ID: Final = WELL_KNOWN["origin"]
UNMANAGED_LOCATION_ID: Final = WELL_KNOWN["unmanaged"]
REVIEW_LOCATION_ID: Final = WELL_KNOWN["review"]
CONNECT_LOCATION_ID: Final = WELL_KNOWN["connect"]
SERVER_LOCATION_ID: Final = WELL_KNOWN["server"]
CHUNK_SIZE: Final = int(os.getenv("FTRACK_API_FILE_CHUNK_SIZE", 0)) or 2**20
JOB_SYNC_USERS_LDAP: Final = Symbol("SYNC_USERS_LDAP")
