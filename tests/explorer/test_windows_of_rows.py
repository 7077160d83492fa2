"""Windows of rows with the work on them, and the numbers of all rows: what the page requests for a grouped sheet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from attrs import define

import callsheet
from callsheet.explorer.work import work_of


@define
class Rows:
    """A browser of an account, and what it is answered."""

    browser: Any
    token: str

    def post(self, **body: Any) -> Any:
        return self.browser.post("/explorer/x/rows", json=body, headers={"x-callsheet-token": self.token})

    def found(self, **body: Any) -> Any:
        answer = self.post(**body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Two sequences with two and three shots; each shot has a task of two steps, one done."""
    with (
        callsheet.serve(seed=True) as server,
        callsheet.Session(server.url, api_user="admin", api_key=server.admin_key) as opened,
    ):
        fill(opened)
        yield opened


@pytest.fixture(scope="module")
def rows(session: Any) -> Iterator[Rows]:
    with httpx.Client(base_url=session.url) as browser:
        code = session.call("own.page")["code"]
        token = browser.post("/explorer/x/session", json={"code": code}).json()["token"]
        yield Rows(browser, token)


def fill(session: Any) -> None:
    def named(kind: str, name: str) -> Any:
        return session.query(f'{kind} where name is "{name}"').one()

    project = session.create("Project", {"name": "tide"})
    person = session.create("User", {"username": "lighter"})
    for sequence_name, many in (("sq2", 2), ("sq1", 3)):
        sequence = session.create("Sequence", {"name": sequence_name, "parent": project})
        for number in range(many):
            shot = session.create("Shot", {"name": f"sh{number}", "parent": sequence, "frame_count": 10 + number})
            for step, status in (("Layout", "Done"), ("Animation", "In progress")):
                values = {"name": step, "parent": shot, "type": named("Type", step), "status": named("Status", status)}
                task = session.create("Task", values)
            session.create("Assignment", {"context": task, "resource": person})
    session.commit()


SHOTS = {"entity_type": "Shot", "projections": [["name"], ["parent", "name"]]}


def test_rows_come_in_the_order_of_their_groups_and_those_of_labels(rows: Rows) -> None:
    """Within a group they have the order of the query."""
    order = [{"path": ["name"], "descending": True}]
    page = rows.found(select={**SHOTS, "order": order}, group="parent")["page"]
    assert [row[2] for row in page["records"][0]["rows"]] == ["sh2", "sh1", "sh0", "sh1", "sh0"]


def test_the_summary_is_of_all_rows_at_one_position(rows: Rows) -> None:
    """Count, sums, groups, and the work by step and status; only with the window that wants it."""
    select = {**SHOTS, "limit": 1}
    found = rows.found(select=select, group="parent", work="*", totals=["frame_count"], summary=True)
    summary = found["summary"]
    assert len(found["page"]["records"][0]["rows"]) == 1
    assert summary["position"] >= 1
    assert (summary["count"], summary["totals"]) == (5, [54])
    groups = [(each["label"], each["count"], each["totals"]) for each in summary["groups"]]
    assert groups == [("sq1", 3, [33]), ("sq2", 2, [21])]
    steps = [each["label"] for each in summary["steps"]]
    statuses = [each["label"] for each in summary["statuses"]]
    bars = sorted((group, steps[step], statuses[status], count) for group, step, status, count in summary["bars"])
    assert bars == [
        (0, "Animation", "In progress", 3),
        (0, "Layout", "Done", 3),
        (1, "Animation", "In progress", 2),
        (1, "Layout", "Done", 2),
    ]
    assert "summary" not in rows.found(select=select, group="parent", work="*")


def test_the_work_of_a_window_comes_with_it(rows: Rows) -> None:
    """The tasks of these rows alone, with their people."""
    found = rows.found(select={**SHOTS, "limit": 2}, group="parent", work="*")
    tasks = [row for page in found["tasks"] for block in page["records"][: page["roots"]] for row in block["rows"]]
    people = [row for page in found["people"] for block in page["records"][: page["roots"]] for row in block["rows"]]
    assert (len(tasks), len(people), found["cut"]) == (4, 2, False)
    assert found["work"]["type"] == "Task"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"select": {"entity_type": "Shoot"}}, "no type `Shoot`"),
        ({"select": {"entity_type": "User"}, "work": "*"}, "User has no work"),
        ({"select": SHOTS, "work": "AssetVersion"}, "no work of type AssetVersion"),
        ({"select": SHOTS, "group": "children"}, "has many children"),
        ({"select": SHOTS, "group": "name.x"}, "is no reference"),
        ({"select": SHOTS, "group": "nothing.x"}, "is no path of Shot"),
        ({"select": SHOTS, "group": "nothing"}, "nothing"),
        ({"select": SHOTS, "totals": ["nothing"], "summary": True}, "nothing"),
        (
            {"select": {"entity_type": "Shot", "where": {"is": "comparison", "path": ["name"], "operator": "near"}}},
            "near",
        ),
        ({"other": 1}, "other"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(rows: Rows, body: dict[str, Any], said: str) -> None:
    answer = rows.post(**body)
    assert answer.status_code in (400, 404, 422), answer.text
    assert said in answer.text


def test_nobody_reads_rows_without_being_signed_in(session: Any) -> None:
    answer = httpx.post(f"{session.url}/explorer/x/rows", json={"select": SHOTS})
    assert answer.status_code == 401


def test_work_is_found_by_the_schema(session: Any) -> None:
    """A task is work of what is above it, and has none of its own; people have none."""
    schema = session.schema
    found = {name: work_of(schema, schema.types[name]) for name in ("Shot", "AssetBuild", "Task", "User")}
    assert [each and each.type for each in found.values()] == ["Task", "Task", None, None]
    shot = found["Shot"]
    assert shot is not None
    assert (shot.parent, shot.step, shot.status, shot.due) == ("parent", "type", "status", "due_date")
    assert shot.assigning is not None
    assert (shot.assigning.type, shot.assigning.person) == ("Assignment", "resource")
