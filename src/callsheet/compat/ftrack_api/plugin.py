"""Plugins: Callsheet's own discovery, on these paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from callsheet import plugins

__all__ = ["discover"]


def discover(
    paths: Sequence[str | Path],
    positional_arguments: Sequence[Any] = (),
    keyword_arguments: Mapping[str, Any] | None = None,
) -> None:
    """Run the plugins below these paths and register them with the session, the first positional argument."""
    (session,) = positional_arguments
    plugins.register(session, plugins.discover(paths, entry_points=False), keyword_arguments or {})
