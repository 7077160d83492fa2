"""Wire languages. A dialect turns model statements into requests, and replies into records.

Those of other packages are found by the entry points of the group ``callsheet.dialects``: a name, and a class
that is a `callsheet.dialects.protocol.Dialect`, made without arguments, with a static method
``credentials(user, key)`` that gives the headers that say who asks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from callsheet.errors import PluginError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["dialect_class", "dialect_names"]

GROUP = "callsheet.dialects"
BUILT_IN = {
    "native": ("callsheet.dialects.native.client", "NativeDialect"),
    "ftrack": ("callsheet.dialects.ftrack.client.dialect", "FtrackDialect"),
}


def dialect_names() -> list[str]:
    """The dialects that a session can be told to speak."""
    return sorted({*BUILT_IN, *(entry.name for entry in _entries())})


def dialect_class(name: str) -> Any:
    """The class of a dialect; `UsageError` for a name that is none, `PluginError` where it cannot be loaded.

    >>> dialect_class("native").name
    'native'
    """
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        return getattr(import_module(module), attribute)
    for entry in _entries():
        if entry.name != name:
            continue
        try:
            return entry.load()
        except Exception as error:
            raise PluginError(f"the dialect `{name}` of {entry.value} cannot be loaded: {error}") from error
    raise UsageError(f"there is no dialect `{name}`; known are: {', '.join(dialect_names())}")


def _entries() -> list[EntryPoint]:
    # Importing this costs 40 modules, which most sessions can do without.
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))
