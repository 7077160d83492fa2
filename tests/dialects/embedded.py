"""Sessions that speak ftrack's dialect with its server half in this process: no wire, no threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callsheet import Session
from callsheet.dialects.ftrack.client.dialect import FtrackDialect
from callsheet.dialects.ftrack.server.dispatch import VendorRequest, handle
from callsheet.flow import Request, Response
from callsheet.session.connection import ServerConnection

__all__ = ["Direct", "session_over"]


class Direct:
    """A transport without a wire. ``sent`` keeps what was asked; ``before`` and ``after`` may raise around the work."""

    def __init__(self, service: Any, user: str = "admin") -> None:
        self._service, self._user = service, user
        self.sent: list[Request] = []
        self.before: Callable[[Request], None] = lambda request: None
        self.after: Callable[[Request], None] = lambda request: None

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        self.before(request)
        headers = {**request.headers, **FtrackDialect.credentials(self._user, "key")}
        asked = VendorRequest(self._user, "http://studio.test", request.content, headers)
        response = handle(self._service.backend(self._user), asked)
        self.after(request)
        return response

    def close(self) -> None:
        """Nothing is open."""


def session_over(transport: Direct, **options: Any) -> Session:
    """A session that talks through the transport."""
    return Session(connection=ServerConnection(FtrackDialect(), transport, None), **options)
