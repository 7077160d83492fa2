"""Centralised storage, from the setting on an ftrack server to a file on the disk that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet import Session
from callsheet.errors import MountMissing
from callsheet.server.service import Service
from dialects.embedded import Direct, session_over
from studios import vendor_studio


@pytest.fixture
def service() -> Iterator[Service]:
    """A store of ftrack's schema."""
    with vendor_studio() as found:
        yield found


def _session(service: Service) -> Session:
    return session_over(Direct(service))


def _configure(session: Any, value: str) -> None:
    setting = session.query('Setting where name is "storage_scenario" and group is "STORAGE"').one()
    setting["value"] = value
    session.commit()


def _scenario(location: str, disk: Path) -> str:
    points = {"linux": str(disk), "osx": str(disk), "windows": str(disk)}
    data = {"location_id": location, "location_name": "studio", "accessor": {"mount_points": points}}
    return json.dumps({"scenario": "ftrack.centralized-storage", "data": data})


def _version(session: Any) -> Any:
    shot = session.query("Shot").first()
    asset = session.create("Asset", {"name": "centralised", "parent": shot, "type": session.query("AssetType").first()})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return version


def test_the_server_tells_all_sessions_of_one_disk(service: Service, tmp_path: Path) -> None:
    """A session that configures nothing puts files on the disk that the server's setting names, and finds them."""
    with _session(service) as session:
        location = session.create("Location", {"name": "studio", "label": "Studio"})
        session.commit()
        _configure(session, _scenario(location["id"], tmp_path / "disk"))
        version = _version(session)["id"]
    (tmp_path / "disk").mkdir()
    (tmp_path / "a.exr").write_bytes(b"pixels")
    with _session(service) as session:
        told = {"version": session.get("AssetVersion", version), "name": "main"}
        component = session.create_component(str(tmp_path / "a.exr"), told)
        found = session.pick_location(component)
        assert (found["id"], found["name"]) == (location["id"], "studio")
        path = Path(found.get_filesystem_path(component))
    assert path.is_relative_to(tmp_path / "disk")
    assert path.read_bytes() == b"pixels"


def test_a_disk_that_is_not_mounted_is_told(service: Service, tmp_path: Path) -> None:
    """Rather than files being put into an empty folder of this machine."""
    with _session(service) as session:
        location = session.create("Location", {"name": "studio"})
        session.commit()
        _configure(session, _scenario(location["id"], tmp_path / "disk"))
        version = _version(session)
        (tmp_path / "a.exr").write_bytes(b"pixels")
        with pytest.raises(MountMissing):
            session.create_component(str(tmp_path / "a.exr"), {"version": version, "name": "main"})
    assert not (tmp_path / "disk").exists()


@pytest.mark.parametrize("value", ["", "none", "[]", '{"scenario": 3}', "{"])
def test_a_setting_that_says_nothing(service: Service, value: str) -> None:
    """Everybody chooses for themselves then."""
    with _session(service) as session:
        _configure(session, value)
        told = session.call("query_server_information")
    assert told["storage_scenario"] == {"scenario": "ftrack.automatic", "data": {}}
