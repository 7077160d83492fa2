"""Rows that a result has kept can be read without the session."""

from __future__ import annotations

from typing import Any

import pytest

from callsheet import Session
from callsheet.errors import Closed, Invalid, NoResult


@pytest.fixture
def session() -> Any:
    with Session("memory:") as opened:
        opened.create("Project", {"name": "sintel"})
        opened.commit()
        yield opened


def test_kept_rows_answer_after_the_session_is_closed(session: Session) -> None:
    """However they are read; what asks the server is refused."""
    result = session.query("Project")
    nothing = session.query("Project where name is x")
    assert (len(result), len(nothing)) == (1, 0)
    session.close()
    (project,) = result.all()
    assert project["name"] == "sintel"
    assert result.first() is result.one() is result[0] is project
    assert (list(result), result[0:1], bool(result), len(result)) == ([project], [project], True, 1)
    assert (nothing.all(), nothing.first(), bool(nothing)) == ([], None, False)
    with pytest.raises(NoResult):
        nothing.one()
    for ask in (result.count, result.exists, lambda: result.aggregate("count"), lambda: list(result.records())):
        with pytest.raises(Closed):
            ask()


def test_rows_that_were_not_kept_need_the_session(session: Session) -> None:
    """Nothing was fetched for them."""
    result = session.query("Project")
    assert result.first() is not None
    session.close()
    with pytest.raises(Closed):
        result.all()


def test_all_gives_a_list_of_its_own(session: Session) -> None:
    """Whoever changes it does not change the result."""
    result = session.query("Project")
    assert len(result) == 1
    result.all().clear()
    assert len(result.all()) == 1


def test_what_asks_the_server_does_so_though_rows_are_kept(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """`count` tells the number there is now, and its errors are those of the server."""
    result = session.query("Project")
    assert len(result) == 1
    session.create("Project", {"name": "second"})
    session.commit()
    assert (len(result), result.count(), result.exists()) == (1, 2, True)
    assert len(list(result.records())) == 2

    def refuse(*_: Any, **__: Any) -> Any:
        raise Invalid("not now")

    monkeypatch.setattr(type(session._connection.dialect._backend), "aggregate", refuse)  # type: ignore[attr-defined]
    with pytest.raises(Invalid, match="not now"):
        result.count()
