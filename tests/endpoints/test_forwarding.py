"""Requests that are forwarded: what the target sees, how it knows who calls, and what comes back."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from endpoint_desk import EndpointDesk
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

Desk = Callable[[str], EndpointDesk]


class Target(ThreadingHTTPServer):
    """A program that answers with what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        said = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        content = json.dumps(said).encode()
        self.send_response(404 if "nothing" in self.path else 200)
        self.send_header("content-type", "text/html" if "html" in self.path else "application/json")
        self.send_header("set-cookie", "callsheet=stolen")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def forwarded(target: Target, **more: Any) -> str:
    return f'TOOLS = callsheet.forward("tools/{{path:path}}", to="{target.url}/api", **{more!r})'


def claims_of(desk: EndpointDesk, target: Target, token: str) -> dict[str, Any]:
    """What a target reads of a token: it has the public keys, and nothing else of the server."""
    keys = KeySet.import_key_set(desk.client("").get("/endpoints/.keys").json())
    found = jwt.decode(token, keys, algorithms=["ES256"])
    jwt.JWTClaimsRegistry(aud={"essential": True, "value": f"{target.url}/api"}).validate(found.claims)
    return dict(found.claims)


def test_the_target_learns_who_calls_and_gets_no_secret(desk: Desk, target: Target) -> None:
    """A token of a minute for it alone; the caller's key stays here, and the token is no credential here."""
    opened = desk(forwarded(target))
    answer = opened.client("vera").post("/endpoints/tools/a%20b/c?x=1&x=2", content=b'{"n": 1}')
    said = answer.json()
    assert (said["method"], said["path"], said["body"]) == ("POST", "/api/a%20b/c?x=1&x=2", '{"n": 1}')
    assert opened.keys["vera"] not in json.dumps(said)
    token = said["headers"]["authorization"].removeprefix("Bearer ")
    claims = claims_of(opened, target, token)
    assert (claims["sub"], claims["administrator"], claims["iss"]) == ("vera", False, "callsheet")
    assert "producer" in claims["roles"]
    assert claims["exp"] - claims["iat"] == 60
    used = opened.client("").get("/v1/me", headers={"authorization": f"Bearer {token}"})
    assert used.status_code == 401


def test_a_changed_token_is_not_believed(desk: Desk, target: Target) -> None:
    """Neither another account nor another algorithm passes the check of the target."""
    opened = desk(forwarded(target))
    said = opened.client("anna").get("/endpoints/tools/x").json()
    head, _, signature = said["headers"]["authorization"].removeprefix("Bearer ").split(".")
    import base64

    forged = (
        base64.urlsafe_b64encode(json.dumps({"sub": "admin", "administrator": True}).encode()).rstrip(b"=").decode()
    )
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    for token in (f"{head}.{forged}.{signature}", f"{none}.{forged}."):
        with pytest.raises((JoseError, ValueError)):
            claims_of(opened, target, token)


def test_what_comes_back_cannot_act_as_the_server(desk: Desk, target: Target) -> None:
    """Cookies of the target are dropped, its pages run nothing; its status and its type come through."""
    opened = desk(forwarded(target))
    answer = opened.client().get("/endpoints/tools/html", headers={"cookie": "callsheet=x"})
    assert "set-cookie" not in answer.headers
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "text/html"
    assert "cookie" not in json.loads(answer.text)["headers"]
    assert opened.client().get("/endpoints/tools/nothing").status_code == 404


@pytest.mark.parametrize("path", ["../admin", "a/../../b", "%2e%2e/admin", "a%5c..%5cb", "./x", "a%0d%0ab"])
def test_nobody_leaves_the_address_that_is_forwarded(desk: Desk, target: Target, path: str) -> None:
    """What is appended stays below it, however it is written."""
    import httpx

    opened = desk(forwarded(target))
    address = httpx.URL("http://testserver/").copy_with(raw_path=f"/endpoints/tools/{path}".encode())
    answer = opened.client().get(address)
    assert answer.status_code >= 400 or answer.json()["path"].startswith("/api/")


def test_roles_hold_for_what_is_forwarded(desk: Desk, target: Target) -> None:
    """As for functions; nobody calls without an account."""
    opened = desk(forwarded(target, roles=["producer"], methods=["GET"]))
    assert opened.client("").get("/endpoints/tools/x").status_code == 401
    assert opened.client("anna").get("/endpoints/tools/x").status_code == 403
    assert opened.client("vera").get("/endpoints/tools/x").status_code == 200
    assert opened.client("vera").post("/endpoints/tools/x").status_code == 405


def test_a_target_that_is_away_is_said(desk: Desk) -> None:
    """With status 503, so that callers may try again."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler, bind_and_activate=False) as closed:
        closed.server_bind()
        port = closed.server_address[1]
        opened = desk(f'TOOLS = callsheet.forward("tools", to="http://127.0.0.1:{port}")')
        answer = opened.client().get("/endpoints/tools")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["error"]["message"]
