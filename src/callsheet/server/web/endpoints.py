"""Declared routes as ASGI endpoints: a request is authenticated and answered in one call on a worker thread."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

from anyio import to_thread
from starlette.datastructures import URL
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse
from starlette.responses import Response as HttpResponse

from callsheet.dialects.routes import (
    CERTIFICATE,
    Answered,
    Credentials,
    FileContent,
    Identify,
    Route,
    StreamedContent,
    UploadRoute,
    Visit,
    WebRequest,
)
from callsheet.errors import CallsheetError, ServerError, Unauthorised
from callsheet.flow import Response
from callsheet.server.access.authentication import Authentication
from callsheet.server.access.principal import Principal
from callsheet.server.deadline import Deadline, within
from callsheet.server.limits import Limits
from callsheet.server.web.asgi import (
    ACCOUNT,
    Gone,
    Receive,
    Scope,
    Send,
    client_address,
    header,
    peer_certificate,
    read_body,
    send_response,
)
from callsheet.server.web.newcomers import SIGNED, cancel_on_close, mark_authenticated
from callsheet.server.web.pieces import send_pieces
from callsheet.server.web.turns import Turns
from callsheet.transport.address import is_loopback

__all__ = [
    "Recognising",
    "RouteEndpoint",
    "UploadEndpoint",
    "http_response",
    "presented_by",
    "recognise",
    "web_request",
]

COMPRESSED_FROM = 16 * 2**10
REQUEST = "callsheet.request"
"""In the scope: its request, as routes read it."""


class Recognising(Protocol):
    """What an endpoint needs of a service."""

    def backend(self, user: str, address: str = "") -> Any: ...

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...


def web_request(scope: Scope, body: bytes = b"") -> WebRequest:
    """A request as routes read it. Its head is read once, however often it is asked for."""
    request: WebRequest | None = scope.get(REQUEST)
    if request is None:
        request = scope[REQUEST] = WebRequest(
            scope.get("method", "GET"),
            _path(scope),
            (scope.get("query_string") or b"").decode("latin-1"),
            {name.decode("latin-1").lower(): value.decode("utf-8", "replace") for name, value in scope["headers"]},
            url=_own_address(scope) if scope["type"] == "http" else "",
            certificate=peer_certificate(scope),
        )
    request.body, request.names = body, scope.get("path_params", {})
    return request


def presented_by(identify: Identify, request: WebRequest) -> Credentials | None:
    """The credentials of a request: those that its route reads, else the certificate of a program.

    A browser presents its certificate with requests that other sites cause, too. So requests with a cookie, or with
    what only browsers send, are not taken for a program's.
    """
    found = identify(request)
    if found is None or not found.missing or not request.certificate:
        return found
    if any(request.header(name) for name in ("cookie", "origin", "sec-fetch-site", "authorization")):
        return found
    return Credentials(found.user, request.certificate, CERTIFICATE)


def recognise(
    service: Recognising, chain: Authentication, identify: Identify, request: WebRequest, address: str
) -> Principal | None:
    """The caller; None if the request needs no account. A refused key is logged, and its error raised."""
    presented = presented_by(identify, request)
    if presented is None:
        return None
    try:
        if presented.missing:
            raise Unauthorised(presented.missing)
        return chain.principal(presented, address)
    except ServerError as error:
        service.refused_key(presented.user, str(error), address)
        raise


class RouteEndpoint:
    """Answers a route."""

    def __init__(self, service: Recognising, chain: Authentication, route: Route, turns: Turns, limits: Limits) -> None:
        self._service, self._chain, self._route, self._turns = service, chain, route, turns
        self._seconds = limits.request_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
        except Gone:
            return
        request = web_request(scope, body)
        if self._route.instant:
            answer = self._answer(request, scope)
        else:
            account: str = scope.get(ACCOUNT, "")
            deadline = Deadline(account, self._seconds)
            cancel_on_close(scope, deadline)
            answer = await self._turns.run(account, self._within, deadline, request, scope)
        if isinstance(answer, FileContent):
            # The request had a valid key or a signed address, else it would have no file.
            mark_authenticated(scope, SIGNED)
            await http_response(answer)(scope, receive, send)
        elif isinstance(answer, StreamedContent):
            await send_pieces(answer, scope, send, self._turns, self._seconds, self._route.refuse)
        else:
            await send_response(send, answer)

    def _within(self, deadline: Deadline, request: WebRequest, scope: Scope) -> Answered:
        """The answer; 503 without any work if the client has already disconnected."""
        if deadline.gone:
            return Response(503)
        with within(deadline):
            return self._answer(request, scope)

    def _answer(self, request: WebRequest, scope: Scope) -> Answered:
        route, address = self._route, client_address(scope)
        logins = getattr(self._service, "logins", None)
        sign_on = getattr(self._service, "sign_on", None)
        visit = Visit(request, getattr(self._service, "files", None), logins, address, sign_on=sign_on)
        if route.credentials is not None:
            try:
                caller = recognise(self._service, self._chain, route.credentials, request, address)
            except ServerError as error:
                if route.refuse is None:
                    raise
                return self._finished(route.refuse(error), scope)
            if caller is not None:
                backend = partial(self._service.backend, caller.account, caller.address)
                visit = Visit(request, visit.files, logins, address, caller, sign_on, backend)
        answer = route.answer(visit)
        return self._finished(answer, scope) if isinstance(answer, Response) else answer

    def _finished(self, response: Response, scope: Scope) -> Response:
        return finished(response, scope) if self._route.compressed else response


class UploadEndpoint:
    """Streams the request's body to a file. The caller's right is checked at the beginning and at the end."""

    def __init__(self, service: Any, chain: Authentication, route: UploadRoute) -> None:
        self._service, self._chain, self._route = service, chain, route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(HttpRequest(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            caller = await to_thread.run_sync(self._caller, request)
            mark_authenticated(request.scope, caller.account)
            key, part = self._route.target(web_request(request.scope))
            backend = self._service.backend(caller.account, caller.address)
            place = partial(_place, backend, key, part)
            digest = await self._service.files.save(caller.account, place, _chunks(request))
        except ClientDisconnect:
            return HttpResponse(status_code=400)
        except CallsheetError as error:
            return http_response(self._route.refuse(error))
        return http_response(self._route.saved(digest))

    def _caller(self, request: HttpRequest) -> Principal:
        shown, address = web_request(request.scope), client_address(request.scope)
        caller = recognise(self._service, self._chain, self._route.credentials, shown, address)
        if caller is None:
            raise Unauthorised("files are uploaded by accounts")
        return caller


def _place(backend: Any, key: str, part: int) -> Path:
    """The path to write; raises if the caller no longer has the right."""
    path: Path = backend.files.place(key, part)
    return path


async def _chunks(request: HttpRequest) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


def http_response(answer: Response | FileContent) -> HttpResponse:
    """An answer as a Starlette response."""
    if isinstance(answer, FileContent):
        return FileResponse(answer.path, media_type=answer.media_type, headers=dict(answer.headers))
    return HttpResponse(answer.content, answer.status, dict(answer.headers))


def finished(response: Response, scope: Scope) -> Response:
    """The response with the headers of every answer, compressed if it is long and goes over a network."""
    headers = {
        **response.headers,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-callsheet-accepts": "gzip",
    }
    content = response.content
    # Pictures and the like are compressed already.
    worth = len(content) > COMPRESSED_FROM and response.headers.get("content-type") != "application/octet-stream"
    if worth and "gzip" in header(scope, b"accept-encoding") and not is_loopback(client_address(scope)):
        content = gzip.compress(content, 1, mtime=0)
        headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(response.status, content, headers)


def _own_address(scope: Scope) -> str:
    """The server's base URL, with the host name that the client used."""
    host = next((value for name, value in scope["headers"] if name == b"host"), None)
    server = scope.get("server")
    return _address(
        scope["scheme"], host, server and tuple(server), scope.get("app_root_path", scope.get("root_path", ""))
    )


@lru_cache(64)
def _address(scheme: str, host: bytes | None, server: tuple[str, int | None] | None, prefix: str) -> str:
    headers = [] if host is None else [(b"host", host)]
    path = prefix.rstrip("/") + "/"
    parts = {"scheme": scheme, "server": server, "headers": headers, "path": path, "query_string": b""}
    return str(URL(scope=parts)).rstrip("/")


def _path(scope: Scope) -> str:
    """The percent-encoded path, without the prefix that the application is mounted under."""
    raw = scope.get("raw_path")
    path: str = raw.partition(b"?")[0].decode("latin-1") if raw else scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
