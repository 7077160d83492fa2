"""New shots without a name are numbered: ``010``, ``020``, … after the last of their sequence.

The argument ``shot_step`` says how far shots are apart: ``Session(…, plugin_arguments={"shot_step": 5})``. Numbers are
chosen when the shot is created, from what the server has and what is pending here; two sessions that number at the
same time choose the same, and the server refuses the second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from callsheet import NOT_SET

__all__ = ["register"]


def register(session: Any, shot_step: int = 10) -> None:
    """Give shots a number where they get no name."""

    def number(session: Any, data: Mapping[str, Any]) -> Any:
        sequence = data.get("parent")
        if sequence is None:
            return NOT_SET
        names = [child["name"] for child in sequence["children"]]
        numbers = [int(found[0]) for name in names if name and (found := re.findall(r"\d+", name))]
        return f"{(max(numbers, default=0) // shot_step + 1) * shot_step:03}"

    session.defaults.add("Shot", "name", number)
