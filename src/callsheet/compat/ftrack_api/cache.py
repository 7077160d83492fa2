"""Caches can be named. A session keeps its entities itself, which its ``cache`` shows; no other is used."""

from __future__ import annotations

from typing import Any

from callsheet.compat.ftrack_api.absent import absent

__all__ = [
    "Cache",
    "FileCache",
    "KeptEntities",
    "KeyMaker",
    "LayeredCache",
    "MemoryCache",
    "ObjectKeyMaker",
    "ProxyCache",
    "SerialisedCache",
    "StringKeyMaker",
]

_REASON = "a session keeps its entities itself, and entities kept in files would grow stale unseen"

Cache = absent("Cache", _REASON)
ProxyCache = absent("ProxyCache", _REASON)
LayeredCache = absent("LayeredCache", _REASON)
MemoryCache = absent("MemoryCache", _REASON)
FileCache = absent("FileCache", _REASON)
SerialisedCache = absent("SerialisedCache", _REASON)
KeyMaker = absent("KeyMaker", _REASON)
StringKeyMaker = absent("StringKeyMaker", _REASON)
ObjectKeyMaker = absent("ObjectKeyMaker", _REASON)


class KeptEntities:
    """The entities that a session keeps, by the text of their type and primary key."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def _known(self) -> dict[str, Any]:
        found = {}
        for entity in self.session.identities:
            name, key = entity.identity
            found[str((name, [str(part) for part in (key if isinstance(key, tuple) else (key,))]))] = entity
        return found

    def keys(self) -> list[str]:
        """The keys of all entities that are kept."""
        return list(self._known())

    def get(self, key: str) -> Any:
        """The entity of this key; KeyError where none is kept."""
        return self._known()[key]

    def clear(self) -> None:
        """Let go of all on which nothing is pending; those that a script holds are detached."""
        for entity in list(self.session.identities):
            if entity.state == "clean":
                self.session.unit.detach(entity)
