"""The server goes away while people edit: nothing is lost, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import callsheet

KEY = "the key of the administrator"


def serving(database: str, port: int = 0) -> Any:
    return callsheet.serve(database=database, port=port, admin_key=KEY)


def test_the_call_sheet_waits_for_the_server_and_is_sent_once(
    browser: Any, tmp_path: Path, picture: Callable[..., None]
) -> None:
    """The page says that it is offline; the commit goes out by itself, by the id that it had."""
    database = f"sqlite:///{tmp_path / 'show.db'}"
    server = serving(database)
    try:
        with callsheet.Session(server.url, api_user="admin", api_key=KEY) as session:
            session.create("Project", {"name": "tide"})
            session.commit()
            page = browser.new_context().new_page()
            page.set_default_timeout(20_000)
            page.goto(session.link)
            # Signed in: before that, another address would leave the code unused.
            page.wait_for_selector(".side")
        page.goto(f"{server.url}/explorer/v/sheet?q=Project&cols=name,description")
        page.wait_for_selector("regular-table tbody th:has-text('tide')")
        page.wait_for_selector(".live:has-text('Live')")
        port = int(server.url.rsplit(":", 1)[1])
        server.close()
        page.wait_for_selector(".live.off:has-text('Offline')")
        page.locator("regular-table tbody td").first.click()
        page.keyboard.press("Enter")
        page.locator(".editor input").fill("made while nobody answered")
        page.keyboard.press("Enter")
        page.wait_for_selector(".pill b:has-text('1')")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".toast:has-text('The call sheet is kept')")
        picture(page, "offline")
        server = serving(database, port)
        page.wait_for_selector(".toast:has-text('1 change is committed')")
        page.wait_for_selector(".pill b:has-text('0')")
        with callsheet.Session(server.url, api_user="admin", api_key=KEY) as session:
            assert session.query("Project").one()["description"] == "made while nobody answered"
            assert len(session.commits()) == 2
        page.context.close()
    finally:
        server.close()
