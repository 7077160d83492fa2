"""The released versions whose fixtures are here, and how to run their code beside the present."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["RELEASES", "Release", "rewrite"]

HERE = Path(__file__).parent


class Release:
    """A released version: its wheel, and what it wrote (see ``make.py``)."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.number = tuple(int(part) for part in version.split("."))[:2]
        self.folder = HERE / version

    def __repr__(self) -> str:
        return self.version

    @property
    def events(self) -> bool:
        """Whether it has events, durable handlers and files on its own wire."""
        return self.number >= (0, 2)

    def wheel(self) -> Path:
        (found,) = self.folder.glob("callsheet-*.whl")
        return found

    def environment(self, folder: Path) -> dict[str, str]:
        """The environment of a Python in which ``import callsheet`` is this release, unpacked to a folder."""
        if not folder.is_dir():
            with zipfile.ZipFile(self.wheel()) as archive:
                archive.extractall(folder)
        ours = {name: value for name, value in os.environ.items() if not name.startswith("CALLSHEET_")}
        return {**ours, "PYTHONPATH": os.pathsep.join([str(folder), str(HERE)])}

    def json(self, name: str) -> Any:
        """What a JSON file of its holds."""
        return msgspec.json.decode((self.folder / name).read_bytes())

    def studio(self, folder: Path) -> str:
        """The URL of a fresh copy of its SQLite database."""
        path = folder / "studio.sqlite"
        path.write_bytes(gzip.decompress((self.folder / "studio.sqlite.gz").read_bytes()))
        return f"sqlite:///{path.as_posix()}"

    def files(self, folder: Path) -> Path:
        """A fresh copy of the files uploaded to its database."""
        target = folder / "files"
        if (self.folder / "files").is_dir():
            shutil.copytree(self.folder / "files", target)
        return target

    def copy(self, name: str, folder: Path) -> Path:
        """A fresh copy of one of its files."""
        return Path(shutil.copy(self.folder / name, folder / name))


def rewrite(path: Path, statement: str, values: Mapping[str, Any] | None = None) -> None:
    """Change a SQLite file behind everybody's back."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values or {})
    connection.close()


RELEASES = tuple(
    Release(found.name)
    for found in sorted(HERE.iterdir(), key=lambda path: [int(part) for part in path.name.split(".") if part.isdigit()])
    if found.is_dir() and found.name[0].isdigit()
)
