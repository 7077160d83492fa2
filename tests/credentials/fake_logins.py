"""A server with logins that a test steers: what tokens are valid for, which answers are lost, what was sent."""

from __future__ import annotations

import json
import threading
from collections import Counter
from itertools import count
from typing import Any

import attrs
import httpx
import respx

from callsheet.dialects.native.server import error_response, handle
from callsheet.errors import Unauthorised, Unavailable
from callsheet.flow import Response
from callsheet.testing import memory_service

URL = "https://callsheet.test"
PASSWORD = "sesame 1f9 opens"


SCHEMA = {
    "types": {
        "Project": {"attributes": {"name": {"type": "string"}}},
        "User": {"attributes": {"username": {"type": "string"}}},
    }
}


@attrs.define
class Family:
    """One login: its refresh tokens, each with the request that used it up and the answer."""

    account: str
    session_id: str
    refresh: str
    used: dict[str, tuple[str, dict[str, Any]]] = attrs.field(factory=dict)
    ended: bool = False


class LoginDesk:
    """Answers ``/v1/login…`` by the rules of the wire; all else from a server in memory, if the token is valid."""

    def __init__(self, expires_in: float = 600.0) -> None:
        self.service = memory_service(SCHEMA)
        self.backend = self.service.backend("admin")
        self.expires_in = expires_in
        self.valid: set[str] = set()
        self.families: list[Family] = []
        self.seen: list[httpx.Request] = []
        self.lose = 0
        #: What answers in place of the server, if it is down: a response, or an exception.
        self.down: httpx.Response | Exception | None = None
        self.crowded = False
        #: Renewals are answered when so many have arrived.
        self.together: threading.Barrier | None = None
        #: A renewal is answered when this has been requested.
        self.renews_after = ""
        self._arrived = threading.Event()
        self._numbers = count(1)

    @property
    def paths(self) -> Counter[str]:
        """How often each path was requested."""
        return Counter(request.url.path for request in self.seen)

    def mocked(self) -> respx.MockRouter:
        """A router to enter, in which httpx finds this server at `URL`."""
        router = respx.mock(assert_all_called=False)
        router.route(host="callsheet.test").mock(side_effect=self.answer)
        return router

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request; the next ``lose`` answers to renewals do not arrive."""
        self.seen.append(request)
        if isinstance(self.down, Exception):
            raise self.down
        if self.down is not None:
            return self.down
        if request.url.path == self.renews_after:
            self._arrived.set()
        if request.url.path == "/v1/login/refresh" and self.renews_after:
            assert self._arrived.wait(30)
        if request.url.path == "/v1/login/refresh" and self.together is not None:
            self.together.wait(30)
        made = self._made(request)
        if request.url.path == "/v1/login/refresh" and self.lose:
            self.lose -= 1
            raise httpx.ReadError("the answer is lost", request=request)
        headers = {"content-type": "application/json", **made.headers}
        return httpx.Response(made.status, content=made.content, headers=headers)

    def expire(self) -> None:
        """All access tokens are invalid from now on, whatever clients think."""
        self.valid.clear()

    def _made(self, request: httpx.Request) -> Response:
        path, body = request.url.path, request.content
        if path == "/v1/login" and self.crowded:
            error = Unavailable("too many attempts; try again in 60 s")
            error.retry_after = 60.0
            return error_response(error, 429)
        if path == "/v1/login":
            return self._login(json.loads(body))
        if path == "/v1/login/refresh":
            return self._refresh(json.loads(body))
        if path == "/v1/logout":
            return self._logout(json.loads(body))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.valid:
            return error_response(Unauthorised("the token has expired"))
        if path == "/v1/me":
            return self._me(token)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return handle(self.backend, request.method, path, dict(request.url.params), headers, body)

    def _login(self, body: dict[str, Any]) -> Response:
        if body["name"] != "anna" or body["password"] != PASSWORD:
            return error_response(Unauthorised("the name or the password is wrong"))
        family = Family("anna", f"session-{next(self._numbers)}", "")
        self.families.append(family)
        return _json(self._tokens(family))

    def _tokens(self, family: Family) -> dict[str, Any]:
        number = next(self._numbers)
        family.refresh, access = f"refresh-{number}", f"access-{number}"
        self.valid.add(access)
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "refresh_token": family.refresh,
            "refresh_expires_in": 86_400,
            "session_id": family.session_id,
            "account": family.account,
        }

    def _refresh(self, body: dict[str, Any]) -> Response:
        token, request = body["refresh_token"], body["request"]
        for family in self.families:
            if family.ended:
                continue
            if token == family.refresh:
                answer = self._tokens(family)
                family.used[token] = (request, answer)
                return _json(answer)
            if token in family.used:
                if family.used[token][0] == request:
                    return _json(family.used[token][1])
                family.ended = True
                return error_response(Unauthorised("this login was ended, because a token of it was used twice"))
        return error_response(Unauthorised("there is no such login"))

    def _logout(self, body: dict[str, Any]) -> Response:
        for family in self.families:
            if body["refresh_token"] in (family.refresh, *family.used):
                family.ended = True
        self.valid.clear()
        return Response(204)

    def _me(self, token: str) -> Response:
        return _json(
            {
                "account": "anna",
                "administrator": True,
                "roles": ["admin"],
                "session_id": self.families[-1].session_id,
                "expires_at": None,
                "workspace": "",
                "server": {"name": "callsheet", "version": "0.3.0", "description": "Shots of the studio"},
                "user": {
                    "id": "u1",
                    "username": "anna",
                    "first_name": "Anna",
                    "last_name": "Berg",
                    "email": "anna@example.org",
                },
            }
        )


def _json(value: Any) -> Response:
    return Response(200, json.dumps(value).encode(), {"content-type": "application/json"})
