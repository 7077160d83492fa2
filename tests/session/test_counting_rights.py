"""Who may not change an entity may not count on its numbers; and the history says what was there."""

from __future__ import annotations

from typing import Any

import pytest

from callsheet import CommitError, Session
from callsheet.server.service import Service
from callsheet.session.connection import over

DOCUMENT: dict[str, Any] = {"name": "rights", "types": {"Shot": {"attributes": {"count": {"type": "integer"}}}}}


def test_an_increment_needs_the_right_to_update() -> None:
    """A reader is refused, and nothing is done."""
    with Service.open("memory:", DOCUMENT) as service:
        service.accounts.add("rita", "reader")
        with Session(connection=over(service.backend("admin")), plugin_paths=False) as session:
            shot = session.create("Shot", {"count": 5})
            session.commit()
            with Session(connection=over(service.backend("rita")), plugin_paths=False) as reader:
                reader.increment(reader.get("Shot", shot.id), "count")
                with pytest.raises(CommitError, match="may not update"):
                    reader.commit()
            session.refresh(shot)
            assert shot["count"] == 5


def test_the_history_says_what_was_there() -> None:
    """Old and new are the server's values."""
    with (
        Service.open("memory:", DOCUMENT) as service,
        Session(connection=over(service.backend("admin")), plugin_paths=False) as session,
    ):
        shot = session.create("Shot", {"count": 5})
        session.commit()
        other = session.fork()
        other.increment(other.get("Shot", shot.id), "count", 10)
        other.commit()
        session.increment(shot, "count")
        session.commit()
        entry = session.history(shot)[0]
        assert (entry.before, entry.after) == ({"count": 15}, {"count": 16})
