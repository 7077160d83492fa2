"""The server half of a dialect as data: its routes (``routes.py``), and its own format of a schema.

Nothing here does input or output: ``server/web`` adapts the routes to HTTP, ``server/schemas`` and the store use the
schema format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from callsheet.dialects.routes import AnyRoute
from callsheet.model.operation import Operation
from callsheet.model.schema import Schema

__all__ = ["SchemaFormat", "ServerHalf"]

Document = Mapping[str, Any]


@frozen
class SchemaFormat:
    """A dialect's own format of a schema, from which a store's schema document is made.

    ``document`` converts JSON data in this format to a document, and returns None for any other data. ``original``
    returns the data that a document was made from. ``described`` returns custom attributes, by type and key, from the
    rows that configure them.
    """

    document: Callable[[Any], dict[str, Any] | None]
    original: Callable[[Document], Any]
    described: Callable[[Iterable[Document]], dict[str, dict[str, dict[str, Any]]]]
    #: The rows that a new database needs before the dialect's clients can use it.
    essentials: Callable[[Schema], tuple[Operation, ...]]
    #: Contents for a new database, by name: commits to make one after another.
    studios: Mapping[str, Callable[[Schema], Iterable[tuple[Operation, ...]]]] = field(factory=dict)
    #: How a user gets a file in this format.
    advice: str = ""


@frozen
class ServerHalf:
    """What a server needs to serve a dialect."""

    routes: Sequence[AnyRoute] = ()
    schemas: SchemaFormat | None = None
