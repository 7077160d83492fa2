"""A real browser, a real server, and a show to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from browser_show import Show

import callsheet

WHERE = "CALLSHEET_CHROMIUM"
"""The environment variable that names Chromium; else it is looked for on the path."""
PICTURES = "CALLSHEET_PICTURES"
"""The environment variable that names a folder for pictures of what the tests saw."""


def chromium() -> str | None:
    """Where Chromium is, if it is installed."""
    named = os.environ.get(WHERE)
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def show() -> Iterator[Show]:
    with (
        callsheet.serve(seed=True) as server,
        callsheet.Session(server.url, api_user="admin", api_key=server.admin_key) as session,
    ):
        session.call("users.password", name="admin", password="a long walk home")
        statuses = session.query("Status").all()
        project = session.create("Project", {"name": "tide"})
        sequence = session.create("Sequence", {"name": "sq010", "parent": project})
        shots = [
            session.create(
                "Shot",
                {
                    "name": f"sh{number:04}",
                    "parent": sequence,
                    "status": statuses[number % len(statuses)],
                    "bid": 100.0 + number,
                    "due_date": date(2026, 12, 1) + timedelta(days=number % 60),
                },
            )
            for number in range(1_500)
        ]
        session.commit()
        yield Show(server, session, shots)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = chromium()
    if found is None:
        pytest.skip(f"no Chromium is installed; install it, or name it in {WHERE}")
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright drives the browser")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Any, show: Show) -> Iterator[Any]:
    """What a browser keeps for one person: cookies and storage. No request may leave the server."""
    made = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    made.set_default_timeout(15_000)
    strangers: list[str] = []
    faults: list[str] = []
    made.on("request", lambda request: strangers.append(request.url) if not _is_own(request.url, show) else None)
    made.on("weberror", lambda error: faults.append(str(error.error)))
    yield made
    made.close()
    assert strangers == []
    assert faults == []


def _is_own(address: str, show: Show) -> bool:
    return address.startswith((show.server.url, "data:", "blob:"))


@pytest.fixture
def page(context: Any, show: Show) -> Any:
    """A page that is signed in as the administrator and shows the shots."""
    opened = context.new_page()
    opened.goto(show.session.link)
    opened.wait_for_selector("regular-table tbody td:has-text('sq010')")
    return opened


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Any, str], None]:
    """Keeps a picture of a page in the folder of `PICTURES`, if one is named."""

    def keep(page: Any, name: str) -> None:
        folder = os.environ.get(PICTURES)
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(folder) / f"{name}.png"))

    return keep
