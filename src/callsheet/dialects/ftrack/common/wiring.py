"""What ftrack's schema does not say, as tables that are asked by type and attribute."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources
from typing import Any

from attrs import frozen

__all__ = ["Through", "Wiring", "wiring"]


@frozen
class Through:
    """The rows that hold a many-to-many collection: their type, and their keys of owner and member."""

    entity_type: str
    owner: str
    member: str


@frozen
class Wiring:
    """The tables of ``wiring.toml``. ``line`` is always a type and its ancestors, the type first.

    >>> wiring().find("inverses", ["Task", "TypedContext"], "incoming_links")
    'to'
    """

    tables: Mapping[str, Any]

    def table(self, name: str) -> Mapping[str, Any]:
        """A table; a dot leads into another."""
        found: Any = self.tables
        for part in name.split("."):
            found = found.get(part, {})
        return found  # type: ignore[no-any-return]

    def find(self, table: str, line: Sequence[str], attribute: str) -> Any:
        """What a table says of an attribute, or None: by its exact name first, then by the longest pattern."""
        known = self.table(table)
        names = [f"{name}.{attribute}" for name in line]
        for name in names:
            if name in known:
                return known[name]
        return _longest(known, names)

    def of_type(self, table: str, name: str) -> Any:
        """What a table says of a type, or None; a type is not what is said of itself."""
        known = self.table(table)
        if name in known:
            return known[name]
        found = _longest(known, [name])
        return None if found == name else found

    def read_only(self, line: Sequence[str], attribute: str) -> bool:
        """Whether users can only read the attribute."""
        patterns = self.table("read_only")["names"]
        return any(fnmatchcase(f"{name}.{attribute}", pattern) for name in line for pattern in patterns)

    def through(self, line: Sequence[str], collection: str) -> Through | None:
        """The rows that hold a many-to-many collection, where they are rows of a type."""
        found = self.find("through", line, collection)
        return None if found is None else Through(*found)


def _longest(known: Mapping[str, Any], names: Sequence[str]) -> Any:
    patterns = [pattern for pattern in known if "*" in pattern and any(fnmatchcase(name, pattern) for name in names)]
    return known[max(patterns, key=len)] if patterns else None


@lru_cache(maxsize=1)
def wiring() -> Wiring:
    """The tables, read once."""
    text = (resources.files("callsheet.dialects.ftrack.data") / "wiring.toml").read_text(encoding="utf-8")
    return Wiring(tomllib.loads(text))
