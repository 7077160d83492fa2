"""A studio with one committed version, some files, and a disk to put them on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from callsheet import Session
from callsheet.storage.disk import DiskAccessor
from callsheet.storage.structure import StandardStructure


@define
class Studio:
    """A session, a version in it, the folder of files, and that of the disk, which is configured as ``studio``."""

    session: Any
    version: Any
    files: Path
    disk: Path

    def file(self, name: str, content: bytes) -> str:
        """A new file."""
        path = self.files / name
        path.write_bytes(content)
        return str(path)

    def frames(self, count: int = 3) -> str:
        """Numbered files, of 100, 200, … bytes, and the expression for them."""
        for number in range(1, count + 1):
            self.file(f"frame.{number:04d}.exr", bytes([number]) * 100 * number)
        return str(self.files / f"frame.%04d.exr [1-{count}]")

    def stored(self) -> list[str]:
        """All files on the disk."""
        return sorted(path.relative_to(self.disk).as_posix() for path in self.disk.rglob("*") if path.is_file())


def make_version(session: Any) -> Any:
    """A committed version of the comp of a shot."""
    project = session.create("Project", {"name": "sintel"})
    sequence = session.create("Sequence", {"name": "sq010", "parent": project})
    shot = session.create("Shot", {"name": "sh_020", "parent": sequence})
    asset = session.create("Asset", {"name": "comp", "parent": shot})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return version


@pytest.fixture
def new_studio(tmp_path: Path) -> Iterator[Callable[[str], Studio]]:
    """Makes studios, each on a database of its own."""
    sessions: list[Any] = []

    def make(name: str) -> Studio:
        session = Session("memory:")
        sessions.append(session)
        files, disk = tmp_path / name / "files", tmp_path / name / "disk"
        files.mkdir(parents=True)
        disk.mkdir()
        session.locations.add("studio", accessor=DiskAccessor(disk), structure=StandardStructure(), priority=1)
        return Studio(session, make_version(session), files, disk)

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def studio(new_studio: Callable[[str], Studio]) -> Studio:
    """A studio."""
    return new_studio("studio")
