"""``callsheet stale --days 14``: tasks that nobody has touched for so long.

Tasks whose status is done are left out: ``--done Final`` says which name that is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["register", "stale"]


def stale(session: Any, days: int = 14, done: str = "Done") -> str:
    """Tasks that nobody has touched for so many days, oldest first."""
    before = datetime.now(UTC) - timedelta(days=days)
    task = session.types["Task"]
    query = (
        session.query("Task").where(task.updated_at < before).select("name", "updated_at", "parent.name", "status.name")
    )
    lines = [
        f"{found['updated_at']:%Y-%m-%d}  {found['parent']['name']}/{found['name']}"
        for found in query.order_by("updated_at")
        if found["status"] is None or found["status"]["name"] != done
    ]
    return "\n".join(lines) or f"every task was touched within {days} days"


def register(session: Any) -> None:
    """Give the command line the command."""
    session.commands["stale"] = stale
