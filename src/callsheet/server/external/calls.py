"""The actions by which administrators connect external databases, and add and drop their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from callsheet.errors import Invalid
from callsheet.server.external.registry import ExternalDatabases

__all__ = ["ACTIONS", "RECORDED", "answer"]


class ConnectCall(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    name: str | None = None


class NamedCall(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class NothingCall(msgspec.Struct, forbid_unknown_fields=True):
    pass


class AddCall(msgspec.Struct, forbid_unknown_fields=True):
    database: str
    table: str
    name: str | None = None
    keys: list[str] = []
    columns: dict[str, str] | list[str] = []
    where: str = ""


class JoinCall(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    target: str
    columns: dict[str, str]
    attribute: str | None = None


ACTIONS: dict[str, tuple[type[Any], Callable[[ExternalDatabases, Any], Any]]] = {
    "externals.add": (
        AddCall,
        lambda found, asked: found.add(asked.database, asked.table, asked.name, asked.keys, asked.columns, asked.where),
    ),
    "externals.connect": (ConnectCall, lambda found, asked: found.connect(asked.url, asked.name)),
    "externals.disconnect": (NamedCall, lambda found, asked: found.disconnect(asked.name)),
    "externals.drop": (NamedCall, lambda found, asked: found.drop(asked.name)),
    "externals.join": (
        JoinCall,
        lambda found, asked: found.join(asked.name, asked.target, asked.columns, asked.attribute),
    ),
    "externals.list": (NothingCall, lambda found, asked: found.connected()),
    "externals.tables": (NamedCall, lambda found, asked: found.tables(asked.name)),
}
RECORDED = {
    "externals.add": "added the external table",
    "externals.connect": "connected the external database",
    "externals.disconnect": "disconnected the external database",
    "externals.drop": "dropped the external table",
}
"""Actions that the audit records."""


def answer(externals: ExternalDatabases, action: str, arguments: Mapping[str, Any]) -> Any:
    """Call an action; raises `Invalid` for wrong arguments, in words that do not repeat them."""
    shape, function = ACTIONS[action]
    try:
        asked = msgspec.convert(dict(arguments), shape)
    except msgspec.ValidationError as error:
        raise Invalid(f"{action}: {error}") from None
    return function(externals, asked)
