"""The plugins for storage: a bucket as a location, and a folder of renders as a version."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet import Session
from callsheet.storage.disk import DiskAccessor
from callsheet.storage.structure import StandardStructure

PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A session with a shot, and the plugins within reach."""
    monkeypatch.syspath_prepend(str(PLUGINS))
    with Session("memory:") as session:
        project = session.create("Project", {"name": "sintel"})
        session.create("Shot", {"name": "010", "parent": project})
        session.commit()
        yield session
    for name in ("storage_s3", "version_publisher"):
        sys.modules.pop(name, None)


@pytest.fixture
def renders(tmp_path: Path) -> Path:
    """Two sequences, a movie and a hidden file."""
    folder = tmp_path / "renders"
    folder.mkdir()
    for name in ("beauty.0001.exr", "beauty.0002.exr", "depth.1001.exr", "preview.mov", ".lock"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_a_bucket_is_a_location(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment names; files go there when it is preferred."""
    import storage_s3

    monkeypatch.setenv("CALLSHEET_BUCKET", f"memory://renders-{tmp_path.name}")
    monkeypatch.setenv("CALLSHEET_BUCKET_LOCATION", "renders")
    storage_s3.register(session)
    asset = session.create("Asset", {"name": "comp", "parent": session.query("Shot").one()})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    (tmp_path / "a.mov").write_bytes(b"movie")
    component = session.create_component(str(tmp_path / "a.mov"), {"version": version, "name": "m"})
    location = session.pick_location(component)
    assert location["name"] == "renders"
    assert location.get_url(component) == f"memory://renders-{tmp_path.name}/sintel/010/comp/v001/m.mov"


def test_without_a_bucket_nothing_is_configured(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin may be installed everywhere."""
    import storage_s3

    monkeypatch.delenv("CALLSHEET_BUCKET", raising=False)
    storage_s3.register(session)
    session.pick_location()
    assert "cloud" not in {place.name for place in session.locations}


def test_a_folder_is_published_once(session: Any, renders: Path, tmp_path: Path) -> None:
    """A second run makes nothing; what came meanwhile joins the same version."""
    import version_publisher

    disk = tmp_path / "disk"
    session.locations.add("disk", accessor=DiskAccessor(disk), structure=StandardStructure(), priority=1)
    version_publisher.register(session)
    shot = session.query("Shot").one()
    version = shot.publish(str(renders), "comp")
    assert sorted(each["name"] for each in version["components"]) == ["beauty", "depth", "preview"]
    assert sorted(path.name for path in disk.rglob("*") if path.is_file()) == [
        "beauty.0001.exr",
        "beauty.0002.exr",
        "depth.1001.exr",
        "preview.mov",
    ]
    before = len(session.commits())
    assert shot.publish(str(renders), "comp") is version
    assert len(session.commits()) == before
    (renders / "notes.txt").write_text("late")
    assert shot.publish(str(renders), "comp") is version
    assert session.query("AssetVersion").all() == [version]
    assert (disk / "sintel/010/comp/v001/notes.txt").read_text() == "late"


def test_an_empty_folder_is_refused(session: Any, tmp_path: Path) -> None:
    """A version without files helps nobody."""
    import version_publisher

    with pytest.raises(ValueError, match="no files to publish"):
        version_publisher.publish(session, session.query("Shot").one(), str(tmp_path), "comp")
