"""Pivots as a person uses them, in a real browser: levels and measures by mouse and keys, why, drill, live."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from browser_show import Show


def pivot(page: Any, show: Show, query: str = "") -> None:
    page.goto(f"{show.server.url}/explorer/c/Shot{query}")
    page.wait_for_selector("cs-pivot-grid td")


def lines(page: Any) -> list[list[str]]:
    """The rows in sight: what each is called, and its numbers."""
    found: list[list[str]] = page.evaluate(
        """[...document.querySelectorAll('cs-pivot-grid tbody tr')].map(
            line => [...line.querySelectorAll('th, td')].map(cell => cell.textContent.trim()))"""
    )
    return found


def number(page: Any, row: str, place: int = 1) -> Any:
    """A cell by the name of its row."""
    return page.locator(f"cs-pivot-grid tbody tr:has(th:text-is('{row}')) td:nth-of-type({place})")


def test_a_pivot_is_built_by_clicks_keys_and_dragging(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """What is on rows, columns and values is in the address; Back takes the last step back."""
    page.click(".tabs a:has-text('Pivot')")
    page.wait_for_selector("cs-pivot-grid td")
    assert page.url == f"{show.server.url}/explorer/c/Shot"
    assert lines(page) == [["All", "1,500"]]
    page.click(".fl:has-text('Sequence') >> nth=0")
    page.wait_for_selector("cs-pivot-grid th:text-is('sq010')")
    page.drag_and_drop(".fl:has(span:text-is('Status'))", "[aria-labelledby='shelf-cols']")
    page.wait_for_selector("cs-pivot-grid thead :text-is('Done')")
    page.locator(".fl:has-text('Sum(bid)')").focus()
    page.keyboard.press("v")
    page.wait_for_selector("cs-pivot-grid thead :text-is('Sum(bid)')")
    assert re.search(r"rows=Sequence&cols=Status&values=Sum", page.url)
    picture(page, "pivot-light")
    page.locator(".tok[data-name=Status]").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_selector("cs-pivot-grid tbody th:text-is('Done')")
    assert page.locator(".tok[data-name=Status]").evaluate("each => each === document.activeElement")
    page.keyboard.press("Delete")
    page.wait_for_selector("cs-pivot-grid tbody th:text-is('Done')", state="detached")
    page.go_back()
    page.wait_for_selector("cs-pivot-grid tbody th:text-is('Done')")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 900, "height": 900})
    picture(page, "pivot-dark-900")


def test_rows_close_and_open(page: Any, show: Show) -> None:
    """By a click on the name, and by the space bar."""
    pivot(page, show, "?rows=Sequence")
    assert [line[0] for line in lines(page)] == ["tide", "sq010", "All"]
    page.click("cs-pivot-grid th:text-is('tide')")
    page.wait_for_selector("cs-pivot-grid th:text-is('sq010')", state="detached")
    assert page.locator("tr[aria-expanded=false] th").inner_text() == "tide"
    number(page, "tide").click()
    page.keyboard.press("Space")
    page.wait_for_selector("cs-pivot-grid th:text-is('sq010')")


def test_numbers_are_shown_as_shares(page: Any, show: Show) -> None:
    """Of what is above a row, as the server counted it."""
    pivot(page, show, "?rows=Status")
    page.select_option("select[aria-label='Show as']", "total")
    page.wait_for_selector("cs-pivot-grid td:text-is('100.0 %')")
    assert number(page, "Done").inner_text() == "11.1 %"
    assert "share=total" in page.url


def test_a_colleagues_commit_reaches_the_numbers(page: Any, show: Show) -> None:
    """Without a key being pressed."""
    pivot(page, show, "?rows=Sequence&values=Sum(bid)")
    before = number(page, "All").inner_text()
    show.shots[20]["bid"] += 1000.0
    show.session.commit()
    page.wait_for_function(
        "before => document.querySelector('cs-pivot-grid tbody tr:last-of-type td').textContent.trim() !== before",
        arg=before,
    )
    assert float(number(page, "All").inner_text().replace(",", "")) == float(before.replace(",", "")) + 1000.0


def test_a_cell_says_why_it_changed_and_leads_to_its_entities(
    page: Any, show: Show, picture: Callable[..., None]
) -> None:
    """`?` shows commits by size, Enter the sheet of the entities; totals have both, too."""
    show.shots[30]["bid"] += 500.0
    position = show.session.commit().position
    pivot(page, show, f"?rows=Sequence&values=Sum(bid)&at={position - 1},now")
    number(page, "All", 2).click()
    page.keyboard.press("?")
    page.wait_for_selector(".why li")
    assert "+500.00" in page.locator(".why .big").inner_text()
    assert "sh0030" in page.locator(".why li").inner_text()
    picture(page, "pivot-why")
    page.keyboard.press("Escape")
    page.wait_for_selector(".why", state="detached")
    page.keyboard.press("Enter")
    page.wait_for_selector("regular-table tbody th:has-text('sh0000')")
    assert page.url.startswith(f"{show.server.url}/explorer/v/sheet?q=Shot")
    assert page.locator(".stat").inner_text().startswith("1,500 rows")


def test_a_filter_is_chosen_from_members(page: Any, show: Show) -> None:
    """It becomes a text of the query language; a wrong text leaves the old numbers, greyed."""
    pivot(page, show, "?rows=Status")
    page.locator(".fl:has(span:text-is('Status'))").focus()
    page.keyboard.press("f")
    page.check(".members label:has-text('Done') input")
    page.click(".members button:has-text('Keep only these')")
    page.wait_for_selector("cs-pivot-grid th:text-is('Omitted')", state="detached")
    assert page.locator(".shelves .cond code").inner_text() == 'status.name is "Done"'
    kept = lines(page)
    page.fill(".shelves input[aria-label^='A condition']", "bdi > 3")
    page.keyboard.press("Enter")
    page.wait_for_selector(".strip.bad:has-text('did you mean `bid`')")
    assert lines(page) == kept
    page.click("button[aria-label='Remove bdi > 3']")
    page.wait_for_selector(".strip.bad", state="detached")


def test_nothing_and_failing_are_said(page: Any, show: Show, picture: Callable[..., None]) -> None:
    """The filter is named, and can be removed; a cube that is not there is named, too."""
    pivot(page, show, "?rows=Status&where=name is nothing")
    page.wait_for_selector(".pvt .nothing:has-text('name is nothing')")
    picture(page, "pivot-empty")
    page.click("button:has-text('Remove the filter')")
    page.wait_for_selector("cs-pivot-grid th:text-is('Done')")
    page.goto(f"{show.server.url}/explorer/c/Nobody")
    page.wait_for_selector(".strip.bad:has-text('there is no cube and no entity type `Nobody`')")
    picture(page, "pivot-failing")


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "‮evil", "[/]"])
def test_names_are_shown_as_they_are(page: Any, show: Show, name: str) -> None:
    """Nothing that a member is called becomes markup."""
    sequence = show.session.create("Sequence", {"name": name, "parent": show.session.query("Project")[0]})
    show.session.create("Shot", {"name": "odd", "parent": sequence})
    show.session.commit()
    try:
        pivot(page, show, "?rows=Sequence")
        assert name in [line[0] for line in lines(page)]
        assert page.locator("cs-pivot img").count() == 0
    finally:
        for shot in sequence["children"]:
            show.session.delete(shot)
        show.session.delete(sequence)
        show.session.commit()
