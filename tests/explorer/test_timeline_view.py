"""The timeline in a real browser: bars are moved, what waits for them is said to be broken, and committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from browser_show import Show

import callsheet

STEPS = ("Layout", "Animation", "Lighting")


@pytest.fixture(scope="module")
def show() -> Iterator[Show]:
    """A shot whose three tasks follow each other, three days each."""
    with (
        callsheet.serve(seed=True) as server,
        callsheet.Session(server.url, api_user="admin", api_key=server.admin_key) as session,
    ):
        statuses = session.query("Status").all()
        shot = session.create("Shot", {"name": "sh0010", "parent": session.create("Project", {"name": "tide"})})
        begin = date.today()
        tasks: list[Any] = []
        for number, step in enumerate(STEPS):
            start = begin + timedelta(days=3 * number)
            values = {"name": step, "start_date": start, "end_date": start + timedelta(days=2)}
            task = session.create("Task", {**values, "parent": shot, "status": statuses[number]})
            if tasks:
                session.create("TypedContextLink", {"source": tasks[-1], "target": task})
            tasks.append(task)
        session.commit()
        yield Show(server, session, tasks)


@pytest.fixture
def page(context: Any, show: Show) -> Any:
    opened = context.new_page()
    opened.goto(show.session.link)
    opened.wait_for_selector("regular-table tbody th")
    opened.goto(f"{show.server.url}/explorer/v/timeline?q=Task&group=parent")
    opened.wait_for_selector(".tl-links path >> nth=1", state="attached")
    return opened


def dates(show: Show, number: int) -> tuple[date, date]:
    with callsheet.Session(show.server.url, api_user="admin", api_key=show.server.admin_key) as session:
        task = session.get("Task", show.shots[number]["id"])
        return task["start_date"], task["end_date"]


def bar(page: Any, name: str) -> Any:
    return page.locator(f".tl-bar:has-text('{name}')")


def test_a_moved_bar_leaves_its_old_place_and_says_what_it_breaks(
    page: Any, show: Show, picture: Callable[..., None]
) -> None:
    """By keys, a day each; nothing is sent before the commit, and it is taken back."""
    before = dates(show, 1)
    assert page.locator(".tl-links path.bad").count() == 0
    bar(page, "Animation").click()
    page.keyboard.press("Alt+ArrowRight")
    page.keyboard.press("Alt+ArrowRight")
    page.wait_for_selector(".tl-said:has-text('starts 2 days before Animation ends')")
    assert "pend" in bar(page, "Animation").get_attribute("class")
    assert page.locator(".tl-old:visible").count() == 1
    assert page.locator(".tl-links path.bad").count() == 1
    assert dates(show, 1) == before
    for width, colours in ((1440, "light"), (1440, "dark"), (900, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colours)
        picture(page, f"timeline-{colours}-{width}")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.wait_for_selector(".pill b:has-text('0')")
    assert page.locator(".tl-links path.bad").count() == 0


def test_a_bar_is_dragged_by_days(page: Any, show: Show) -> None:
    """Both of its dates move, and are committed as one."""
    before = dates(show, 2)
    box = bar(page, "Lighting").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 30 + 28 * 4, box["y"] + 8, steps=4)
    page.mouse.up()
    page.wait_for_selector(".pill b:has-text('2')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".toast:has-text('2 changes are committed')")
    assert dates(show, 2) == tuple(day + timedelta(days=4) for day in before)


def test_a_type_without_dates_has_no_timeline(page: Any, show: Show) -> None:
    page.goto(f"{show.server.url}/explorer/v/timeline?q=Status")
    page.wait_for_selector(".strip.bad:has-text('a timeline needs dates, and Status has none')")
