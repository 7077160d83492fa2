"""Pivots as the page asks for them: totals by the measure, the entities and the commits behind a cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define
from page_desk import PageDesk, open_page_desk

import callsheet
from callsheet.session.connection import over


@define
class PivotDesk:
    """A small show, a session of anna's, and her browser."""

    desk: PageDesk
    session: Any
    browser: Any
    token: str

    def post(self, path: str, body: Any) -> Any:
        return self.browser.post(f"/explorer/x/{path}", json=body, headers={"x-callsheet-token": self.token})

    def asked(self, **pivot: Any) -> dict[str, Any]:
        answer = self.post("cube", {"cube": "Shot", **pivot})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
def desk() -> Iterator[PivotDesk]:
    with (
        open_page_desk() as opened,
        callsheet.Session(connection=over(opened.service.backend("anna")), plugin_paths=False) as session,
    ):
        project = session.create("Project", {"name": "tide"})
        for number, bids in enumerate(((2.0, 4.0, 9.0), (8.0,))):
            sequence = session.create("Sequence", {"name": f"sq{number}", "parent": project})
            for place, bid in enumerate(bids):
                session.create("Shot", {"name": f"sh{number}{place}", "parent": sequence, "bid": bid})
        session.commit()
        browser, token = opened.signed_in()
        yield PivotDesk(opened, session, browser, token)


def test_totals_are_computed_by_the_measure(desk: PivotDesk) -> None:
    """The mean of all shots is not the mean of the sequences' means."""
    answer = desk.asked(rows=["Sequence"], measures=["Mean(bid)"])
    rows = {
        (tuple(level["values"][row] for level in answer["levels"]), answer["totals"][row]): value
        for row, value in enumerate(answer["measures"][0]["values"])
    }
    assert rows == {
        (("tide", "sq0"), 0): 5.0,
        (("tide", "sq1"), 0): 8.0,
        (("tide", None), 2): 5.75,
        ((None, None), 3): 5.75,
    }
    assert (answer["rows"], answer["types"]) == (2, ["Context"])


def test_rows_and_columns_have_totals_each(desk: PivotDesk) -> None:
    """For every start of the levels on rows with every start of those on columns, once."""
    answer = desk.asked(rows=["Sequence"], cols=["Status"], measures=["Shots"])
    assert sorted(set(answer["totals"])) == [0, 2, 3, 4, 6, 7]
    assert sorted(answer["measures"][0]["values"]) == [1, 1, 3, 3, 4, 4, 4, 4]


def test_conditions_all_hold(desk: PivotDesk) -> None:
    """Each is a text of the query language; an `or` in one is of its own."""
    answer = desk.asked(measures=["Shots"], where=["bid > 3", "name is sh01 or name is sh00", "status is none"])
    assert answer["measures"][0]["values"] == [1]


def test_moments_stand_beside_each_other(desk: PivotDesk) -> None:
    """Each row says which moment it is of; a position and now are never mixed up."""
    answer = desk.asked(measures=["Shots"], at=[0, None])
    assert answer["states"] == [0, 1]
    assert answer["measures"][0]["values"] == [0, 4]
    assert answer["at"] == [0, None]


@pytest.mark.parametrize(
    ("pivot", "status", "said"),
    [
        ({"cube": "Shto"}, 404, "no cube and no entity type `Shto`; did you mean `Shot`?"),
        ({"rows": ["Sequenc"]}, 422, "there is no level `Sequenc`; did you mean `Sequence`"),
        ({"measures": ["Tasks"]}, 422, "there is no measure `Tasks`"),
        ({"where": ["bid >"]}, 422, "expected a value"),
        ({"where": ["bdi > 3"]}, 422, "did you mean `bid`"),
        ({"at": ["tomorrow"]}, 422, "'tomorrow' is no moment"),
        ({"at": []}, 422, "a pivot shows 1 to 12 states"),
        ({"scenarios": ["nobody's"]}, 404, "there is no scenario"),
        ({"rows": ["Sequence"] * 41}, 422, "`rows` has 41 entries"),
        ({"rows": "Sequence"}, 422, "the request cannot be read"),
        ({"strange": 1}, 422, "the request cannot be read"),
    ],
)
def test_what_is_wrong_is_said(desk: PivotDesk, pivot: dict[str, Any], status: int, said: str) -> None:
    """Bad input is named, with the cure where one is near."""
    answer = desk.post("cube", {"cube": "Shot", **pivot})
    assert (answer.status_code, said in answer.text.replace('\\"', '"')) == (status, True), answer.text


def test_a_cell_leads_to_its_entities(desk: PivotDesk) -> None:
    """Totals, too: the query finds what the number counts."""
    pivot = {"cube": "Shot", "rows": ["Sequence"], "measures": ["Shots"], "where": ["bid > 3"]}
    for cell, totals, many in ((["tide", "sq0"], 0, 2), (["tide", None], 2, 3), ([None, None], 3, 3)):
        query = desk.post("drill", {"pivot": pivot, "cell": cell, "totals": totals}).json()["query"]
        assert len(desk.session.query(query).all()) == many
    wrong = desk.post("drill", {"pivot": pivot, "cell": ["tide"]})
    assert (wrong.status_code, "has 2 values, not 1" in wrong.text) == (422, True)


def test_a_cell_says_which_commits_changed_it(desk: PivotDesk) -> None:
    """Who, by how much, and which entities by their labels."""
    before = desk.asked()["position"]
    shot = desk.session.query("Shot where name is sh10").one()
    shot["bid"] = 10.5
    desk.session.commit()
    pivot = {"cube": "Shot", "rows": ["Sequence"], "measures": ["Sum(bid)"]}
    body = {"pivot": pivot, "cell": ["tide", "sq1"], "measure": "Sum(bid)", "since": before}
    found = desk.post("why", body).json()
    assert (found["before"], found["after"], found["difference"]) == (8.0, 10.5, 2.5)
    [cause] = found["causes"]
    assert (cause["user"], cause["effect"], [each[2] for each in cause["entities"]]) == ("anna", 2.5, ["sh10"])
    shot["bid"] = 8.0
    desk.session.commit()


def test_a_pivot_counts_what_the_account_may_read(desk: PivotDesk) -> None:
    """Whoever may read nothing sees no number of it, and nobody asks without an account."""
    assert desk.desk.browser().post("/explorer/x/cube", json={"cube": "Shot"}).status_code == 401
    desk.desk.service.accounts.add("guest", "guest")
    desk.desk.service.logins.set_password("guest", "another long walk home")
    browser, token = desk.desk.signed_in("guest", "another long walk home")
    answer = browser.post("/explorer/x/cube", json={"cube": "Shot"}, headers={"x-callsheet-token": token})
    assert "4" not in str(answer.json().get("measures", ""))
    assert answer.status_code == 403 or answer.json()["measures"][0]["values"] == [0]


def test_a_cube_is_described(desk: PivotDesk) -> None:
    """Levels by names that a request may use, and measures."""
    said = desk.post("cubes", {"cube": "Shot"}).json()
    keys = [level["key"] for level in said["levels"]]
    assert {"Project", "Sequence", "Due date.Month", "Status"} <= set(keys)
    assert len(keys) == len(set(keys))
    for key in keys:
        assert desk.post("cube", {"cube": "Shot", "rows": [key]}).status_code == 200, key
    assert "Shot" in desk.browser.get("/explorer/x/cubes").json()["types"]
