"""Views that people keep: private until shared, seen by nobody else in any way, with a history and files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from page_desk import PASSWORD, PageDesk, open_page_desk

from callsheet.server.user_content import MEMORY, UserContent

PIVOT = {"kind": "pivot", "place": "c/Shot?rows=Sequence", "name": "By sequence"}


@define
class Person:
    """Somebody with a browser."""

    browser: Any
    token: str

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        headers = {"x-callsheet-token": self.token}
        return self.browser.request(method, f"/explorer/x/views{path}", json=body, headers=headers)

    def keep(self, **values: Any) -> str:
        answer = self("POST", "", {**PIVOT, **values})
        assert answer.status_code == 200, answer.text
        key: str = answer.json()["key"]
        return key

    def names(self) -> list[str]:
        return [each["name"] for each in self("GET").json()["views"]]


@pytest.fixture
def desk() -> Iterator[PageDesk]:
    with open_page_desk() as opened:
        opened.service.accounts.add("bert")
        opened.service.logins.set_password("bert", PASSWORD)
        yield opened


@pytest.fixture
def anna(desk: PageDesk) -> Person:
    return Person(*desk.signed_in("anna"))


@pytest.fixture
def bert(desk: PageDesk) -> Person:
    return Person(*desk.signed_in("bert"))


def test_a_view_is_private_in_every_way(desk: PageDesk, anna: Person, bert: Person) -> None:
    """For others it does not exist: not in lists, by key, as a file, by its history; nor on the production's wire."""
    key = anna.keep(name="Secret plan")
    assert anna.names() == ["Secret plan"]
    assert bert.names() == []
    for method, path, body in (
        ("GET", f"?key={key}", None),
        ("GET", f"/file?key={key}", None),
        ("GET", f"/history?key={key}", None),
        ("DELETE", f"?key={key}", None),
        ("POST", "", {**PIVOT, "key": key}),
    ):
        answer = bert(method, path, body)
        assert (answer.status_code, "Secret" in answer.text) == (404, False), (method, path)
    headers = {"x-callsheet-token": bert.token}
    log = bert.browser.post("/v1/call/commits", json={"after": 0}, headers=headers)
    assert "Secret" not in log.text
    assert "View" not in bert.browser.get("/v1/description").json()["schema"]["types"]
    assert desk.browser().get("/explorer/x/views").status_code == 401


@pytest.mark.parametrize("sharing", [{"shared": True}, {"people": ["bert"]}, {"roles": ["user"]}])
def test_a_view_is_shared_with_people_and_roles(anna: Person, bert: Person, sharing: dict[str, Any]) -> None:
    """They see it and copy it; only its owner changes it, and ends the sharing."""
    key = anna.keep(**sharing)
    assert bert.names() == ["By sequence"]
    seen = bert("GET", f"?key={key}").json()
    assert (seen["own"], seen["owner"], seen["place"], "people" in seen) == (False, "anna", PIVOT["place"], False)
    assert bert("GET", f"/file?key={key}").json()["place"] == PIVOT["place"]
    for method, path, body in (("DELETE", f"?key={key}", None), ("POST", "", {**PIVOT, "key": key})):
        refused = bert(method, path, body)
        assert (refused.status_code, "anna's" in refused.text) == (403, True)
    assert bert("GET", f"/history?key={key}").status_code == 403
    anna.keep(key=key)
    assert bert.names() == []


def test_others_are_not_meant_by_a_role_or_a_name_they_lack(anna: Person, bert: Person) -> None:
    """A part of a name is no name."""
    anna.keep(people=["ber", "bert2"], roles=["use", "admin"])
    assert bert.names() == []


def test_a_view_has_a_history_and_its_changes_are_taken_back(anna: Person, bert: Person) -> None:
    """Also its removal; nobody takes back what others did."""
    key = anna.keep()
    anna.keep(key=key, name="Renamed")
    [renamed, created] = anna("GET", f"/history?key={key}").json()["history"]
    names = renamed["before"]["name"], renamed["after"]["name"]
    assert (renamed["user"], names) == ("anna", ("By sequence", "Renamed"))
    assert created["kind"] == "create"
    assert bert("POST", "/undo", {"key": key, "commit": renamed["commit"]}).status_code == 404
    assert anna("POST", "/undo", {"key": key, "commit": renamed["commit"]}).json()["name"] == "By sequence"
    gone = anna("DELETE", f"?key={key}").json()["commit"]
    assert anna.names() == []
    assert anna("POST", "/undo", {"key": key, "commit": gone}).json()["name"] == "By sequence"
    assert anna.names() == ["By sequence"]


def test_a_file_of_a_view_is_read_again(anna: Person, bert: Person) -> None:
    """Its name and place travel; whom it was shared with does not."""
    key = anna.keep(shared=True, description="For Monday")
    answer = anna("GET", f"/file?key={key}")
    assert answer.headers["content-disposition"] == 'attachment; filename="view.json"'
    kept = bert("POST", "", answer.json()).json()
    assert (kept["owner"], kept["shared"], kept["description"]) == ("bert", False, "For Monday")


def test_a_place_without_a_name_is_found_by_its_key_only(anna: Person) -> None:
    """It stands for an address that is too long."""
    key = anna.keep(name="", place="v/sheet?q=" + "x" * 5_000)
    assert anna.names() == []
    assert len(anna("GET", f"?key={key}").json()["place"]) == 5_010


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"place": "https://example.org"}, "an address below the page's own"),
        ({"place": "javascript:alert(1)"}, "an address below the page's own"),
        ({"place": " "}, "a view needs a place"),
        ({"place": "x" * 100_001}, "at most"),
        ({"kind": "dashboard", "place": "{"}, "a dashboard is JSON"),
        ({"kind": "spell"}, "cannot be read"),
        ({"format": "other"}, "no file of a view"),
        ({"name": "x" * 201}, "at most"),
        ({"people": "bert"}, "cannot be read"),
    ],
)
def test_what_cannot_be_kept_is_said(anna: Person, wrong: dict[str, Any], said: str) -> None:
    """Nothing is kept then."""
    answer = anna("POST", "", {**PIVOT, **wrong})
    assert (answer.status_code, said in answer.text) == (422, True), answer.text
    assert anna.names() == []


@pytest.mark.parametrize("key", ["", "x\" or name != '", "0" * 100, "nothing"])
def test_a_strange_key_finds_nothing(anna: Person, key: str) -> None:
    """A key is never a part of a query."""
    anna.keep()
    assert anna.browser.get("/explorer/x/views", params={"key": key}).status_code == 404


def test_views_stay_beside_the_database_or_where_one_says(tmp_path: Path) -> None:
    """By default in a file of their own; None keeps them until the end only."""
    url = f"sqlite:///{tmp_path / 'show.db'}"
    for names in ([], ["By sequence"]):
        with open_page_desk(url) as desk:
            anna = Person(*desk.signed_in("anna"))
            assert anna.names() == names
            anna.keep()
            store, folder = desk.service.store, desk.service._folder
            assert UserContent(store, folder, str, None).address == MEMORY
            assert UserContent(store, folder, str, tmp_path / "own.db").address == f"sqlite:///{tmp_path}/own.db"
            assert UserContent(store, folder, str, "views.db").of_workspace("two") == "views-two.db"
    assert (tmp_path / "show.content.db").exists()
