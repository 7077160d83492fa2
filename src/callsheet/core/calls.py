"""What a server offers by name, beside the verbs that every server has."""

from __future__ import annotations

from typing import Any

from callsheet.core.core import Core
from callsheet.flow import Flow
from callsheet.model.values import pack_values, unpack_values

__all__ = ["READ_ONLY_ACTIONS", "call"]

READ_ONLY_ACTIONS = frozenset({"at", "commits", "counts", "history"})
"""Actions of the server that change nothing; a session that reads the past may call them."""


def call(core: Core, action: str, arguments: dict[str, Any]) -> Flow[Any]:
    """Anything else the server offers, by name."""
    if action not in READ_ONLY_ACTIONS:
        core.check_present()
    # What cannot travel is refused here, and what arrives is the same, whether or not there is a wire.
    plain = unpack_values(pack_values(arguments))
    core.statistics.count("call")
    return (yield from core._dialect.call(action, plain))
