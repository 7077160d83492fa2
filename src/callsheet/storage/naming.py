"""Names of components and folders as parts of paths: readable, legal on every system, and never the same for two.

A name that is canonical stays as it is: lower-case ASCII letters, digits, ``_``, ``-`` and inner dots. Any other name
loses something on its way into a path, so a tag made of the whole name follows after ``~``, which no canonical name
has: two names that look alike in a path still have different ones, also where a file system ignores case.

The tag is 40 bits of SHA-256 in base 32, so it is the same tomorrow, on every machine, and whatever else exists.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b32encode
from hashlib import sha256

__all__ = ["part_of", "readable", "split_ending"]

LONGEST = 80
"""Characters of a name that stay readable in a path; 255 bytes is what file systems take for a part."""
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
)
_ENDING = re.compile(r"\.[\w.\-]{1,40}")


def part_of(name: str, safe: str, plain: bool = True) -> str:
    """``safe``, the name in characters that file systems take; with a tag where that is not the whole name.

    ``plain=False`` demands the tag although nothing is lost: the part would have a second meaning.

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


def split_ending(path: str) -> tuple[str, str]:
    """The name of a file and its ending; a last dot that no ending follows belongs to the name.

    >>> split_ending("plates/plate.0001.exr"), split_ending("Notes Mr. Smith"), split_ending(".profile")
    (('plate.0001', '.exr'), ('Notes Mr. Smith', ''), ('.profile', ''))
    """
    name = re.split(r"[/\\]", path)[-1]
    stem, dot, ending = name.rpartition(".")
    if not stem.strip(".") or not _ENDING.fullmatch(dot + ending):
        return name, ""
    return stem, dot + ending
