"""Declared routes as Starlette routes, and as a table in which the guard finds the route of a request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from starlette.routing import BaseRoute, Match, WebSocketRoute
from starlette.routing import Route as HttpRoute

from callsheet.dialects import declaration_named
from callsheet.dialects.routes import AnyRoute, Route, SocketRoute, StreamRoute, UploadRoute, WatchRoute
from callsheet.server.access.authentication import Authentication
from callsheet.server.files.uploads import FileStore
from callsheet.server.limits import Limits
from callsheet.server.web.asgi import Application, Receive, Scope, Send
from callsheet.server.web.endpoints import RouteEndpoint, UploadEndpoint
from callsheet.server.web.sockets import EventSockets, is_eventful
from callsheet.server.web.streaming import EventStreams, StreamedService
from callsheet.server.web.turns import Turns
from callsheet.server.web.watch_streams import WatchStreams

__all__ = ["Dispatch", "declared_routes", "routes_of", "served_routes"]

FOUND = "callsheet.found"
"""In the scope: the endpoint of the matched route, and its path parameters."""

Served = tuple[BaseRoute, AnyRoute]


def routes_of(dialects: Collection[str]) -> list[AnyRoute]:
    """The routes of these dialects. Routes that match every path come last."""
    found = [route for name in sorted(dialects) for route in declaration_named(name).server_half.routes]
    return sorted(found, key=lambda route: route.path.startswith("/{"))


def served_routes(
    service: Any,
    chain: Authentication,
    routes: Iterable[AnyRoute],
    limits: Limits | None = None,
    turns: Turns | None = None,
) -> Iterator[Served]:
    """Pairs of a Starlette route and its declaration; file and event routes only if the service has these.

    ``turns`` are the threads of the process, if several applications share them.
    """
    files = getattr(service, "files", None)
    limits = limits or Limits()
    turns = turns or Turns(limits)
    has_files = isinstance(files, FileStore)
    for route in routes:
        match route:
            case Route() if has_files or not route.files:
                methods = None if route.methods is None else list(route.methods)
                yield HttpRoute(route.path, RouteEndpoint(service, chain, route, turns, limits), methods=methods), route
            case UploadRoute() if has_files:
                upload = UploadEndpoint(service, chain, route)
                yield HttpRoute(route.path, upload, methods=list(route.methods)), route
            case StreamRoute() if isinstance(service, StreamedService):
                yield HttpRoute(route.path, EventStreams(service, chain, route, limits), methods=["GET"]), route
            case WatchRoute() if isinstance(service, StreamedService):
                yield HttpRoute(route.path, WatchStreams(service, chain, route, turns, limits), methods=["POST"]), route
            case SocketRoute() if is_eventful(service):
                sockets = EventSockets(service, chain, route, limits)
                for path in route.handshake:
                    yield HttpRoute(path, sockets.handshake, methods=["GET"]), route
                yield WebSocketRoute(route.path, sockets.connect), route


def declared_routes(served: Iterable[Served]) -> Callable[[Scope], AnyRoute | None]:
    """A function from a request to its declared route: the one that matches, else the first with its path, else None.

    A match is kept in the scope, where `Dispatch` finds it without matching again.
    """
    table = [(_fixed(route.path), route, declared) for route, declared in served if isinstance(route, HttpRoute)]

    def route_of(scope: Scope) -> AnyRoute | None:
        near: AnyRoute | None = None
        path, mounted = scope["path"], scope.get("root_path")
        for fixed, route, declared in table:
            if not (mounted or path.startswith(fixed)):
                continue
            match, names = route.matches(scope)
            if match is Match.FULL:
                scope[FOUND] = (route.app, names)
                return declared
            if match is Match.PARTIAL and near is None:
                near = declared
        return near

    return route_of


def _fixed(path: str) -> str:
    """What every path of a route begins with.

    >>> _fixed("/v1/files/{path:path}"), _fixed("/healthz")
    ('/v1/files/', '/healthz')
    """
    return path.partition("{")[0]


class Dispatch:
    """Calls the endpoint that `declared_routes` found for a request; without one, the Starlette application."""

    def __init__(self, application: Application, boundary: Callable[[Application], Application]) -> None:
        self._application, self._boundary = application, boundary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint, names = scope.pop(FOUND, (None, {}))
        if endpoint is None:
            await self._application(scope, receive, send)
            return
        scope.update(names)
        await self._boundary(endpoint)(scope, receive, send)
