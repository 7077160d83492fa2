"""Entities as text: what is loaded, one attribute a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callsheet.model.record import NOT_SET

__all__ = ["FILTER", "format"]

FILTER: dict[str, Callable[[Any, str, Any], bool]] = {
    "ignore_unset": lambda entity, name, value: value is not NOT_SET,
}
"""Filters for `format`."""


def format(
    entity: Any,
    formatters: Any = None,
    attribute_filter: Callable[[Any, str, Any], bool] | None = None,
    recursive: bool = False,
    indent: int = 0,
    indent_first_line: bool = True,
) -> str:
    """An entity as text, without colours; what is not loaded is not fetched."""
    start = " " * indent
    lines = [f"{start if indent_first_line else ''}{entity.entity_type}"]
    for name in entity:
        value = entity.peek(name)
        if attribute_filter is None or attribute_filter(entity, name, value):
            lines.append(f"{start}  {name}: {value}")
    return "\n".join(lines)
