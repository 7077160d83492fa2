"""A server with endpoints, in this process, and clients of its accounts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from attrs import define
from starlette.testclient import TestClient

import callsheet
from callsheet.endpoints.routes import endpoint_routes, load_endpoints
from callsheet.explorer.routes import explorer_routes
from callsheet.server.limits import limits_of
from callsheet.server.service import Service
from callsheet.server.web.application import application
from callsheet.server.web.connections import served_dialects
from callsheet.server.web.routing import routes_of

__all__ = ["EndpointDesk", "open_endpoint_desk"]

ADMIN = "the key of the administrator"


@define
class EndpointDesk:
    """The accounts ``admin``, ``anna`` (who may write) and ``vera`` (a producer, who may only read)."""

    service: Service
    app: Any
    keys: dict[str, str]

    def client(self, account: str = "anna") -> TestClient:
        """A client with the key of an account; without one for an empty name."""
        headers = {"authorization": f"Bearer {self.keys[account]}"} if account else {}
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)

    def session(self, account: str = "admin") -> callsheet.Session:
        from callsheet.session.connection import over

        return callsheet.Session(connection=over(self.service.backend(account)), plugin_paths=False)


@contextmanager
def open_endpoint_desk(folder: Path, source: str | Path, **limits: float) -> Iterator[EndpointDesk]:
    """A desk whose plugin is a file, or has this source."""
    path = source
    if isinstance(source, str):
        path = folder / "own.py"
        path.write_text("import callsheet\n\n" + dedent(source))
    chosen = limits_of(limits)
    with Service.open("memory:", admin_key=ADMIN, limits=chosen, seed=True) as service:
        service.roles.add("producer", ["read:*"])
        keys = {
            "admin": ADMIN,
            "anna": service.accounts.add("anna"),
            "vera": service.accounts.add("vera", role="producer"),
        }
        added = endpoint_routes(load_endpoints([path], allow_writable=True))
        app = application(service, chosen, [added, explorer_routes(), routes_of(served_dialects())])
        yield EndpointDesk(service, app, keys)
