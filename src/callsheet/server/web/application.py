"""The service as an ASGI application.

From outside in: `Guard` (limits and authentication), `ErrorBoundary` (no traceback leaves the server), the routes. The
guard has already matched the route; Starlette handles only websockets and requests that match no route. Routes are
declared by dialects or passed to `application`. A route does all its blocking work in one call on a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware

from callsheet.dialects.protocol import Backend
from callsheet.dialects.routes import AnyRoute, Intake, Route, Visit
from callsheet.flow import Response
from callsheet.server.access.authentication import ApiKeys, Authentication, Authenticator, Provider, utc_now
from callsheet.server.access.logins import Logins
from callsheet.server.access.workspace_chain import NoWorkspace, WorkspaceAuthentication
from callsheet.server.files.addresses import SignedAddresses
from callsheet.server.limits import Limits
from callsheet.server.service import Service
from callsheet.server.web.admission import Admission
from callsheet.server.web.asgi import Application
from callsheet.server.web.connections import served_dialects
from callsheet.server.web.guard import ErrorBoundary, Guard
from callsheet.server.web.routing import Dispatch, declared_routes, routes_of, served_routes
from callsheet.server.web.turns import Turns
from callsheet.server.web.workspaces import WorkspaceApplication, WorkspaceDoor
from callsheet.server.workspaces.hosting import Workspaces

__all__ = ["HEALTH", "ServedService", "application"]


NOTHING = {"name": "none", "types": {"Nothing": {}}}
"""The schema of the empty workspace that answers for names of which there is none: nobody has an account in it."""


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
    The service's workspaces are served below ``/workspaces/NAME``, by the same routes.
    """
    limits = limits or Limits()
    routes = [route for router in ([routes_of(served_dialects())] if routers is None else routers) for route in router]
    make = partial(_application, routes=[HEALTH, *routes], limits=limits, turns=Turns(limits))
    own = [*_providers(service), *providers]
    sign_on = getattr(service, "sign_on", None)
    # First: tokens of an external issuer look like those of this server.
    own = own if sign_on is None else [*sign_on.providers, *own]
    standing = None if sign_on is None else sign_on.directory.check
    chain = Authentication(own, limits=limits, now=_clock_of(service), standing=standing)
    main, workspaces = make(service, chain), getattr(service, "workspaces", None)
    if not isinstance(workspaces, Workspaces):
        return Guard(main.routes, limits, main.admit)

    def made(opened: Service, first: Sequence[Provider] = ()) -> WorkspaceApplication:
        opened.logins.count_addresses_with(getattr(service, "logins", opened.logins))
        own_chain = WorkspaceAuthentication([*first, *_providers(opened)], chain, limits, _clock_of(opened))
        return make(opened, own_chain)

    def nobody() -> WorkspaceApplication:
        first = NoWorkspace(own, lambda account: _is_administrator(service, account), workspaces.list)
        return made(Service.open("memory:", NOTHING, administrator=False, limits=limits, workspace="(none)"), [first])

    workspaces.open_all()
    door = WorkspaceDoor(main, workspaces, made, nobody)
    return Guard(door, limits, door.admit)


def _application(
    service: ServedService, chain: Authentication, routes: Sequence[AnyRoute], limits: Limits, turns: Turns
) -> WorkspaceApplication:
    """The routes of one workspace, and its authentication."""
    served = list(served_routes(service, chain, routes, limits, turns))
    app = Starlette(routes=[route for route, _ in served], middleware=[Middleware(ErrorBoundary)])
    admission = Admission(service, chain, declared_routes(served))
    return WorkspaceApplication(Dispatch(app, ErrorBoundary), admission)


def _providers(service: ServedService) -> list[Provider]:
    """What authenticates the accounts of a service."""
    addresses, logins = getattr(service, "addresses", None), getattr(service, "logins", None)
    found: list[Provider] = []
    if isinstance(logins, Logins):
        # Before the keys, which take every other secret for a key.
        found += [logins.provider, logins.browsers]
    if isinstance(addresses, SignedAddresses):
        addresses.renew()
        found.append(addresses)
    return [*found, ApiKeys(service.accounts)]


def _is_administrator(service: Any, account: str) -> bool:
    return bool(service.access(account).permissions.admin)


def _clock_of(service: ServedService) -> Callable[[], datetime]:
    """The clock that tokens expire by."""
    clock: Callable[[], datetime] = getattr(service, "clock", utc_now)
    return clock


def _health(_: Visit) -> Response:
    return Response(200, b'{"status":"ok"}', {"content-type": "application/json", "cache-control": "no-store"})


# Not counted among the requests: a server at its request limit is busy, not unhealthy.
HEALTH = Route("/healthz", _health, ("GET", "HEAD"), intake=Intake(counted=False), compressed=False, instant=True)
