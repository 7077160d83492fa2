"""An account on a Kitsu server: requests as flows, with a token that is renewed when it ends.

A token lives for days and a sync runs for months, so any request may be refused with 401 (no or an old token) or 422
(a token of another server). The account then logs in again and repeats the request, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps, loads
from typing import Any

from callsheet.errors import (
    Forbidden,
    Invalid,
    NotFound,
    ServerError,
    TooLarge,
    TransportError,
    Unauthorised,
    Unavailable,
)
from callsheet.flow import Flow, Request, Response

__all__ = ["KitsuAccount", "refusal"]

_REFUSALS: dict[int, type[ServerError]] = {
    400: Invalid,
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    409: Invalid,
    413: TooLarge,
    422: Invalid,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


class KitsuAccount:
    """Requests in the name of one account. ``requests`` counts those that were sent.

    An account is an e-mail address with its password, or a ``token`` (a bot's, which never ends).
    """

    def __init__(self, email: str = "", password: str = "", token: str = "") -> None:
        self._email, self._password, self._token = email, password, token
        self._renewable = bool(email)
        self._id: str | None = None
        self.requests = 0

    def __repr__(self) -> str:
        return f"<KitsuAccount {self._email or 'bot'}>"

    def get(self, path: str, **params: Any) -> Flow[Any]:
        """What is at an address: plain data. Reading is repeated if the connection is lost."""
        return self._send("GET", path, None, {name: _text(value) for name, value in params.items()}, safe=True)

    def rows(self, path: str, **params: Any) -> Flow[list[dict[str, Any]]]:
        """The list of rows at an address. Raises `TransportError` if it is no list."""
        found = yield from self.get(path, **params)
        if not isinstance(found, list):
            raise TransportError(f"Kitsu's answer to {path} is no list of rows: {found!r:.80}")
        return found

    def headers(self, path: str, **params: Any) -> Flow[Mapping[str, str]]:
        """The headers that reading an address would give, without its data."""
        texts = {name: _text(value) for name, value in params.items()}
        response: Response = yield from self._answered("HEAD", path, b"", texts, safe=True)
        return response.headers

    def post(self, path: str, data: Any) -> Flow[Any]:
        """Send data; gives the answer's. It is never repeated by itself: the same POST twice is done twice."""
        return self._send("POST", path, data, {})

    def put(self, path: str, data: Any) -> Flow[Any]:
        """Set columns of a row. The same PUT twice is done once, so a lost answer repeats it."""
        return self._send("PUT", path, data, {}, safe=True)

    def delete(self, path: str, **params: Any) -> Flow[Any]:
        """Delete what is at an address."""
        return self._send("DELETE", path, None, {name: _text(value) for name, value in params.items()})

    def id(self) -> Flow[str]:
        """The id of the account's person, by which its own changes are recognised in the log."""
        if self._id is None:
            context = yield from self.get("/auth/authenticated")
            self._id = str(context["user"]["id"])
        return self._id

    def token(self) -> Flow[str]:
        """A token that Kitsu takes now, for what is no request of this account: its events."""
        yield from self.get("/auth/authenticated")
        return self._token

    def log_in(self) -> Flow[None]:
        """Get a token for the password. Raises `Unauthorised` if either is wrong."""
        body = dumps({"email": self._email, "password": self._password}).encode()
        response = yield self._request("POST", "/auth/login", body, {}, safe=True)
        data = _decoded(response)
        if response.status != 200 or not data.get("login"):
            raise Unauthorised(f"Kitsu refused the log-in of {self._email or 'a bot without an e-mail address'}")
        self._token = data["access_token"]

    def _send(self, method: str, path: str, data: Any, params: Mapping[str, str], safe: bool = False) -> Flow[Any]:
        content = b"" if data is None else dumps(data).encode()
        response: Response = yield from self._answered(method, path, content, params, safe)
        return _decoded(response) if response.content else None

    def _answered(
        self, method: str, path: str, content: bytes, params: Mapping[str, str], safe: bool
    ) -> Flow[Response]:
        """The answer, after a new log-in if the token has ended. Raises what Kitsu's refusal means."""
        if not self._token:
            yield from self.log_in()
        response: Response = yield self._request(method, path, content, params, safe)
        if response.status in (401, 422) and self._renewable and _is_about_token(response):
            yield from self.log_in()
            response = yield self._request(method, path, content, params, safe)
        if response.status >= 400:
            raise refusal(method, path, response)
        return response

    def _request(self, method: str, path: str, content: bytes, params: Mapping[str, str], safe: bool) -> Request:
        headers = {"accept": "application/json"}
        if content:
            headers["content-type"] = "application/json"
        if self._token and path != "/auth/login":
            headers["authorization"] = f"Bearer {self._token}"
        self.requests += 1
        return Request(method, path, content, params, headers, safe)


def _text(value: Any) -> str:
    """A value as a query parameter; a list is JSON and means *one of*."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return dumps(list(value), separators=(",", ":")) if isinstance(value, list | tuple) else str(value)


def _decoded(response: Response) -> Any:
    try:
        return loads(response.content)
    except ValueError:
        raise TransportError(f"Kitsu's answer ({response.status}) is no JSON: {response.content[:80]!r}") from None


def _is_about_token(response: Response) -> bool:
    """Whether the token is at fault: 401 always, 422 where the message names it (else a value is)."""
    return response.status == 401 or b"token" in response.content.lower() or b"segments" in response.content.lower()


def refusal(method: str, path: str, response: Response) -> ServerError:
    """The error that an answer of this status means."""
    error = _REFUSALS.get(response.status, ServerError)
    return error(f"Kitsu refused {method} {path} ({response.status}): {_reason(response)}")


def _reason(response: Response) -> str:
    try:
        data = loads(response.content)
    except ValueError:
        return response.content[:200].decode("utf-8", "replace").strip() or "no reason given"
    if isinstance(data, dict):
        return str(data.get("message") or data.get("error") or data)[:300]
    return str(data)[:300]
