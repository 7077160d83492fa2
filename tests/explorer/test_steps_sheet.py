"""The sheet of shots with their tasks by step, as a coordinator uses it in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define

import callsheet

STEPS = ("Layout", "Animation", "Lighting")


@define
class Production:
    """Two sequences of 150 shots with three tasks each: layout is done, animation is in work, lighting waits."""

    server: Any
    session: Any
    shots: list[Any]

    def status(self, shot: int, step: str) -> str:
        """The status that the server has of a task, by another session."""
        with callsheet.Session(self.server.url, api_user="admin", api_key=self.server.admin_key) as session:
            query = (
                f'select status.name from Task where parent.id is "{self.shots[shot]["id"]}" and type.name is {step}'
            )
            name: str = session.query(query).one()["status"]["name"]
            return name

    def people(self, shot: int, step: str) -> list[str]:
        with callsheet.Session(self.server.url, api_user="admin", api_key=self.server.admin_key) as session:
            where = f'context[Task].parent.id is "{self.shots[shot]["id"]}" and context[Task].type.name is {step}'
            found = session.query(f"select resource[User].username from Assignment where {where}").all()
            return [each["resource"]["username"] for each in found]


@pytest.fixture(scope="module")
def show() -> Iterator[Production]:
    with (
        callsheet.serve(seed=True) as server,
        callsheet.Session(server.url, api_user="admin", api_key=server.admin_key) as session,
    ):
        statuses = [
            session.query(f'Status where name is "{name}"').one() for name in ("Done", "In progress", "Not started")
        ]
        steps = [session.query(f'Type where name is "{name}"').one() for name in STEPS]
        session.create("User", {"username": "lighter 04"})
        project = session.create("Project", {"name": "tide"})
        shots = []
        for name in ("sq010", "sq020"):
            sequence = session.create("Sequence", {"name": name, "parent": project})
            for number in range(150):
                values = {
                    "name": f"sh{number:04}",
                    "parent": sequence,
                    "frame_count": 10,
                    "description": "at <b>dusk</b>",
                }
                shot = session.create("Shot", values)
                shots.append(shot)
                for step, status in zip(steps, statuses):
                    session.create("Task", {"name": step["name"], "parent": shot, "type": step, "status": status})
        session.commit()
        yield Production(server, session, shots)


@pytest.fixture
def page(context: Any, show: Production) -> Any:
    """The sheet of shots and steps, grouped by sequence."""
    opened = context.new_page()
    opened.goto(show.session.link)
    opened.wait_for_selector("regular-table tbody td")
    opened.click(".tabs a:has-text('Steps')")
    opened.wait_for_selector(".gc.stp")
    return opened


def line(page: Any, number: int) -> Any:
    return page.locator(f".grow-line[aria-rowindex='{number + 2}']")


def cell(page: Any, number: int, step: str) -> Any:
    """The cell of a step in a line; the first line is the head of the first sequence."""
    place = page.locator(".ghead .gc").all_inner_texts().index(step)
    return line(page, number).locator(".gc").nth(place)


def test_shots_have_a_cell_for_each_step_below_their_sequence(
    page: Any, show: Production, picture: Callable[..., None]
) -> None:
    """A sequence, and the foot for all, say how much is done; texts of the data are texts."""
    assert page.url.startswith(f"{show.server.url}/explorer/v/steps?q=Shot")
    assert line(page, 0).locator(".gc").first.inner_text().split() == ["sq010", "150"]
    assert line(page, 1).locator(".gc").first.inner_text().split() == ["sh0000", "at", "<b>dusk</b>"]
    assert [cell(page, 1, step).locator(".st").inner_text() for step in STEPS] == ["Done", "In progress", "Not started"]
    assert [cell(page, 0, step).locator(".who").inner_text() for step in STEPS] == ["100 %", "0 %", "0 %"]
    foot = page.locator(".gfoot .gc").all_inner_texts()
    assert foot[0] == "300 rows"
    assert foot[1] == "3,000"
    for width, colours in ((1440, "light"), (1440, "dark"), (900, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colours)
        picture(page, f"steps-{colours}-{width}")


def test_a_window_of_rows_is_one_request(page: Any, show: Production) -> None:
    """The second sequence comes into sight: its rows, tasks and people are one request; elements are used again."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]) if "/x/" in request.url else None)
    page.locator(".grid").evaluate(
        "grid => { grid.querySelector('.gbody').kept = [...grid.querySelectorAll('.grow-line')] }"
    )
    page.locator(".grid").evaluate("grid => { grid.scrollTop = 9000 }")
    page.wait_for_selector(".grow-line .gc.rowhd:has-text('sh0110')")
    page.locator(".grid").focus()
    page.keyboard.press("Control+End")
    page.wait_for_selector(".grow-line .gc.rowhd:has-text('sh0149')")
    assert asked == ["rows"]
    lines = "[...grid.querySelectorAll('.grow-line')]"
    kept = f"grid => {lines}.every(each => grid.querySelector('.gbody').kept.includes(each))"
    assert page.locator(".grid").evaluate(kept)


