"""The vendor's Python client by its old names, over a session of Callsheet's.

``import callsheet.compat.ftrack_api as ftrack_api`` lets a script run as it stands: the same `Session` with the same
arguments, the same errors, events, operations and symbols. Classes are Callsheet's own wherever they do the same, so
``isinstance`` works both ways. What there is no counterpart for raises `NotOffered` when it is used, with the reason.
Libraries that import ``ftrack_api`` themselves get these modules after `stand_in`.

Two things differ from the vendor's client by design: times are `datetime.datetime`, in UTC, not ``arrow.Arrow``; and
names and values are checked against the schema when they are set.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any

from callsheet.compat.ftrack_api import (
    accessor,
    attribute,
    cache,
    collection,
    data,
    entity,
    event,
    exception,
    formatter,
    inspection,
    logging,
    operation,
    plugin,
    query,
    resource_identifier_transformer,
    session,
    structure,
    symbol,
)
from callsheet.compat.ftrack_api.absent import NotOffered
from callsheet.compat.ftrack_api.session import Session

__all__ = [
    "NotOffered",
    "Session",
    "accessor",
    "attribute",
    "cache",
    "collection",
    "data",
    "entity",
    "event",
    "exception",
    "formatter",
    "inspection",
    "logging",
    "mixin",
    "operation",
    "plugin",
    "query",
    "resource_identifier_transformer",
    "session",
    "stand_in",
    "structure",
    "symbol",
]

__version__ = "3.1.0"
"""The version of the vendor's client whose names these are."""


def mixin(instance: Any, mixin_class: type, name: str | None = None) -> None:
    """Give an object the methods of another class; where it has them already, nothing changes.

    >>> class Loud:
    ...     def shout(self):
    ...         return "hey"
    >>> class Quiet: pass
    >>> quiet = Quiet()
    >>> mixin(quiet, Loud)
    >>> quiet.shout()
    'hey'
    """
    own = type(instance)
    if issubclass(own, mixin_class):
        return
    instance.__class__ = type(name or f"{own.__name__}{mixin_class.__name__}", (mixin_class, own), {})


def stand_in(name: str = "ftrack_api") -> None:
    """From now on ``import ftrack_api`` gives these modules, in this process, for libraries that do so.

    Raises `ImportError` where the vendor's own client was imported already.
    """
    known = sys.modules.get(name)
    own = sys.modules[__name__]
    if known is own:
        return
    if known is not None:
        raise ImportError(f"the module {name} was imported before, from {known.__file__}; call `stand_in()` first")
    sys.modules[name] = own
    for found in pkgutil.walk_packages(__path__, f"{__name__}."):
        sys.modules[f"{name}{found.name.removeprefix(__name__)}"] = importlib.import_module(found.name)
