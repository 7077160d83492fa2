"""The declaration of Callsheet's own wire."""

from __future__ import annotations

from urllib.parse import quote

from callsheet.dialects.declaration import DialectDeclaration

__all__ = ["NATIVE"]


def _page(url: str, entity_type: str, key: str) -> str:
    """The page of an entity in the explorer; without a type, the explorer.

    >>> _page("https://callsheet.example.org", "Task", "a/b")
    'https://callsheet.example.org/explorer/e/Task/a%2Fb'
    """
    entity = f"e/{quote(entity_type, safe='')}/{quote(key, safe='')}" if entity_type else ""
    return f"{url}/explorer/{entity}"


NATIVE = DialectDeclaration(
    "native",
    "callsheet.dialects.native.client:NativeDialect",
    "callsheet.dialects.native.routes:HALF",
    page=_page,
    page_codes=True,
)
