"""Files of components: pictures, movies and sounds are shown, everything else is downloaded; nothing of it can run.

What a file is, its first bytes decide, not its name: a page or a drawing with scripts (HTML, SVG) is a download.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from callsheet.dialects.routes import FileContent, Visit
from callsheet.explorer.page import SECURITY

__all__ = ["kind_of", "media"]

STARTS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"OggS", "video/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
)
WITHIN = ((b"RIFF", 8, b"WEBP", "image/webp"), (b"RIFF", 8, b"WAVE", "audio/wav"), (b"", 4, b"ftyp", "video/mp4"))
"""A start, and at a place another one."""
BYTES = 16
ALONE = "default-src 'none'; sandbox"
"""The policy of a file that somebody opens by its address: it loads nothing and runs nothing."""


def media(visit: Visit) -> FileContent:
    """The file of a component that the account may read, whole or a range of it."""
    key = visit.request.names["key"]
    path = visit.backend.files.find(key)
    kind = kind_of(path)
    shown = kind is not None and visit.request.params.get("download") != "1"
    disposition = "inline" if shown else f"attachment; filename*=UTF-8''{quote(key, safe='')}"
    headers = {
        **SECURITY,
        "content-security-policy": ALONE,
        "content-disposition": disposition,
        "cache-control": "private, no-cache",
    }
    return FileContent(path, headers, kind if shown and kind is not None else "application/octet-stream")


def kind_of(path: Path) -> str | None:
    """The media type of a file that browsers only show; None for any other."""
    with path.open("rb") as file:
        begin = file.read(BYTES)
    for start, kind in STARTS:
        if begin.startswith(start):
            return kind
    for start, place, inner, kind in WITHIN:
        if begin.startswith(start) and begin[place : place + len(inner)] == inner:
            return kind
    return None
