"""A show to sync with."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def show(callsheet_session: Any) -> Any:
    """A session on a server with two projects that both have a sequence sq1; statuses Ready, Done and Omitted."""
    session = callsheet_session
    state = session.create("State", {"name": "Any", "short": "any"})
    for name in ("Ready", "Done", "Omitted"):
        session.create("Status", {"name": name, "state": state})
    for name in ("sintel", "spring"):
        project = session.create("Project", {"name": name})
        session.create("Sequence", {"name": "sq1", "parent": project})
    session.commit()
    fresh = session.fork()
    yield fresh
    fresh.close()
