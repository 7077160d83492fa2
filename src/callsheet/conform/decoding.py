"""Bytes become text: the encodings of office programs and editing systems, by their marks."""

from __future__ import annotations

import codecs
from pathlib import Path

from callsheet.errors import StorageError, UsageError

__all__ = ["LARGEST_FILE", "content", "text_of"]

LARGEST_FILE = 64 * 2**20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def content(path: Path) -> bytes:
    """The bytes of a file. Raises `StorageError` if it cannot be read, `UsageError` if it is too large for an edit."""
    try:
        if path.is_dir():
            raise StorageError(f"the edit {path} cannot be read: it is a folder")
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise StorageError(f"the edit {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{path.name} has more than {LARGEST_FILE // 2**20} MiB; is it an edit?")
    if not data.strip():
        raise UsageError(f"{path.name} is empty")
    return data


def text_of(name: str, data: bytes) -> str:
    """The text: by its byte order mark, else UTF-8, else Windows' western code page.

    >>> text_of("a.csv", "é".encode("utf-16")), text_of("a.csv", "é".encode()), text_of("a.csv", b"\\xe9")
    ('é', 'é', 'é')
    """
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "")
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise UsageError(f"{name} is no text; save it as UTF-8, or as UTF-16 with its byte order mark")
        return text
    raise UsageError(f"{name} is no text of {marked or 'UTF-8 or Windows-1252'}; save it as UTF-8")
