"""The built files of the page: read once, named by what is in them, so that browsers keep them for ever."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from attrs import frozen

from callsheet.errors import NotFound

__all__ = ["Asset", "asset", "entry_points"]

FOLDER = Path(__file__).parent / "assets"
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@frozen
class Asset:
    """One file: its content type, its bytes, and the same compressed."""

    kind: str
    content: bytes
    compressed: bytes


@cache
def entry_points() -> dict[str, str]:
    """The file of each part of the page: ``{"app.js": "app-3F2A.js"}``; empty if the page was not built."""
    listing = FOLDER / "manifest.json"
    if not listing.exists():
        return {}
    found: dict[str, str] = json.loads(listing.read_text(encoding="utf-8"))["entries"]
    return found


def asset(name: str) -> Asset:
    """A built file by its name; raises `NotFound` if there is none."""
    if name not in _names():
        raise NotFound(f"the page has no file {name!r:.80}")
    return _read(name)


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in KINDS)


@cache
def _read(name: str) -> Asset:
    path = FOLDER / name
    content = path.read_bytes()
    return Asset(KINDS[path.suffix], content, gzip.compress(content, 9, mtime=0))
