"""ftrack's addresses, for a server that answers its clients: operations, files, pages and the event server."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping

from callsheet.dialects.ftrack.common.socket import Handshake
from callsheet.dialects.ftrack.server.dispatch import handle
from callsheet.dialects.ftrack.server.requests.error_response import error_response
from callsheet.dialects.ftrack.server.requests.vendor_request import VendorRequest
from callsheet.dialects.ftrack.server.stream.connection import HubConnection
from callsheet.dialects.routes import (
    Answer,
    AnyRoute,
    Credentials,
    FileContent,
    Intake,
    Route,
    Size,
    SocketRoute,
    UploadRoute,
    Visit,
    WebRequest,
)
from callsheet.errors import CallsheetError, Forbidden, NotFound, TooLarge, Unauthorised, Unavailable
from callsheet.flow import Response

__all__ = ["ROUTES"]

READING = ("GET", "HEAD")
SAFE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
}
_NO_STORE = {name: SAFE[name] for name in ("cache-control", "x-content-type-options")}


def _key(user: str, key: str) -> Credentials:
    if not user or not key:
        missing = "no user and API key came with the request; they travel as ftrack-user and ftrack-api-key"
        return Credentials(user or None, "", missing=missing)
    return Credentials(user, key)


def _in_headers(request: WebRequest) -> Credentials:
    return _key(request.header("ftrack-user"), request.header("ftrack-api-key"))


def _of_a_file(request: WebRequest) -> Credentials:
    """A signed address to read a file. A key is better in a header: addresses end up in logs."""
    params = request.params
    if request.path != "/component/remove" and "signature" in params:
        return Credentials(None, request.query, "address read")
    return _key(
        params.get("username", "") or request.header("ftrack-user"),
        params.get("apiKey", "") or request.header("ftrack-api-key"),
    )


def _of_an_upload(request: WebRequest) -> Credentials:
    return Credentials(None, request.query, "address put")


def _of_a_hub(request: WebRequest) -> Credentials:
    params = request.params
    return _key(
        request.header("ftrack-user") or params.get("api_user", ""),
        request.header("ftrack-api-key") or params.get("api_key", ""),
    )


def _operations(visit: Visit) -> Response:
    request = visit.request
    return handle(visit.backend, VendorRequest(visit.account, request.url, request.body, request.headers))


def _of_component(answer: Callable[[Visit, str], Response | FileContent]) -> Answer:
    """An answer about the file of a component, as far as the caller may see it."""

    def answered(visit: Visit) -> Response | FileContent:
        try:
            return answer(visit, visit.request.params.get("id", ""))
        except CallsheetError as error:
            return _refuse_file(error)

    return answered


def _get(visit: Visit, key: str) -> FileContent:
    return FileContent(visit.backend.files.find(key), SAFE)


def _thumbnail(visit: Visit, key: str) -> Response | FileContent:
    asked = visit.request.params.get("size", "")
    size = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else 0
    content, kind = visit.backend.files.image(key, size or None)
    if isinstance(content, bytes):
        return Response(200, content, {"content-type": kind, **SAFE})
    return FileContent(content, SAFE, kind)


def _remove(visit: Visit, key: str) -> Response:
    visit.backend.files.remove(key)
    return Response(200, b"", SAFE)


def _target(request: WebRequest) -> tuple[str, int]:
    """The component and part of an address, whose signature has been checked."""
    params = request.params
    return params.get("id", ""), int(params.get("part", "0"))


def _saved(digest: str) -> Response:
    return Response(200, b"", {"etag": f'"{digest}"', **SAFE})


def _picture(visit: Visit) -> Response:
    return Response(200, visit.files.placeholder(), {"content-type": "image/png", **SAFE})


def _widget(visit: Visit) -> Response:
    name = html.escape(visit.request.names["name"][:80])
    page = f"<!doctype html><title>{name}</title><p>This server has no pages; the widget is {name}.</p>"
    return Response(200, page.encode(), {"content-type": "text/html; charset=utf-8", **SAFE})


def _refuse(error: CallsheetError) -> Response:
    return error_response(error, True)


def _refuse_file(error: CallsheetError) -> Response:
    status = error.status if isinstance(error, Forbidden | NotFound | Unauthorised | TooLarge | Unavailable) else 400
    response = error_response(error, True)
    return Response(status, response.content, {**response.headers, **SAFE})


def _refuse_hub(error: CallsheetError) -> Response:
    response = error_response(error, True)
    return Response(response.status, response.content, {**response.headers, **_NO_STORE})


def _greeting(session: str) -> Response:
    headers: Mapping[str, str] = {"content-type": "text/plain; charset=utf-8", **_NO_STORE}
    return Response(200, str(Handshake(session, 15, 25)).encode(), headers)


def _file_route(path: str, answer: Answer, methods: tuple[str, ...] = READING) -> Route:
    return Route(path, answer, methods, _of_a_file, _refuse_file, files=True, compressed=False)


ROUTES: tuple[AnyRoute, ...] = (
    Route("/api", _operations, ("POST",), _in_headers, _refuse, Intake(Size.LARGE), files=True),
    _file_route("/component/get", _of_component(_get)),
    _file_route("/component/thumbnail", _of_component(_thumbnail)),
    _file_route("/component/remove", _of_component(_remove), ("GET", "DELETE")),
    UploadRoute("/component/put", _of_an_upload, _target, _saved, _refuse_file),
    Route("/img/thumbnail2.png", _picture, READING, files=True, compressed=False, instant=True),
    Route("/widget/{name}", _widget, READING, files=True, compressed=False, instant=True),
    SocketRoute(
        handshake=("/socket.io/1", "/socket.io/1/"),
        path="/socket.io/1/websocket/{session}",
        credentials=_of_a_hub,
        refuse=_refuse_hub,
        greeting=_greeting,
        conversation=HubConnection,
    ),
)
