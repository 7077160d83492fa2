"""Text files of any encoding: what the first bytes say, UTF-8, else what fits best."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TextIO

from callsheet.errors import UsageError

__all__ = ["decoded"]

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
SAMPLE = 1024 * 1024


def decoded(path: Path, encoding: str = "") -> TextIO:
    """The file, opened as text; ends of lines are left to the reader of the format."""
    if encoding:
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise UsageError(f"there is no encoding {encoding!r:.40}") from None
    return open(path, encoding=encoding or _found(path), newline="")


def _found(path: Path) -> str:
    with open(path, "rb") as stream:
        start = stream.read(SAMPLE)
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    try:
        # The sample may end in the middle of a character.
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < SAMPLE)
    except UnicodeDecodeError:
        return _detected(start)
    return "utf-16" if start.count(0) > len(start) // 4 else "utf-8"


def _detected(start: bytes) -> str:
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return "cp1252"
    best = from_bytes(start, cp_isolation=["cp1252", "cp1250", "mac_roman", "cp932", "gb18030", "cp1251"]).best()
    return best.encoding if best is not None else "cp1252"
