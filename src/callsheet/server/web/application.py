"""The service as an ASGI application. The only file that knows Starlette.

From outside in: `Guard` (limits), Starlette, `ErrorBoundary` (no traceback leaves), the routes. A route does
its blocking work, the look-up of the account included, in one visit to a worker thread.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import BaseRoute, Route

from callsheet.dialects.native.events import PATH as EVENTS
from callsheet.dialects.native.server import handle
from callsheet.dialects.protocol import Backend
from callsheet.errors import ServerError
from callsheet.flow import Response
from callsheet.server.access.authentication import Authenticator, RecentKeys, bearer, unauthorised
from callsheet.server.web.connections import DIALECTS
from callsheet.server.web.guard import Application, ErrorBoundary, Guard, Limits, Receive, Scope, Send, header
from callsheet.server.web.streaming import EventStreams, Telling
from callsheet.server.web.vendor_events import event_routes, is_eventful
from callsheet.server.web.vendor_http import is_vendor_served, vendor_routes
from callsheet.transport.address import is_loopback

__all__ = ["ServedService", "application"]

COMPRESSED_FROM = 16 * 2**10


class ServedService(Protocol):
    """What the application needs of a service."""

    @property
    def accounts(self) -> Authenticator: ...

    def backend(self, user: str, address: str = "") -> Backend: ...

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...


def application(
    service: ServedService, limits: Limits | None = None, dialects: Collection[str] = DIALECTS
) -> Application:
    """The service behind HTTP: ``/healthz`` for anybody, all else for accounts with a key, in these languages."""
    keys = RecentKeys(service.accounts)
    routes = [
        Route("/healthz", _healthz, methods=["GET", "HEAD"]),
        *(_vendor_routes(service, keys) if "ftrack" in dialects else ()),
        *(_native_routes(service, keys) if "native" in dialects else ()),
    ]
    return Guard(Starlette(routes=routes, middleware=[Middleware(ErrorBoundary)]), limits)


def _vendor_routes(service: ServedService, keys: RecentKeys) -> Iterator[BaseRoute]:
    if is_vendor_served(service):
        yield from vendor_routes(service, keys, _finished)
    if is_eventful(service):
        yield from event_routes(service, keys)


def _native_routes(service: ServedService, keys: RecentKeys) -> Iterator[BaseRoute]:
    if isinstance(service, Telling):
        yield Route(EVENTS, EventStreams(service, keys), methods=["GET"])
    yield Route("/{path:path}", NativeEndpoint(service, keys))


async def _healthz(_: HttpRequest) -> HttpResponse:
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


class NativeEndpoint:
    """Answers requests of the native wire, in the name of the account whose key they bear."""

    def __init__(self, service: ServedService, keys: RecentKeys) -> None:
        self._service, self._keys = service, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        answer = self._work(request, body)
        response = await to_thread.run_sync(answer)
        await HttpResponse(response.content, response.status, dict(response.headers))(scope, receive, send)

    def _work(self, request: HttpRequest, body: bytes) -> Callable[[], Response]:
        """What a worker thread does for one request."""
        scope = request.scope
        user = header(scope, b"x-callsheet-user") or None
        authorization = header(scope, b"authorization")
        address = _address(scope)
        told = {name.lower(): value for name, value in request.headers.items()}

        def work() -> Response:
            try:
                account = self._keys.account(user, bearer(authorization), address)
            except ServerError as error:
                self._service.refused_key(user, str(error), address)
                return _finished(unauthorised(error), scope)
            backend = self._service.backend(account, address)
            answer = handle(backend, request.method, _path(scope), dict(request.query_params), told, body)
            return _finished(answer, scope)

        return work


def _finished(response: Response, scope: Scope) -> Response:
    """The response with the headers every answer has, compressed where the way is long enough to be worth it."""
    headers = {
        **response.headers,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-callsheet-accepts": "gzip",
    }
    content = response.content
    # Pictures and the like are compressed already.
    worth = len(content) > COMPRESSED_FROM and response.headers.get("content-type") != "application/octet-stream"
    if worth and "gzip" in header(scope, b"accept-encoding") and not _is_near(scope):
        content = gzip.compress(content, 1, mtime=0)
        headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(response.status, content, headers)


def _is_near(scope: Scope) -> bool:
    return is_loopback(_address(scope))


def _address(scope: Scope) -> str:
    """Where the request comes from."""
    client: Any = scope.get("client")
    return "" if client is None else str(client[0])


def _path(scope: Scope) -> str:
    """The path still percent-encoded, without the prefix the application may be mounted under."""
    raw = scope.get("raw_path")
    path: str = raw.partition(b"?")[0].decode("latin-1") if raw else scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
