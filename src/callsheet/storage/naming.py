"""Names of components and folders as parts of paths: readable, valid on every system, and unique.

A canonical name is unchanged: lower-case ASCII letters, digits, ``_``, ``-`` and inner dots. Any other name loses
characters in a path, so a tag derived from the whole name is appended after ``~``, which no canonical name contains.
So two names that become equal in a path have different tags, also on a file system that ignores case.

The tag is 40 bits of SHA-256 in base 32, so it is the same at any time, on every machine.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b32encode
from hashlib import sha256

__all__ = ["part_of", "readable", "split_extension"]

LONGEST = 80
"""The most characters of a name in a path; file systems accept 255 bytes for a part."""
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
)
_EXTENSION = re.compile(r"\.[\w.\-]{1,40}")


def part_of(name: str, safe: str, plain: bool = True) -> str:
    """``safe``, the name in characters that file systems accept; with a tag if it differs from the name.

    ``plain=False`` adds the tag in any case, because the part would be ambiguous.

    >>> part_of("sq010", "sq010"), part_of("SQ010", "sq010")
    ('sq010', 'sq010~hzkvnwa2')
    """
    if safe.partition(".")[0] in _RESERVED:
        safe = f"_{safe}"
    canonical = plain and name == safe and len(safe) <= LONGEST and not safe.endswith(".")
    return safe if canonical else f"{safe[:LONGEST].rstrip('.')}~{_tag(name)}"


def _tag(name: str) -> str:
    digest = sha256(unicodedata.normalize("NFC", name).encode("utf-8", "surrogatepass")).digest()
    return b32encode(digest[:5]).decode("ascii").lower()


def readable(name: str, substitute: str) -> str:
    """The name in lower-case ASCII, with ``substitute`` for what is neither letter, digit, dot nor dash.

    >>> readable("SQ 010/Köpfe", "_")
    'sq_010_kopfe'
    """
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    safe = re.sub(r"[^\w.\-]", substitute, ascii_only, flags=re.ASCII)
    return safe if safe.strip(".") else substitute * max(1, len(safe))


def split_extension(path: str) -> tuple[str, str]:
    """The name of a file and its extension; a last dot that is not followed by one belongs to the name.

    >>> split_extension("plates/plate.0001.exr"), split_extension("Notes Mr. Smith"), split_extension(".profile")
    (('plate.0001', '.exr'), ('Notes Mr. Smith', ''), ('.profile', ''))
    """
    name = re.split(r"[/\\]", path)[-1]
    stem, dot, extension = name.rpartition(".")
    if not stem.strip(".") or not _EXTENSION.fullmatch(dot + extension):
        return name, ""
    return stem, dot + extension
