"""A small production on a server in memory."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def show(callsheet_session: Any) -> Any:
    """A session on a server that holds a project, two sequences, six shots and twelve tasks; nothing is cached."""
    session = callsheet_session
    state = session.create("State", {"name": "Any", "short": "any"})
    statuses = {name: session.create("Status", {"name": name, "state": state}) for name in ("Ready", "Done", "Omitted")}
    project = session.create("Project", {"name": "sintel", "full_name": "Sintel"})
    for number in (1, 2):
        sequence = session.create("Sequence", {"name": f"sq{number}", "parent": project})
        for place in (1, 2, 3):
            shot = session.create("Shot", {"name": f"sh{number}{place}", "parent": sequence, "fstart": 1001})
            for step in ("anim", "light"):
                status = statuses["Done" if step == "anim" else "Ready"]
                session.create("Task", {"name": step, "parent": shot, "status": status, "bid": 2.0})
    session.commit()
    fresh = session.fork()
    yield fresh
    fresh.close()
