"""What Callsheet's client uploads the vendor's downloads, and the other way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from callsheet import Session
from callsheet.storage.disk import DiskAccessor
from studios import KEY


def test_files_change_hands(run: Any, studio: Any, tmp_path: Path) -> None:
    """Single files and sequences, over the vendor's wire, through the server's location."""
    (tmp_path / "single.txt").write_bytes(b"made by callsheet")
    for number in (1, 2):
        (tmp_path / f"frame.000{number}.exr").write_bytes(f"frame 000{number}".encode())
    with Session(studio.url, "admin", KEY, dialect="ftrack") as session:
        version = session.query("AssetVersion").first()
        data = {"version": version, "name": "from callsheet"}
        session.create_component(str(tmp_path / "single.txt"), data, "server")
        data = {"version": version, "name": "frames from callsheet"}
        session.create_component(str(tmp_path / "frame.%04d.exr [1-2]"), data, "server")
    told = run("checks_exchange", studio)
    assert told == {"check_what_callsheet_uploaded_comes_down": "", "check_something_for_callsheet": ""}
    with Session(studio.url, "admin", KEY, dialect="ftrack") as session:
        session.locations.add("exchange", accessor=DiskAccessor(tmp_path / "disk"))
        disk = session.location("exchange")
        single = session.query('FileComponent where name is "from vendor"').one()
        frames = session.query('SequenceComponent where name is "frames from vendor"').one()
        disk.add_components([single, frames], "server")
        assert Path(disk.get_filesystem_path(single)).read_text() == "vendor single.txt"
        found = [Path(path).read_text() for path in disk.get_filesystem_paths(frames["members"])]
        assert sorted(found) == ["vendor frame.0001.exr", "vendor frame.0002.exr"]
