"""A show to sync with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callsheet.sync import reading, spill


@pytest.fixture(scope="module", params=["few", "many"])
def size(request: pytest.FixtureRequest) -> Iterator[str]:
    """Rows are planned at once, or two at a time, with all that is found of them on disk."""
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "many":
            patched.setattr(reading, "MANY", 2)
            patched.setattr(spill, "BLOCK", 2)
            patched.setattr(spill, "KEPT", 1)
        yield request.param


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
