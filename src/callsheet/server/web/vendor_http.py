"""ftrack's addresses in the application: its one endpoint for operations, its files and its pages."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol, TypeGuard

from anyio import to_thread
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from callsheet.dialects.ftrack.server.asking import Asked, Together
from callsheet.dialects.ftrack.server.refusal import refused
from callsheet.dialects.ftrack.server.requests import handle
from callsheet.errors import CallsheetError, Forbidden, NotFound, ServerError, TooLarge, Unauthorised
from callsheet.flow import Response
from callsheet.server.access.authentication import Authenticator, RecentKeys
from callsheet.server.files.uploads import FileStore, placeholder
from callsheet.server.web.guard import Receive, Scope, Send, header

__all__ = ["VendorServed", "vendor_routes"]

Finish = Callable[[Response, Scope], Response]


class VendorServed(Protocol):
    """What these addresses need of a service."""

    @property
    def accounts(self) -> Authenticator: ...

    @property
    def files(self) -> FileStore: ...

    def backend(self, user: str, address: str = "") -> Together: ...

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...


def is_vendor_served(service: object) -> TypeGuard[VendorServed]:
    """Whether a service has what these addresses need: a place for files, beside its accounts."""
    return isinstance(getattr(service, "files", None), FileStore)


def vendor_routes(service: VendorServed, keys: RecentKeys, finish: Finish) -> list[Route]:
    """The routes; ``finish`` gives a response the headers that every answer has."""
    files = ComponentFiles(service, keys)
    return [
        Route("/api", OperationsEndpoint(service, keys, finish), methods=["POST"]),
        Route("/component/get", files.get, methods=["GET", "HEAD"]),
        Route("/component/thumbnail", files.thumbnail, methods=["GET", "HEAD"]),
        Route("/component/remove", files.remove, methods=["GET", "DELETE"]),
        Route("/component/put", files.put, methods=["PUT"]),
        Route("/img/thumbnail2.png", _picture, methods=["GET", "HEAD"]),
        Route("/widget/{name}", _widget, methods=["GET", "HEAD"]),
    ]


class OperationsEndpoint:
    """Answers lists of operations, in the name of the account whose key they bear."""

    def __init__(self, service: VendorServed, keys: RecentKeys, finish: Finish) -> None:
        self._service, self._keys, self._finish = service, keys, finish

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        told = {name.lower(): value for name, value in request.headers.items()}
        url, address = str(request.base_url).rstrip("/"), _address(scope)

        def work() -> Response:
            user, key = header(scope, b"ftrack-user"), header(scope, b"ftrack-api-key")
            try:
                account = _account(self._keys, user, key, address)
            except ServerError as error:
                self._service.refused_key(user or None, str(error), address)
                return refused(error, True)
            return handle(self._service.backend(account, address), self._service.files, Asked(account, url, body, told))

        response = self._finish(await to_thread.run_sync(work), scope)
        await HttpResponse(response.content, response.status, dict(response.headers))(scope, receive, send)


def _address(scope: Scope) -> str:
    client: Any = scope.get("client")
    return "" if client is None else str(client[0])


def _account(keys: RecentKeys, user: str, key: str, address: str) -> str:
    if not user or not key:
        raise Unauthorised("no user and API key came with the request; they travel as ftrack-user and ftrack-api-key")
    return keys.account(user, key, address)


def _key_told(request: HttpRequest) -> str:
    """The key, which travels better in a header: addresses end up in logs."""
    return request.query_params.get("apiKey", "") or header(request.scope, b"ftrack-api-key")


class ComponentFiles:
    """The bytes of components. Reading takes a user's key, writing an address that the server has signed."""

    def __init__(self, service: VendorServed, keys: RecentKeys) -> None:
        self._service, self._keys = service, keys

    async def get(self, request: HttpRequest) -> HttpResponse:
        return await self._answer(request, "read", self._get)

    async def thumbnail(self, request: HttpRequest) -> HttpResponse:
        return await self._answer(request, "read", self._thumbnail)

    async def remove(self, request: HttpRequest) -> HttpResponse:
        return await self._answer(request, "delete", self._remove)

    async def put(self, request: HttpRequest) -> HttpResponse:
        params = request.query_params
        key = params.get("id", "")
        try:
            part = self._service.files.check(
                key, params.get("part", ""), params.get("until", ""), params.get("signature", "")
            )
            digest = await self._service.files.save(key, part, _body(request))
        except ClientDisconnect:
            return HttpResponse(status_code=400)
        except CallsheetError as error:
            return _told(error)
        return HttpResponse(status_code=200, headers={"etag": f'"{digest}"', **_SAFE})

    async def _answer(self, request: HttpRequest, verb: str, work: Callable[[str], HttpResponse]) -> HttpResponse:
        params = request.query_params
        key = params.get("id", "")

        def answer() -> HttpResponse:
            try:
                address = _address(request.scope)
                if verb == "read" and "signature" in params:
                    self._service.files.check_reading(key, params.get("until", ""), params["signature"])
                    return work(key)
                user = params.get("username", "") or header(request.scope, b"ftrack-user")
                account = _account(self._keys, user, _key_told(request), address)
                backend = self._service.backend(account, address)
                if "Component" in backend.schema.types and not backend.may(verb, "Component", key):
                    raise NotFound("There is no such file.")
                return work(key)
            except CallsheetError as error:
                return _told(error)

        return await to_thread.run_sync(answer)

    def _get(self, key: str) -> HttpResponse:
        return FileResponse(self._service.files.find(key), media_type="application/octet-stream", headers=_SAFE)

    def _thumbnail(self, key: str) -> HttpResponse:
        content, kind = self._service.files.image(key)
        if isinstance(content, Path):
            return FileResponse(content, media_type=kind, headers=_SAFE)
        return HttpResponse(content, media_type=kind, headers=_SAFE)

    def _remove(self, key: str) -> HttpResponse:
        self._service.files.remove(key)
        return HttpResponse(status_code=200, headers=_SAFE)


_SAFE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
}


async def _body(request: HttpRequest) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


def _told(error: CallsheetError) -> HttpResponse:
    status = error.status if isinstance(error, Forbidden | NotFound | Unauthorised | TooLarge) else 400
    response = refused(error, True)
    return HttpResponse(response.content, status, {**response.headers, **_SAFE})


async def _picture(_: HttpRequest) -> HttpResponse:
    return HttpResponse(placeholder(), media_type="image/png", headers=_SAFE)


async def _widget(request: HttpRequest) -> HttpResponse:
    name = html.escape(request.path_params["name"][:80])
    page = f"<!doctype html><title>{name}</title><p>This server has no pages; the widget is {name}.</p>"
    return HttpResponse(page, media_type="text/html", headers=_SAFE)
