"""What every session has beside the core: behaviours of entity types that come with Callsheet.

Each room named here has a function ``register(session)``, which is called when the schema is known. It must cost
next to nothing: behaviours are loaded when their entity type is first used (see `Types.behave`).
"""

from __future__ import annotations

from importlib import import_module

from callsheet.core.core import Core

__all__ = ["ROOMS", "attach"]

ROOMS = ("callsheet.production", "callsheet.storage")
"""The rooms whose behaviours every session has; other plugins come after them."""


def attach(session: Core) -> None:
    """Let the entity types have what the rooms give them."""
    for room in ROOMS:
        import_module(room).register(session)
