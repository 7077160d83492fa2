"""The routes of logins, for a server: passwords and invitations become tokens, tokens new tokens.

Requests without credentials are answered here only. What their bodies hold is in no error, log or ``repr``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import asdict
from msgspec import Struct

from callsheet.dialects.native import shapes
from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import Credentials, Identify, Intake, Refuse, Route, Visit, WebRequest
from callsheet.errors import CallsheetError, Invalid, NotFound
from callsheet.flow import Response
from callsheet.model.plain import Malformed

__all__ = ["login_routes"]

LARGEST = 16 * 2**10
"""Bytes of a body."""
T = TypeVar("T")


class SecretBody(Struct, forbid_unknown_fields=True):
    """A body whose ``repr`` shows nothing."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class LoginBody(SecretBody, forbid_unknown_fields=True):
    name: str
    password: str
    device: str = ""


class RefreshBody(SecretBody, forbid_unknown_fields=True):
    refresh_token: str
    request: str


class LogoutBody(SecretBody, forbid_unknown_fields=True):
    refresh_token: str | None = None
    everywhere: bool = False


class PasswordBody(SecretBody, forbid_unknown_fields=True):
    old: str
    new: str


class AcceptBody(SecretBody, forbid_unknown_fields=True):
    code: str
    password: str
    device: str = ""


class DeviceBody(SecretBody, forbid_unknown_fields=True):
    handle: str
    device: str = ""


def login_routes(identify: Identify, refuse: Refuse) -> tuple[Route, ...]:
    """The routes; ``identify`` returns the credentials of a request, ``refuse`` the response to a refused caller.

    Who logs in, or refreshes, may send old credentials, too: they are not looked at.
    """

    def optional(request: WebRequest) -> Credentials | None:
        return identify(request) if request.header("authorization") else None

    def route(path: str, answer: Callable[[Visit], Response], who: Identify | None, method: str = "POST") -> Route:
        def answered(visit: Visit) -> Response:
            try:
                return _only(method, visit, answer)
            except CallsheetError as error:
                return refuse(error)

        return Route(path, answered, None, who, refuse, Intake(LARGEST, anonymous=who is not identify))

    return (
        route("/v1/login", _login, None),
        route("/v1/login/ways", _ways, None, "GET"),
        route("/v1/login/device", _begin_device, None),
        route("/v1/login/device/tokens", _finish_device, None),
        route("/v1/login/refresh", _refresh, None),
        route("/v1/invitations/accept", _accept, None),
        route("/v1/logout", _logout, optional),
        route("/v1/password", _password, identify),
        route("/v1/me", _me, identify, "GET"),
    )


def _only(method: str, visit: Visit, answer: Callable[[Visit], Response]) -> Response:
    if visit.request.method != method:
        error = Invalid(f"this address takes {method}, not {visit.request.method:.20}")
        return error_response(error, 405, {"allow": method})
    if visit.logins is None:
        raise NotFound("this server has no logins; use an API key")
    return answer(visit)


def _login(visit: Visit) -> Response:
    body = _body(visit, LoginBody)
    return _issued(visit.logins.login(body.name, body.password, body.device, visit.address))


def _ways(visit: Visit) -> Response:
    """By what a person may log in, beside a name and a password."""
    return _answer({"password": True, **({"oidc": None} if visit.sign_on is None else visit.sign_on.ways())})


def _begin_device(visit: Visit) -> Response:
    """A code that a person enters at the provider of the house."""
    return _answer(asdict(_signing_on(visit).checked_oidc().begin_device()))


def _finish_device(visit: Visit) -> Response:
    """The tokens of a person who entered its code; 202 while nobody has."""
    body, sign_on = _body(visit, DeviceBody), _signing_on(visit)
    person = sign_on.checked_oidc().finish_device(body.handle)
    if person is None:
        return Response(202, b"{}", {"content-type": "application/json"})
    return _issued(sign_on.tokens(person, sign_on.checked_oidc().settings, body.device, visit.address))


def _signing_on(visit: Visit) -> Any:
    if visit.sign_on is None:
        raise NotFound("this server has no single sign-on; log in with a name and a password")
    return visit.sign_on


def _refresh(visit: Visit) -> Response:
    body = _body(visit, RefreshBody)
    return _issued(visit.logins.refresh(body.refresh_token, body.request, visit.address))


def _accept(visit: Visit) -> Response:
    body = _body(visit, AcceptBody)
    return _issued(visit.logins.accept(body.code, body.password, body.device, visit.address))


def _logout(visit: Visit) -> Response:
    body = _body(visit, LogoutBody) if visit.request.body else LogoutBody()
    if body.refresh_token is not None:
        visit.logins.forget(body.refresh_token, body.everywhere, visit.address)
    elif visit.caller is not None:
        visit.logins.logout(visit.caller.account, visit.caller.login, body.everywhere, visit.address)
    else:
        raise Invalid("log out with an access token in `Authorization`, or with a `refresh_token`")
    return Response(204)


def _password(visit: Visit) -> Response:
    body, caller = _body(visit, PasswordBody), visit.caller
    assert caller is not None, "the route needs an account"
    visit.logins.change_password(caller.account, body.old, body.new, caller.login, visit.address)
    return Response(204)


def _me(visit: Visit) -> Response:
    caller = visit.caller
    assert caller is not None, "the route needs an account"
    said = visit.backend.call("own.account", {})
    return _answer({**said, "session_id": caller.login or None, "expires_at": caller.expires})


def _body(visit: Visit, shape: type[T]) -> T:
    try:
        return shapes.decode(visit.request.body, shape)
    except Malformed as error:
        raise Invalid(f"the request cannot be read: {error}") from None


def _issued(issued: Any) -> Response:
    return _answer({**asdict(issued), "token_type": "Bearer"})


def _answer(data: Any) -> Response:
    return Response(200, shapes.encode(data), {"content-type": "application/json"})
