"""The query operator ``between``: both ends are included.

``Shot where fstart between (1001, 1100)`` is ``fstart >= 1001 and fstart <= 1100``. It works in every query of a
session that has the plugin, whatever the server, because it becomes conditions that every server knows.
"""

from __future__ import annotations

from typing import Any

from callsheet.model.query import And, Comparison, Path

__all__ = ["between", "register"]


def between(path: Path, value: Any) -> And:
    """The condition that a value is not before the first and not after the second."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError("`between` takes two values, like `between (1001, 1100)`")
    first, last = value
    return And((Comparison(path, ">=", first), Comparison(path, "<=", last)))


def register(session: Any) -> None:
    """Let the session's queries know the operator."""
    session.operators["between"] = between
