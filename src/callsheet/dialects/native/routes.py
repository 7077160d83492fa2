"""The routes of the native wire, for a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.dialects.cookies import browser_credentials
from callsheet.dialects.native import shapes, watching
from callsheet.dialects.native.events import PATH as EVENTS
from callsheet.dialects.native.events import message_out, place_out
from callsheet.dialects.native.login_routes import login_routes
from callsheet.dialects.native.server import error_response, handle
from callsheet.dialects.native.shapes import VersionsReply, decode, encode
from callsheet.dialects.routes import (
    BYTES,
    Credentials,
    EventQuestion,
    Intake,
    Route,
    Size,
    StreamRoute,
    Visit,
    WatchRoute,
    WebRequest,
)
from callsheet.dialects.serving import ServerHalf
from callsheet.errors import CallsheetError, Invalid, QueryError, ServerError, Unauthorised, Unavailable
from callsheet.flow import Response
from callsheet.model.capability import WIRE
from callsheet.model.event import LAST_INDEX, Position
from callsheet.model.plain import Malformed
from callsheet.model.table_steps import ARROW
from callsheet.model.values import unpack
from callsheet.model.watching import Watch

__all__ = ["HALF", "bearer_credentials", "optional_credentials", "refuse"]

EXPRESSIONS = 1_000
ORDINARY = Intake()
ROWS = frozenset({ARROW, "application/json"})


def bearer_credentials(request: WebRequest) -> Credentials:
    """The API key in the ``Authorization`` header, and the account's name if there is one; else a page's cookie."""
    if not request.header("authorization") and (found := browser_credentials(request)) is not None:
        return found
    scheme, _, key = request.header("authorization").partition(" ")
    user = request.header("x-callsheet-user") or None
    if scheme.lower() != "bearer" or not key.strip():
        missing = "the request has no API key; send it as `Authorization: Bearer <key>`"
        return Credentials(user, "", "bearer", missing)
    return Credentials(user, key.strip(), "bearer")


def refuse(error: CallsheetError) -> Response:
    """The response to a caller that is refused, or whose request cannot be read."""
    if isinstance(error, QueryError):
        return error_response(Invalid(str(error), details={"position": error.position, "hint": error.hint}))
    if not isinstance(error, ServerError):
        error = Unavailable(str(error))
    challenge = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorised) else {}
    return error_response(error, headers=challenge)


def _answer(visit: Visit) -> Response:
    request = visit.request
    return handle(visit.backend, request.method, request.path, request.params, request.headers, request.body)


def _question(request: WebRequest) -> EventQuestion:
    last = request.header("last-event-id")
    after = _position(last) if last else None
    expressions: list[str] = []
    subscriber: Mapping[str, Any] = {}
    for name, value in request.pairs:
        if name == "after":
            # A browser that reconnects sends its position in the header, and its first address.
            after = after or _position(value)
        elif name == "filter":
            expressions.append(value)
        elif name == "subscriber":
            subscriber = _subscriber(value)
        else:
            raise Invalid(f"`{name:.80}` is not a parameter of events; use `after`, `filter`, `subscriber`")
    if len(expressions) > EXPRESSIONS:
        raise Invalid(f"{len(expressions):,} filters; the limit is {EXPRESSIONS:,}")
    return EventQuestion(after, expressions, subscriber)


def _watches(request: WebRequest) -> Sequence[Watch]:
    for name, value in ((shapes.SCENARIO, "a scenario"), ("x-callsheet-at", "an earlier position")):
        if request.header(name):
            raise Invalid(f"what is watched is of the present, not of {value}; send no header {name}")
    return watching.watches_in(request)


def _position(text: str) -> Position:
    """The position of a reader: ``12.3``, or ``12`` for all of commit 12."""
    commit, dot, index = text.partition(".")
    for part in (commit, index) if dot else (commit,):
        if not (part.isascii() and part.isdigit() and len(part) <= 18):
            raise Invalid(f"a position is written as `12.3`, or `12` for all of commit 12, not {text!r:.40}")
    return Position(int(commit), int(index)) if dot else Position(int(commit), LAST_INDEX)


def _subscriber(text: str) -> Mapping[str, Any]:
    try:
        found = unpack(decode(text.encode(), dict[str, Any]))
    except Malformed as error:
        raise Invalid(f"`subscriber` cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise Invalid("`subscriber` is a JSON object")
    return found


def _route(path: str, intake: Intake = ORDINARY) -> Route:
    return Route(path, _answer, methods=None, credentials=bearer_credentials, refuse=refuse, intake=intake)


def _versions(_: Visit) -> Response:
    """What a client needs before it logs in, and no more: which version of the program it is, nobody learns."""
    oldest, newest = WIRE
    return Response(200, encode(VersionsReply(oldest, newest)), {"content-type": "application/json"})


def _capabilities(visit: Visit) -> Response:
    """What the caller may do; without an account, that one is needed."""
    said = {"login": True} if visit.caller is None else {"login": True, **visit.backend.call("own.capabilities", {})}
    return Response(200, encode(said), {"content-type": "application/json", "cache-control": "no-store"})


def optional_credentials(request: WebRequest) -> Credentials | None:
    """The credentials of a request that needs none: without them, nobody calls."""
    shown = request.header("authorization") or browser_credentials(request) is not None
    return bearer_credentials(request) if shown else None


HALF = ServerHalf(
    routes=(
        Route("/versions/rest", _versions, instant=True, compressed=False),
        Route("/capabilities", _capabilities, ("GET",), optional_credentials, refuse),
        StreamRoute(EVENTS, _question, message_out, place_out, bearer_credentials, refuse),
        WatchRoute(watching.PATH, _watches, watching.message_out, watching.place_out, bearer_credentials, refuse),
        *login_routes(bearer_credentials, refuse),
        _route("/v1/commits/{commit:path}/parts/{number:path}", Intake(Size.LARGE)),
        _route("/v1/tables/loads/{path:path}", Intake(Size.LARGE, ROWS)),
        _route("/v1/files/{path:path}", Intake(Size.LARGE, BYTES)),
        _route("/{path:path}"),
    )
)
