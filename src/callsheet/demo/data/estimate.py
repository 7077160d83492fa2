"""The handler of the demo: a task's bid follows the length of its shot."""

from __future__ import annotations

from typing import Any

import callsheet

HOURS_PER_SECOND = {"layout": 1.0, "animation": 8.0, "lighting": 3.0, "compositing": 2.0}


@callsheet.handler("topic=callsheet.update and entity.type=Shot and changes.frame_count", name="estimate")
def estimate(event: Any, session: Any) -> None:
    """Bid hours for each second of film; what it sets is committed together with the note that it was done."""
    shot = session.get("Shot", event.entity["id"])
    if shot is None or not shot["frame_count"]:
        return
    for task in session.query("Task").where(parent=shot):
        seconds = shot["frame_count"] / (shot["fps"] or 24.0)
        task["bid"] = round(seconds * HOURS_PER_SECOND.get(task["name"], 1.0), 1) * 3600.0


def register(session: Any) -> None:
    """Nothing to do: the handler is found by its mark."""
