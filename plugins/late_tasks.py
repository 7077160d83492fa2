"""Endpoints of a server: the tasks that are late, as JSON for other tools, and as a table for a spreadsheet.

Start the server with this file, ``callsheet serve --plugin late_tasks.py``, and open
``/endpoints/late-tasks?days=7`` or ``/endpoints/late-tasks.csv``. Everybody sees the tasks that they may see: the
session is the caller's own. ``POST /endpoints/tasks/ID/postpone`` with ``{"days": 2}`` moves a task's end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import callsheet

__all__ = ["late_tasks", "late_tasks_table", "postpone"]


def late(session: callsheet.Session, days: int) -> Any:
    """Tasks whose end is more than some days ago, the oldest first."""
    before = datetime.now(UTC).date() - timedelta(days=days)
    tasks = session.query("select name, due_date, parent.name from Task")
    return tasks.where(session.types["Task"].due_date < before).order_by("due_date")


@callsheet.endpoint("late-tasks")
def late_tasks(session: callsheet.Session, days: int = 0) -> list[dict[str, Any]]:
    """The tasks that are late by more than some days."""
    return [
        {"id": task["id"], "name": task["name"], "of": task["parent"]["name"], "due": task["due_date"]}
        for task in late(session, days)
    ]


@callsheet.endpoint("late-tasks.csv")
def late_tasks_table(session: callsheet.Session, days: int = 0) -> Iterator[str]:
    """The same as text, sent while it is read."""
    yield "name,of,due\n"
    for task in late(session, days):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([task["name"], task["parent"]["name"], task["due_date"]])
        yield line.getvalue()


@callsheet.endpoint("tasks/{id}/postpone", methods="POST")
def postpone(id: str, days: int, session: callsheet.Session) -> dict[str, date]:
    """Move the day on which a task is due; the change is committed when this function returns."""
    task = session.get("Task", id)
    task["due_date"] = task["due_date"] + timedelta(days=days)
    return {"due": task["due_date"]}
