"""Every screen of the page can be read and used by everybody: axe finds nothing, in both colours and widths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser_show import Show

import callsheet.explorer

AXE = Path(callsheet.explorer.__file__).parent / "app" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def sheet(page: Any, show: Show) -> None:
    """Rows, one of them edited, one changed by somebody else, and the call sheet."""
    page.keyboard.press("c")
    page.locator("regular-table tbody tr:nth-of-type(2) td:nth-of-type(6)").click()
    page.keyboard.press("Enter")
    page.locator(".editor input").fill("7")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line")


def empty(page: Any, show: Show) -> None:
    page.goto(f"{show.server.url}/explorer/v/sheet?q=Shot where name is nothing")
    page.wait_for_selector(".nothing")


def wrong(page: Any, show: Show) -> None:
    page.locator(".qi").fill("Shot where statsu is Done")
    page.wait_for_selector(".strip.bad")


def entity(page: Any, show: Show) -> None:
    page.goto(f"{show.server.url}/explorer/e/Shot/{show.shots[3]['id']}")
    page.wait_for_selector(".events :text('Created')")


def palette(page: Any, show: Show) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("sh000")
    page.wait_for_selector(".palette [role=option]:has-text('sh0001')")


def editor(page: Any, show: Show) -> None:
    page.locator("regular-table tbody tr:nth-of-type(3) td:nth-of-type(2)").click()
    page.keyboard.press("Enter")
    page.wait_for_selector(".editor li")


def board(page: Any, show: Show) -> None:
    page.click(".tabs a:has-text('Board')")
    page.wait_for_selector(".card:has-text('sh0001')")


def pivot(page: Any, show: Show) -> None:
    """Two moments, a cell and why it changed."""
    page.goto(f"{show.server.url}/explorer/c/Shot?rows=Sequence&cols=Status&where=bid > 3&at=1,now")
    page.wait_for_selector("cs-pivot-grid td")
    page.locator("cs-pivot-grid tbody tr:nth-of-type(1) td:nth-of-type(2)").click()
    page.keyboard.press("?")
    page.wait_for_selector(".why .big")


def steps(page: Any, show: Show) -> None:
    page.goto(f"{show.server.url}/explorer/v/steps?q=Shot&group=parent")
    page.wait_for_selector(".grow-line .gc.rowhd")
    page.locator(".grow-line .gc.rowhd").nth(2).click()


def timeline(page: Any, show: Show) -> None:
    page.goto(f"{show.server.url}/explorer/v/timeline?q=Shot&group=parent")
    page.wait_for_selector(".tl-bar:visible")
    page.keyboard.press("Tab")
    page.locator(".tl-bar:visible").nth(1).click()
    page.keyboard.press("Alt+ArrowRight")
    page.wait_for_selector(".tl-bar.pend")


def signed_out(page: Any, show: Show) -> None:
    page.click("button[aria-label='Sign out']")
    page.wait_for_selector("input[name=name]")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is installed by `npm install` in src/callsheet/explorer/app")
@pytest.mark.parametrize(
    "screen", [sheet, empty, wrong, entity, palette, editor, board, pivot, steps, timeline, signed_out]
)
def test_axe_finds_nothing(page: Any, show: Show, screen: Any) -> None:
    """WCAG 2.1 A and AA: contrast, names, roles, order."""
    screen(page, show)
    for width, colours in ((1440, "light"), (1440, "dark"), (900, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")
        page.wait_for_timeout(200)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("rules => axe.run(document, { runOnly: rules })", RULES)
        shown = [
            (each["id"], each["help"], [node["html"][:160] for node in each["nodes"]][:3])
            for each in found["violations"]
        ]
        assert shown == [], (width, colours)
