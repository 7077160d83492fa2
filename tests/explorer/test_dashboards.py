"""Dashboards: all tiles of one position, by one request; a tile that fails says so alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from page_desk import PageDesk, open_page_desk

import callsheet
from callsheet.server.backend import ServiceBackend
from callsheet.session.connection import over


@pytest.fixture(scope="module")
def desk() -> Iterator[PageDesk]:
    with open_page_desk() as opened:
        with callsheet.Session(connection=over(opened.service.backend("anna")), plugin_paths=False) as session:
            project = session.create("Project", {"name": "tide"})
            for name in ("sh1", "sh2"):
                session.create("Shot", {"name": name, "parent": project})
            session.commit()
        yield opened


@pytest.fixture
def asked(desk: PageDesk) -> Any:
    browser, token = desk.signed_in()

    def ask(*tiles: dict[str, Any]) -> Any:
        return browser.post("/explorer/x/dashboard", json={"tiles": tiles}, headers={"x-callsheet-token": token})

    return ask


def test_all_tiles_are_of_one_request(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So no commit comes between two of them."""
    calls: list[int] = []
    real = ServiceBackend.ask

    def counted(self: ServiceBackend, questions: Any) -> Any:
        calls.append(len(questions))
        return real(self, questions)

    monkeypatch.setattr(ServiceBackend, "ask", counted)
    found = asked({"cube": "Shot"}, {"cube": "Project", "at": [0, None]}, {"cube": "Shot", "rows": ["Status"]}).json()
    assert calls == [4]
    assert {tile["position"] for tile in found["tiles"]} == {found["position"]} == {1}
    assert [tile["measures"][0]["values"] for tile in found["tiles"]] == [[2], [0, 1], [2, 2]]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cube": "Nobody"}, "no cube and no entity type"),
        ({"cube": "Shot", "where": ["bdi > 3"]}, "did you mean `bid`"),
        ({"cube": "Shot", "measures": ["Tasks"]}, "there is no measure"),
        ({"cube": "Shot", "scenarios": ["nobody's"]}, "no scenario"),
        ({"cube": "Shot", "at": [999]}, "999"),
    ],
)
def test_a_tile_that_fails_fails_alone(asked: Any, wrong: dict[str, Any], said: str) -> None:
    """The others have their numbers."""
    first, failed, last = asked({"cube": "Shot"}, wrong, {"cube": "Project"}).json()["tiles"]
    assert (first["measures"][0]["values"], last["measures"][0]["values"]) == ([2], [1])
    assert said in failed["error"], failed


def test_a_dashboard_has_a_size(asked: Any) -> None:
    """No tiles are no question; too many are refused."""
    assert asked().json()["tiles"] == []
    refused = asked(*[{"cube": "Shot"}] * 61)
    assert (refused.status_code, "at most 60 tiles" in refused.text) == (422, True)
