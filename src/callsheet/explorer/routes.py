"""The addresses of the page, all below `PREFIX`: the document, its files, and the page's own requests."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from callsheet.dialects.cookies import browser_credentials
from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import Credentials, FileContent, Identify, Intake, Route, Visit, WebRequest
from callsheet.errors import (
    CallsheetError,
    Invalid,
    NotFound,
    QueryError,
    SchemaError,
    ServerError,
    Unavailable,
)
from callsheet.explorer.around import around
from callsheet.explorer.assets_folder import asset, entry_points
from callsheet.explorer.dashboards import dashboard
from callsheet.explorer.media import media
from callsheet.explorer.page import PREFIX, SECURITY, document
from callsheet.explorer.pictures import thumbnail
from callsheet.explorer.pivot_cells import drill, why
from callsheet.explorer.pivots import cube, cubes, describe
from callsheet.explorer.questions import about, read_query
from callsheet.explorer.rows import rows
from callsheet.explorer.searching import search
from callsheet.explorer.signing_in import sign_in, sign_out
from callsheet.explorer.signing_on import begin_oidc, finish_oidc, ways
from callsheet.explorer.views import keep_view, remove_view, undo_view, view_file, view_history, views
from callsheet.flow import Response

__all__ = ["explorer_routes"]

LARGEST = 128 * 2**10
"""Bytes of a body."""
FOREVER = "public, max-age=31536000, immutable"


def explorer_routes() -> tuple[Route, ...]:
    """The routes of the page; none if it was not built."""
    if not entry_points():
        return ()
    return (
        Route("/", _to_page, ("GET", "HEAD"), instant=True, compressed=False),
        Route(PREFIX + "assets/{name}", _file, ("GET", "HEAD"), instant=True, compressed=False),
        _own("x/session", sign_in, "POST", None),
        _own("x/session", sign_out, "DELETE", _optional),
        Route(PREFIX + "x/ways", ways, ("GET",), intake=Intake(anonymous=True), compressed=False, instant=True),
        Route(PREFIX + "x/oidc/begin", begin_oidc, ("GET",), intake=Intake(anonymous=True), compressed=False),
        Route(PREFIX + "x/oidc/callback", finish_oidc, ("GET",), intake=Intake(anonymous=True), compressed=False),
        _own("x/page", about, "GET", _identify),
        _own("x/search", search, "GET", _identify),
        _own("x/parse", read_query, "POST", _identify),
        _own("x/cubes", cubes, "GET", _identify),
        _own("x/cubes", describe, "POST", _identify),
        _own("x/cube", cube, "POST", _identify),
        _own("x/drill", drill, "POST", _identify),
        _own("x/why", why, "POST", _identify),
        _own("x/dashboard", dashboard, "POST", _identify),
        _own("x/views", views, "GET", _identify),
        _own("x/views", keep_view, "POST", _identify),
        _own("x/views", remove_view, "DELETE", _identify),
        _own("x/views/history", view_history, "GET", _identify),
        _own("x/views/undo", undo_view, "POST", _identify),
        _own("x/views/file", view_file, "GET", _identify),
        _own("x/around", around, "POST", _identify),
        _own("x/media/{key}", media, "GET", _identify),
        _own("x/rows", rows, "POST", _identify),
        _own("x/thumb/{key}/{size}", thumbnail, "GET", _identify),
        Route(PREFIX + "{path:path}", _document, ("GET", "HEAD"), instant=True, compressed=False),
        Route(PREFIX.rstrip("/"), _to_page, ("GET", "HEAD"), instant=True, compressed=False),
    )


def _own(path: str, made: Callable[[Visit], Response | FileContent], method: str, who: Identify | None) -> Route:
    def answered(visit: Visit) -> Response | FileContent:
        try:
            return made(visit)
        except CallsheetError as error:
            return _refuse(error)

    intake = Intake(LARGEST, anonymous=who is not _identify)
    return Route(PREFIX + path, answered, (method,), who, _refuse, intake, compressed=False)


def _identify(request: WebRequest) -> Credentials:
    found = browser_credentials(request)
    return Credentials(None, "", "browser reads", "you are signed out; sign in again") if found is None else found


def _optional(request: WebRequest) -> Credentials | None:
    return browser_credentials(request)


def _refuse(error: CallsheetError) -> Response:
    if isinstance(error, QueryError | SchemaError):
        error = Invalid(str(error))
    found = error if isinstance(error, ServerError) else Unavailable(str(error))
    return error_response(found, headers={"cache-control": "no-store", **SECURITY})


def _to_page(visit: Visit) -> Response:
    """To the page by its path: a host name that a request invents leads nowhere."""
    path = urlsplit(visit.request.url).path.rstrip("/") + PREFIX
    return Response(302, b"", {"location": path, "cache-control": "no-store"})


def _document(visit: Visit) -> Response:
    return document(visit.request)


def _file(visit: Visit) -> Response:
    try:
        found = asset(visit.request.names["name"])
    except NotFound as error:
        return _refuse(error)
    headers = {"content-type": found.kind, "cache-control": FOREVER, "vary": "accept-encoding", **SECURITY}
    if "gzip" in visit.request.header("accept-encoding"):
        return Response(200, found.compressed, {**headers, "content-encoding": "gzip"})
    return Response(200, found.content, headers)
