"""The behaviours of entity types that come with Callsheet are attached to every session.

Each package named here has a function ``register(session)``, which is called when the schema is known. It must be
cheap: behaviours are loaded when their entity type is first used (see `Types.behave`).
"""

from __future__ import annotations

from importlib import import_module

from callsheet.core.core import Core

__all__ = ["ROOMS", "attach"]

ROOMS = ("callsheet.production", "callsheet.storage")
"""The packages whose behaviours every session has; other plugins come after them."""


def attach(session: Core) -> None:
    """Register the behaviours of all these packages."""
    for room in ROOMS:
        import_module(room).register(session)
