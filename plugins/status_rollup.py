"""A shot's status follows its tasks.

Run it with ``callsheet listen --plugins plugins/``. Whenever a task is made, moved, deleted or gets another status,
what it is below (a shot, an asset build) gets the status its tasks add up to:

- all of them are done: the first status that means done,
- some are under way, or some are done and some are not: the first that means in progress,
- none has begun: the first that means not started.

A status that says more of the same (a shot *Pending review* while tasks are under way) stays. Shots whose status is
``Omitted`` or ``On hold`` are left alone: that was somebody's decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import callsheet

__all__ = ["register", "roll_up", "rolled_up"]

DECIDED = ("Omitted", "On hold")
FOLLOWING = ("Shot", "AssetBuild")


def rolled_up(states: Sequence[str]) -> str | None:
    """What the states of tasks add up to; None where there is no task.

    >>> rolled_up(["done", "done"]), rolled_up(["done", "not_started"]), rolled_up(["not_started"]), rolled_up([])
    ('done', 'in_progress', 'not_started', None)
    """
    found = set(states)
    if not found:
        return None
    return found.pop() if len(found) == 1 else "in_progress"


@callsheet.handler(
    "topic=callsheet.update and entity.type=Task and (changes.status or changes.parent)",
    name="status-rollup",
    ignore_own=True,
)
def roll_up(event: Any, session: Any) -> None:
    """Bring what the task is below, or was, up to date."""
    parents = event.changes.get("parent", {})
    keys = {reference["id"] for reference in parents.values() if reference}
    if not parents and (task := session.get("Task", event.entity["id"])):
        keys.add(task["parent"]["id"])
    for key in sorted(keys):
        parent = session.get("TypedContext", key)
        if parent is not None and parent.entity_type in FOLLOWING:
            follow(session, parent)


def follow(session: Any, parent: Any) -> None:
    """Give one shot the status its tasks add up to."""
    if parent["status"] is not None and parent["status"]["name"] in DECIDED:
        return
    tasks = session.query("select status.state.short, status.name from Task").where(parent=parent)
    states = [task["status"]["state"]["short"].lower() for task in tasks if counts(task)]
    wanted = rolled_up(states)
    if wanted is None or (parent["status"] is not None and parent["status"]["state"]["short"].lower() == wanted):
        return
    statuses = session.query("select state.short from Status order by sort, name")
    found = next((status for status in statuses if status["state"]["short"].lower() == wanted), None)
    if found is not None:
        parent["status"] = found


def counts(task: Any) -> bool:
    """Whether a task says something of the shot: an omitted one does not."""
    return task["status"] is not None and task["status"]["name"] != "Omitted"


def register(session: Any) -> None:
    """Nothing to do: the handler is found by its mark."""
