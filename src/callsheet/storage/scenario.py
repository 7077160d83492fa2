"""Centralised storage: the server configures one mounted disk for all sessions."""

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

__all__ = ["StorageScenario", "read_scenario", "server_scenario"]


@frozen
class StorageScenario:
    """The location that a server configures."""

    name: str
    key: str | None
    accessor: DiskAccessor
    structure: Structure


def server_scenario(core: Core) -> Flow[StorageScenario | None]:
    """The centralised storage of the server; None if it configures none."""
    name = core.declaration.storage_scenario
    if not name or not isinstance(core._dialect, FileDialect):
        return None
    try:
        information = yield from calls.call(core, "query_server_information", {})
    except (Invalid, ServerError):
        return None
    return read_scenario(information.get("storage_scenario") if isinstance(information, Mapping) else None, name)


def read_scenario(storage: Any, scenario: str) -> StorageScenario | None:
    """The location of the centralised scenario, if this is one. Its disk must be mounted.

    >>> found = read_scenario({"scenario": "studio.storage", "data": {"location_id": "1",
    ...     "location_name": "studio", "accessor": {"mount_points": {"linux": "/mnt", "osx": "/Volumes/x"}}}},
    ...     "studio.storage")
    >>> found.name, found.accessor.prefix
    ('studio', {'linux': '/mnt', 'macos': '/Volumes/x'})
    """
    if not isinstance(storage, Mapping) or storage.get("scenario") != scenario:
        return None
    data = storage.get("data") or {}
    points = (data.get("accessor") or {}).get("mount_points") or {}
    names = {"linux": "linux", "osx": "macos", "macos": "macos", "windows": "windows"}
    prefix = {names[name]: str(path) for name, path in points.items() if name in names and path}
    name = str(data.get("location_name") or "centralised")
    key = data.get("location_id")
    return StorageScenario(
        name, None if key is None else str(key), DiskAccessor(prefix, must_exist=True), StandardStructure()
    )
