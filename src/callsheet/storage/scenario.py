"""Centralised storage: the server tells all sessions of one disk that every machine mounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from callsheet.core import calls
from callsheet.core.core import Core
from callsheet.dialects.protocol import FileDialect
from callsheet.errors import Invalid, ServerError
from callsheet.flow import Flow
from callsheet.storage.disk import DiskAccessor
from callsheet.storage.structure import StandardStructure, Structure

__all__ = ["CENTRALISED", "Scenario", "read_scenario", "told"]

CENTRALISED = "ftrack.centralized-storage"


@frozen
class Scenario:
    """The location that a server tells of."""

    name: str
    key: str | None
    accessor: DiskAccessor
    structure: Structure


def told(core: Core) -> Flow[Scenario | None]:
    """What the server says of its storage; None where it leaves that to everybody."""
    if core._dialect.name != "ftrack" or not isinstance(core._dialect, FileDialect):
        return None
    try:
        information = yield from calls.call(core, "query_server_information", {})
    except (Invalid, ServerError):
        return None
    return read_scenario(information.get("storage_scenario") if isinstance(information, Mapping) else None)


def read_scenario(storage: Any) -> Scenario | None:
    """The location of a centralised scenario. Its disk must be mounted before anything is written.

    >>> found = read_scenario({"scenario": "ftrack.centralized-storage", "data": {"location_id": "1",
    ...     "location_name": "studio", "accessor": {"mount_points": {"linux": "/mnt", "osx": "/Volumes/x"}}}})
    >>> found.name, found.accessor.prefix
    ('studio', {'linux': '/mnt', 'macos': '/Volumes/x'})
    """
    if not isinstance(storage, Mapping) or storage.get("scenario") != CENTRALISED:
        return None
    data = storage.get("data") or {}
    points = (data.get("accessor") or {}).get("mount_points") or {}
    names = {"linux": "linux", "osx": "macos", "macos": "macos", "windows": "windows"}
    prefix = {names[name]: str(path) for name, path in points.items() if name in names and path}
    name = str(data.get("location_name") or "centralised")
    key = data.get("location_id")
    return Scenario(name, None if key is None else str(key), DiskAccessor(prefix, must_exist=True), StandardStructure())
