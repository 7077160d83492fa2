"""A websocket carries the login of its session, and renews it, as any request does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from callsheet.credentials.login import SessionLogin
from callsheet.dialects.accounts import LoginTokens
from callsheet.dialects.native.client import NativeDialect
from callsheet.errors import Unauthorised
from callsheet.flow import Flow, Request, Response
from callsheet.secret import Secret
from callsheet.transport.exchange import TransportSettings
from callsheet.transport.pumps import Listening
from callsheet.transport.websocket import Socket


class Door:
    """A server that gives a session by ``/begin`` to who has the token, and takes sockets of who has it, too."""

    def __init__(self) -> None:
        self.token = "first"
        self.seen: list[tuple[str, str]] = []

    def answer(self, connection: ServerConnection, request: Any) -> Any:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.seen.append((request.path, token))
        if request.path == "/renew":
            return connection.respond(HTTPStatus.OK, "second")
        if token != self.token:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no")
        return connection.respond(HTTPStatus.OK, "") if request.path == "/begin" else None


class RenewedByGet(NativeDialect):
    """Renews by a request that the test's server takes."""

    def renew(self, refresh: Secret, request: str) -> Flow[LoginTokens]:
        answer: Response = yield Request("GET", "/renew", anonymous=True)
        return tokens(answer.content.decode())


class Stream:
    """A stream over a socket, which says nothing."""

    kind, path, position, on_queued = "websocket", "", None, None

    def opening(self) -> Request:
        return Request("GET", "/begin", safe=True)

    def opened(self, response: Response) -> None:
        if response.status != 200:
            raise Unauthorised("the handshake was refused")
        self.path = "/socket"

    def to_send(self) -> list[bytes]:
        return []

    def receive(self, data: bytes) -> list[Any]:
        return []


def tokens(access: str, seconds: float = 600.0) -> LoginTokens:
    return LoginTokens(Secret(access), Secret("refresh"), time.time() + seconds, 600.0, time.time() + 9e5, "s1", "anna")


@pytest.fixture
def door() -> Iterator[tuple[Door, Server]]:
    found = Door()
    with serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0, process_request=found.answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found, server
        server.shutdown()
        thread.join()


def opened(server: Server, access: LoginTokens) -> None:
    url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    settings = TransportSettings(url, {"user-agent": "test"}, login=SessionLogin(RenewedByGet(), access))
    Socket(Listening(lambda position: Stream(), settings), Stream()).close()


def test_the_handshake_and_the_socket_have_the_login(door: tuple[Door, Server]) -> None:
    opened(door[1], tokens("first"))
    assert door[0].seen == [("/begin", "first"), ("/socket", "first")]


def test_an_expired_login_is_renewed_before(door: tuple[Door, Server]) -> None:
    door[0].token = "second"
    opened(door[1], tokens("first", seconds=0.0))
    assert door[0].seen == [("/renew", ""), ("/begin", "second"), ("/socket", "second")]


def test_a_refused_login_is_renewed_and_sent_again(door: tuple[Door, Server]) -> None:
    """Where it is still refused, the stream says so."""
    door[0].token = "second"
    opened(door[1], tokens("first"))
    assert door[0].seen == [("/begin", "first"), ("/renew", ""), ("/begin", "second"), ("/socket", "second")]
    door[0].token = "another"
    with pytest.raises(Unauthorised, match="the handshake was refused"):
        opened(door[1], tokens("first"))
