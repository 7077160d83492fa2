"""An OpenID provider that answers whatever a test says: what a certified one never sends, an attacker may."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from attrs import define, field
from joserfc import jwt
from joserfc.jwk import RSAKey

__all__ = ["ForgingProvider", "running_forger"]


@define
class ForgingProvider:
    """Its answers by path, as (status, data); the key that it signs with; the requests that it got."""

    issuer: str
    key: RSAKey = field(factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}))
    published: list[Any] | None = None
    answers: dict[str, tuple[int, Any]] = field(factory=dict)
    metadata: dict[str, Any] = field(factory=dict)
    requests: list[tuple[str, dict[str, list[str]]]] = field(factory=list)

    def claims(self, nonce: str | None = "", **changes: Any) -> dict[str, Any]:
        """The claims of an honest ID token, with changes; None takes one away."""
        now = int(time.time())
        honest = {"iss": self.issuer, "aud": "callsheet", "sub": "u1", "iat": now, "exp": now + 300, "nonce": nonce}
        who = {"preferred_username": "anna", "groups": ["artists"]}
        return {name: each for name, each in {**honest, **who, **changes}.items() if each is not None}

    def signed(self, claims: Mapping[str, Any], **header: Any) -> str:
        head = {"alg": "RS256", "kid": "one", **header}
        key = RSAKey.import_key({**self.key.as_dict(private=True), "alg": head["alg"]})
        return jwt.encode(head, dict(claims), key, algorithms=["RS256", "RS384"])

    def gives(self, id_token: Any, **more: Any) -> None:
        """From now on, the token endpoint answers with this ID token."""
        self.answers["/token"] = (200, {"access_token": "a", "token_type": "Bearer", "id_token": id_token, **more})

    def signed_by_its_public_key(self, claims: Mapping[str, Any]) -> str:
        """The classic confusion: an HMAC whose secret is the public key, which everybody has."""
        head, body = (
            base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=")
            for each in ({"alg": "HS256", "kid": "one"}, claims)
        )
        signature = hmac.digest(self.key.as_pem(private=False), head + b"." + body, "sha256")
        return b".".join((head, body, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()

    def answer(self, path: str) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
            found = {name: f"{self.issuer}/{place}" for name, place in places.items()}
            return 200, {"issuer": self.issuer, **found, **self.metadata}
        if path == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False)] if self.published is None else self.published}
        return self.answers.get(path, (404, {}))


@contextmanager
def running_forger() -> Iterator[ForgingProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            forger.requests.append((self.path, parse_qs(self.rfile.read(size).decode())))
            status, data = forger.answer(self.path.partition("?")[0])
            body = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    forger = ForgingProvider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield forger
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
