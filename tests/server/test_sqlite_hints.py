"""SQLite finds what many names tell apart by their index, also before it has statistics."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from callsheet import Session
from callsheet.testing import memory_service, session_on

SHOTS = 120


@pytest.fixture
def session() -> Any:
    """A session on a sequence with shots in memory, of which no statistics were made."""
    with memory_service("production") as service, session_on(service) as opened:
        project = opened.create("Project", {"name": "sintel"})
        sequence = opened.create("Sequence", {"name": "sq1", "parent": project})
        for number in range(SHOTS):
            opened.create("Shot", {"name": f"sh{number:03}", "parent": sequence, "fstart": number})
        opened.commit()
        yield opened


def plans(session: Session, text: str) -> list[str]:
    """How SQLite would run the statements of a query."""
    found: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            own = connection.connection.dbapi_connection.cursor()
            found.extend(row[3] for row in own.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        assert len(session.query(text).all()) > 0
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
    return found


def names(count: int) -> str:
    return ", ".join(f'"sh{number:03}"' for number in range(count))


def test_many_names_are_looked_up_one_by_one(session: Session) -> None:
    """The rows of the type are not read through for them."""
    found = plans(session, f"Shot where name in ({names(100)})")
    assert any("_index_Context_name (name=?)" in each for each in found)
    assert not any("_index_Context__type" in each for each in found)


def test_many_names_of_one_parent_use_the_index_of_both(session: Session) -> None:
    """Parent and name together are unique, and have one index."""
    found = plans(session, f'Shot where parent.name is "sq1" and name in ({names(100)})')
    assert any("_index_Context_parent (parent=? AND name=?)" in each for each in found)


def test_pages_of_many_names_come_in_the_order_of_keys(session: Session) -> None:
    """However the rows are found, pages follow each other without a gap."""
    text = f"Shot where name in ({names(100)})"
    whole = [each.id for each in session.query(text)]
    assert len(whole) == 100
    assert whole == sorted(whole)
    small = session.fork()
    small.page_size = 7
    assert [each.id for each in small.query(text)] == whole


def test_lists_of_what_many_may_share_are_left_to_sqlite(session: Session) -> None:
    """A frame is no name: the rows of a list of frames may be all there are, and come by their type in order."""
    numbers = ", ".join(map(str, range(100)))
    found = plans(session, f"Shot where fstart in ({numbers})")
    assert any("_index_Context__type" in each for each in found)
