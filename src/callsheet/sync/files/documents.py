"""The document of a sync file, and which kind it is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from callsheet.errors import StorageError, UsageError

__all__ = ["is_two_way", "read_document"]


def read_document(path: Path) -> dict[str, Any]:
    """What a file holds, as TOML says it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} is no TOML: {error}") from None


def is_two_way(document: dict[str, Any]) -> bool:
    """Whether it declares two sides, rather than rows.

    >>> is_two_way({"right": {}, "pair": []})
    True
    """
    return "sync" not in document and not document.keys().isdisjoint(("pair", "left", "right"))