def test_a_sequence_is_shut_and_opened(page: Any) -> None:
    """The next sequence follows then."""
    line(page, 0).locator(".gc").first.click()
    assert line(page, 1).locator(".gc").first.inner_text().split() == ["sq020", "150"]
    assert line(page, 0).get_attribute("aria-expanded") == "false"
    page.keyboard.press("Enter")
    assert line(page, 1).locator(".gc").first.inner_text().startswith("sh0000")


def test_a_key_sets_the_status_of_all_selected_tasks(page: Any, show: Production, picture: Callable[..., None]) -> None:
    """It waits on the call sheet, is taken back as one, and committed as one; then the foot counts it."""
    cell(page, 2, "Animation").click()
    cell(page, 4, "Lighting").click(modifiers=["Shift"])
    assert page.locator(".bulk b").inner_text() == "6 tasks"
    assert page.locator(".bulk .sub").inner_text() == "Animation, Lighting"
    page.keyboard.press("s")
    page.wait_for_selector(".editor li:has-text('Pending review')")
    picture(page, "steps-bulk")
    page.keyboard.press("Escape")
    page.keyboard.press("4")
    page.wait_for_selector(".pill b:has-text('6')")
    assert "pend" in cell(page, 3, "Lighting").get_attribute("class")
    assert show.status(2, "Lighting") == "Not started"
    page.keyboard.press("Control+z")
    page.wait_for_selector(".pill b:has-text('0')")
    page.keyboard.press("8")
    page.wait_for_selector(".pill b:has-text('6')")
    picture(page, "steps-pending")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".toast:has-text('6 changes are committed')")
    assert {show.status(shot, step) for shot in (1, 2, 3) for step in ("Animation", "Lighting")} == {"Done"}
    page.wait_for_selector(".gfoot .who:text-is('1 %')")


def test_somebody_is_assigned(page: Any, show: Production) -> None:
    """By a few letters of the name; released by `Nobody`."""
    cell(page, 7, "Lighting").click()
    page.keyboard.press("a")
    page.locator(".editor input").fill("light")
    page.wait_for_selector(".editor li[aria-selected=true]:has-text('lighter 04')")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pill b:has-text('1')")
    assert cell(page, 7, "Lighting").locator(".who").inner_text() == "L04"
    assert show.people(6, "Lighting") == []
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".toast:has-text('committed')")
    assert show.people(6, "Lighting") == ["lighter 04"]
    assert cell(page, 7, "Lighting").locator(".who").inner_text() == "L04"
    cell(page, 7, "Lighting").click()
    page.keyboard.press("a")
    page.wait_for_selector(".editor li:has-text('Nobody')")
    page.locator(".editor li:has-text('Nobody')").click()
    page.wait_for_selector(".pill b:has-text('1')")
    assert cell(page, 7, "Lighting").locator(".who").inner_text() == "\u2013"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".pill b:has-text('0')")
    assert show.people(6, "Lighting") == []


def test_the_status_that_somebody_else_sets_appears_marked(page: Any, show: Production) -> None:
    """One's own pending status stays beside it."""
    page.wait_for_selector(".live:has-text('Live')")
    cell(page, 11, "Layout").click()
    page.keyboard.press("2")
    task = show.session.query(f'Task where parent.id is "{show.shots[9]["id"]}" and type.name is Layout').one()
    task["status"] = show.session.query('Status where name is "On hold"').one()
    show.session.commit()
    page.wait_for_selector(".gc.inc:has-text('On hold')")
    assert "inc" in cell(page, 10, "Layout").get_attribute("class")
    assert cell(page, 11, "Layout").locator(".st").inner_text() == "Ready to start"
    page.keyboard.press("Control+z")


def test_any_sheet_is_grouped_by_its_address(page: Any, show: Production, picture: Callable[..., None]) -> None:
    """Tasks by their status, in the order of the labels; the numbers of each group are beside its name."""
    page.goto(f"{show.server.url}/explorer/v/sheet?q=Task&cols=name,parent,type&group=status")
    page.wait_for_selector(".grow-line.group")
    assert line(page, 0).locator(".gc").first.inner_text().split()[0] == "Done"
    assert page.locator(".gfoot .gc").first.inner_text() == "900 rows"
    picture(page, "grouped")
