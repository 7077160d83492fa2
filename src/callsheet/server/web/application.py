"""The service as an ASGI application.

From outside in: `Guard` (limits and authentication), `ErrorBoundary` (no traceback leaves the server), the routes. The
guard has already matched the route; Starlette handles only websockets and requests that match no route. Routes are
declared by dialects or passed to `application`. A route does all its blocking work in one call on a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware

from callsheet.dialects.protocol import Backend
from callsheet.dialects.routes import AnyRoute, Intake, Route, Visit
from callsheet.flow import Response
from callsheet.server.access.authentication import ApiKeys, Authentication, Authenticator, Provider, utc_now
from callsheet.server.access.logins import Logins
from callsheet.server.files.addresses import SignedAddresses
from callsheet.server.limits import Limits
from callsheet.server.web.admission import Admission
from callsheet.server.web.asgi import Application
from callsheet.server.web.connections import served_dialects
from callsheet.server.web.guard import ErrorBoundary, Guard
from callsheet.server.web.routing import Dispatch, declared_routes, routes_of, served_routes

__all__ = ["HEALTH", "ServedService", "application"]


class ServedService(Protocol):
    """What the application needs of a service."""

    @property
    def accounts(self) -> Authenticator: ...

    def backend(self, user: str, address: str = "") -> Backend: ...

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...


def application(
    service: ServedService,
    limits: Limits | None = None,
    routers: Iterable[Sequence[AnyRoute]] | None = None,
    providers: Sequence[Provider] = (),
) -> Application:
    """The service behind HTTP: ``/healthz`` without authentication, and the routes of these routers.

    Without ``routers``, the routes of all dialects are served. ``providers`` authenticate callers without an API key.
    """
    addresses = getattr(service, "addresses", None)
    own: list[Provider] = []
    if isinstance(addresses, SignedAddresses):
        addresses.renew()
        own.append(addresses)
    logins = getattr(service, "logins", None)
    if isinstance(logins, Logins):
        # Before the keys, which take every other secret for a key.
        own.insert(0, logins.provider)
    chain = Authentication([*own, ApiKeys(service.accounts), *providers], limits=limits, now=_clock_of(service))
    routes = [route for router in ([routes_of(served_dialects())] if routers is None else routers) for route in router]
    served = list(served_routes(service, chain, [HEALTH, *routes], limits))
    app = Starlette(routes=[route for route, _ in served], middleware=[Middleware(ErrorBoundary)])
    return Guard(Dispatch(app, ErrorBoundary), limits, Admission(service, chain, declared_routes(served)))


def _clock_of(service: ServedService) -> Callable[[], datetime]:
    """The clock that tokens expire by."""
    clock: Callable[[], datetime] = getattr(service, "clock", utc_now)
    return clock


def _health(_: Visit) -> Response:
    return Response(200, b'{"status":"ok"}', {"content-type": "application/json", "cache-control": "no-store"})


# Not counted among the requests: a server at its request limit is busy, not unhealthy.
HEALTH = Route("/healthz", _health, ("GET", "HEAD"), intake=Intake(counted=False), compressed=False, instant=True)
