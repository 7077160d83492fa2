"""A server with its page, and a browser that does without one: a client that keeps cookies."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from login_desk import PASSWORD, Clock

from callsheet.explorer.routes import explorer_routes
from callsheet.server.limits import limits_of
from callsheet.server.service import Service
from callsheet.server.web.application import application
from callsheet.server.web.connections import served_dialects
from callsheet.server.web.routing import routes_of

__all__ = ["PASSWORD", "PageDesk", "open_page_desk"]

QUICK: Mapping[str, float] = {"password_bytes": 8 * 2**10, "password_passes": 1}


@define
class PageDesk:
    """The account ``anna`` has a password and may write; ``key`` is the administrator's."""

    service: Service
    app: Any
    clock: Clock
    key: str = "the key of the administrator"

    def browser(self, base: str = "http://testserver") -> TestClient:
        """A browser of its own, with its own cookies."""
        return TestClient(self.app, base_url=base, follow_redirects=False)

    def signed_in(self, name: str = "anna", password: str = PASSWORD) -> tuple[TestClient, str]:
        """A browser that is signed in, and the token of its login."""
        browser = self.browser()
        answer = browser.post("/explorer/x/session", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        return browser, answer.json()["token"]

    def code(self, name: str = "anna") -> str:
        found: str = self.service.backend(name).call("own.page", {})["code"]
        return found


@contextmanager
def open_page_desk(url: str = "memory:", **limits: float) -> Iterator[PageDesk]:
    clock, chosen = Clock(), limits_of({**QUICK, **limits})
    with Service.open(url, admin_key="the key of the administrator", clock=clock, limits=chosen) as service:
        if service.store.created:
            service.accounts.add("anna")
            service.logins.set_password("anna", PASSWORD)
        app = application(service, chosen, [explorer_routes(), routes_of(served_dialects())])
        yield PageDesk(service, app, clock)
