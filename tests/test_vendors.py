"""No shared room names a vendor: what a dialect needs of one it declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import callsheet

SOURCE = Path(callsheet.__file__).parent
OWN = ("dialects", "compat")
VENDORS = re.compile(r"ftrack|aquarium|kitsu|shotgun|shotgrid|cgwire|openpype|ayon\b|tactic\b|flow production", re.I)
FILES = sorted(
    path
    for path in SOURCE.rglob("*")
    if path.is_file() and path.suffix in (".py", ".toml", ".json") and path.relative_to(SOURCE).parts[0] not in OWN
)


def test_shared_rooms_name_no_vendor() -> None:
    """Outside of `dialects` and `compat`, no file of the package has the name of a vendor in it, or in its own name."""
    named = [
        f"{path.relative_to(SOURCE)}:{number}: {line.strip()}"
        for path in FILES
        for number, line in enumerate([path.name, *path.read_text(encoding="utf-8").splitlines()])
        if VENDORS.search(line)
    ]
    assert named == []


@pytest.mark.parametrize("text", ["import ftrack_api", "class KitsuClient:", '"shotgun.example"'])
def test_the_words_are_found(text: str) -> None:
    """The search finds a vendor's name within a longer word, in any case."""
    assert VENDORS.search(text)


def test_all_rooms_are_searched() -> None:
    """The search covers the shared rooms."""
    rooms = {path.relative_to(SOURCE).parts[0] for path in FILES}
    assert {"cli", "config.py", "core", "events", "model", "production", "server", "session", "storage"} <= rooms
