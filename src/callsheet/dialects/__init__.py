"""Wire languages. A dialect turns model statements into requests, and replies into records.

A dialect declares its properties in a `callsheet.dialects.declaration.DialectDeclaration`. Declarations of other
packages are found by the entry points of the group ``callsheet.dialects``: a name and a declaration. The client half is
a class that implements `callsheet.dialects.protocol.Dialect`, is created without arguments, and has a static method
``credentials(user, key)`` that returns the headers of authentication; an entry point may name this class alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from callsheet.dialects.declaration import DialectDeclaration
from callsheet.errors import PluginError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["declaration_named", "declaration_of", "declarations", "dialect_at", "dialect_class", "dialect_names"]

GROUP = "callsheet.dialects"
LOCAL = DialectDeclaration("local", "callsheet.dialects.local:LocalDialect")
"""Calls of a backend in this process; not a dialect that can be chosen by name."""
BUILT_IN = {
    "native": "callsheet.dialects.native.declaration:NATIVE",
    "ftrack": "callsheet.dialects.ftrack.declaration:FTRACK",
}
_log = logging.getLogger("callsheet.dialects")


def dialect_names() -> list[str]:
    """The names of the dialects that a session can use."""
    return sorted({*BUILT_IN, *(entry.name for entry in _entries())})


def declarations() -> Iterator[DialectDeclaration]:
    """All dialects: the built-in ones first. One that cannot be loaded is logged and omitted."""
    for name in BUILT_IN:
        yield _built_in(name)
    for entry in _entries():
        if entry.name not in BUILT_IN:
            try:
                yield _declared(entry)
            except PluginError as error:
                _log.warning("%s", error)


def declaration_named(name: str) -> DialectDeclaration:
    """The dialect of this name; raises `UsageError` if there is none, `PluginError` if it cannot be loaded.

    >>> declaration_named("native").name
    'native'
    """
    if name in BUILT_IN:
        return _built_in(name)
    if name == LOCAL.name:
        return LOCAL
    for entry in _entries():
        if entry.name == name:
            return _declared(entry)
    raise UsageError(f"there is no dialect `{name}`; known are: {', '.join(dialect_names())}")


def declaration_of(dialect: Any) -> DialectDeclaration:
    """The declaration of a dialect object: its own, or the one of its name, else an empty one."""
    declared: DialectDeclaration | None = getattr(dialect, "declaration", None)
    if declared is not None:
        return declared
    try:
        return declaration_named(dialect.name)
    except UsageError:
        return DialectDeclaration(dialect.name, type(dialect))


def dialect_at(address: str, environment: Mapping[str, str]) -> DialectDeclaration:
    """The dialect of the server at an address: one that recognises it, or whose variable has it; else the native one.

    >>> dialect_at("https://pipeline.example", {}).name
    'native'
    """
    place = address.rstrip("/")
    for each in declarations():
        named = {environment.get(variable, "").rstrip("/") for variable in each.environment.server}
        if place in named or each.recognises(address):
            return each
    return _built_in("native")


def dialect_class(name: str) -> Any:
    """The class of a dialect; raises `UsageError` if there is none, `PluginError` if it cannot be loaded.

    >>> dialect_class("native").name
    'native'
    """
    return declaration_named(name).client_class


def _built_in(name: str) -> DialectDeclaration:
    module, _, attribute = BUILT_IN[name].partition(":")
    declared: DialectDeclaration = getattr(import_module(module), attribute)
    return declared


def _declared(entry: EntryPoint) -> DialectDeclaration:
    try:
        loaded = entry.load()
    except Exception as error:
        raise PluginError(f"the dialect `{entry.name}` of {entry.value} cannot be loaded: {error}") from error
    return loaded if isinstance(loaded, DialectDeclaration) else DialectDeclaration(entry.name, loaded)


@lru_cache(maxsize=1)
def _entries() -> tuple[EntryPoint, ...]:
    # Importing this loads 40 modules, which sessions on a database in this process do not need.
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))
