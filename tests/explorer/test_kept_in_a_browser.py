"""Kept views, charts and dashboards as a person uses them, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_show import Show


@pytest.fixture(autouse=True)
def nothing_kept(page: Any, show: Show) -> Iterator[None]:
    """Each test begins without kept views."""
    yield
    page.goto(f"{show.server.url}/explorer/c/Shot")
    page.evaluate(
        """async () => {
            const about = await (await fetch('x/page')).json();
            const { views } = await (await fetch('x/views')).json();
            for (const { key } of views)
                await fetch(`x/views?key=${key}`, { method: 'DELETE', headers: { 'x-callsheet-token': about.token } });
        }"""
    )


def pivot(page: Any, show: Show, query: str = "") -> None:
    page.goto(f"{show.server.url}/explorer/c/Shot{query}")
    page.wait_for_selector("cs-pivot-grid td")


def saved_as(page: Any, text: str) -> None:
    page.click("summary:has-text('Save')")
    page.click(f".menu-in button:has-text('{text}')")


def test_a_view_is_kept_changed_on_top_and_removed(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """Its address is short; what is changed on top stays in the query; its removal can be undone."""
    pivot(page, show, "?rows=Status")
    page.click("button:has-text('Keep view')")
    page.fill(".keepd input[name=name]", "By <b>status</b>")
    picture(page, "keep-view")
    page.click(".keepd button.primary")
    page.wait_for_selector(".side a:has-text('By <b>status</b>')")
    assert "/explorer/k/" in page.url
    assert "?" not in page.url
    page.select_option("select[aria-label='Show as']", "total")
    page.wait_for_selector("cs-pivot-grid td:text-is('100.0 %')")
    assert page.url.endswith("?share=total")
    page.reload()
    page.wait_for_selector("cs-pivot-grid td:text-is('100.0 %')")
    page.click("button:has-text('Kept view')")
    page.click(".keepd button:has-text('Remove')")
    page.wait_for_selector(".side a:has-text('By <b>status</b>')", state="detached")
    page.click(".toast button:has-text('Undo')")
    page.wait_for_selector(".side a:has-text('By <b>status</b>')")


def test_an_address_that_is_too_long_is_kept_by_itself(page: Any, show: Show) -> None:
    """So it can be sent all the same."""
    pivot(page, show, "?rows=Status")
    text = " or ".join(f"name is sh{number:04}" for number in range(100))
    page.fill(".shelves input[aria-label^='A condition']", text)
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.pathname.includes('/k/')")
    page.wait_for_selector("cs-pivot-grid tr:has(th:text-is('All')) td:text-is('100')")
    assert len(page.url) < 120
    assert page.locator(".side h2:has-text('Kept views')").count() == 0


def test_a_chart_is_drawn_and_its_specification_edited(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """Under the strict policy for content; the numbers are there as a table, too; what is wrong is said."""
    pivot(page, show, "?rows=Status")
    page.wait_for_selector(".picture canvas")
    assert page.locator("table.heard tbody tr").count() == 9
    picture(page, "chart-light")
    page.click("button:has-text('Edit spec')")
    page.fill(".spec textarea", '{"mark": "bar", "data": {"url": "https://example.org/x.json"}}')
    page.click(".spec button.primary")
    page.wait_for_selector(".wrong:has-text('names no url')")
    page.click("button:has-text('Edit spec')")
    page.fill(".spec textarea", '{"mark": "point", "encoding": {"y": {"field": "Status", "type": "nominal"}}}')
    page.click(".spec button.primary")
    page.wait_for_function("() => new URLSearchParams(location.search).get('chart')?.includes('point')")
    page.wait_for_selector(".picture canvas")
    assert page.locator("cs-chart .wrong").count() == 0
    with page.expect_download() as download:
        page.click("button:has-text('SVG')")
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("<svg")


def test_what_is_shown_is_saved_for_a_spreadsheet(page: Any, show: Show) -> None:
    """With its totals."""
    pivot(page, show, "?rows=Status")
    with page.expect_download() as download:
        saved_as(page, "As CSV")
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert (lines[0], len(lines), lines[-1]) == ("Status,Shots", 11, "All,1500")


def test_tiles_share_a_filter_and_a_position(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """A tile that fails says so alone; keys move and remove tiles; the dashboard follows commits."""
    pivot(page, show, "?values=Shots")
    saved_as(page, "Add to a new dashboard")
    page.wait_for_selector(".tile .figure b:text-is('1,500')")
    for query in ("?rows=Status&look=table", "?rows=Status&look=chart", "?rows=Status&where=bdi is 3&look=table"):
        page.goto(f"{show.server.url}/explorer/c/Shot{query}")
        page.wait_for_selector("cs-pivot-shelves .shelves")
        page.click("summary:has-text('Save')")
        page.click(".menu-in button:has-text('Add to New dashboard')")
        page.wait_for_selector(".tile")
    page.wait_for_selector(".tile canvas")
    assert page.locator(".tile .wrong").all_inner_texts() == [page.locator(".tile .wrong").inner_text()]
    assert "bid" in page.locator(".tile .wrong").inner_text()
    assert "4 tiles at position" in page.locator(".stat").inner_text()
    picture(page, "dashboard-light")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 900, "height": 900})
    picture(page, "dashboard-dark-900")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.fill(".condi", "status.name is Done")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile .figure b:text-is('167')")
    page.click("button:text-is('Edit')")
    page.locator(".tile").first.focus()
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("x/views")):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.tile').style.gridColumn.startsWith('2 ')")
    page.locator(".tile").last.focus()
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("x/views")):
        page.keyboard.press("Delete")
    page.wait_for_selector(".tile .wrong", state="detached")
    page.reload()
    page.wait_for_selector(".tile canvas")
    assert page.locator(".tile").count() == 3
