"""An access token is accepted wherever an API key is, and no longer than it is valid."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from login_desk import Desk, open_desk
from starlette.websockets import WebSocketDisconnect
from studio import Identity, Studio, project, task
from test_streaming import House, running
from test_vendor_events import Hub, handshake

from callsheet.model.event import Event
from callsheet.model.operation import ChangeSet, Create
from callsheet.server.web import sockets

CONTENT = b"a picture of Sintel"


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as opened:
        yield opened


def disable(desk: Desk, tokens: dict[str, Any]) -> None:
    desk.service.accounts.disable("anna")


def log_out(desk: Desk, tokens: dict[str, Any]) -> None:
    assert desk.post("/v1/logout", {}, tokens["access_token"]).status_code == 204


def log_out_by_refresh_token(desk: Desk, tokens: dict[str, Any]) -> None:
    assert desk.post("/v1/logout", {"refresh_token": tokens["refresh_token"]}).status_code == 204


def log_out_everywhere(desk: Desk, tokens: dict[str, Any]) -> None:
    other = desk.tokens()
    assert desk.post("/v1/logout", {"everywhere": True}, other["access_token"]).status_code == 204


def sign_out(desk: Desk, tokens: dict[str, Any]) -> None:
    assert desk.service.backend("admin").call("users.sign_out", {"name": "anna"}) == 1


def set_password(desk: Desk, tokens: dict[str, Any]) -> None:
    desk.service.backend("admin").call("users.password", {"name": "anna", "password": "far over the hills"})


def use_again(desk: Desk, tokens: dict[str, Any]) -> None:
    desk.refresh(tokens["refresh_token"], "one")
    assert desk.refresh(tokens["refresh_token"], "another").status_code == 401


def expire(desk: Desk, tokens: dict[str, Any]) -> None:
    desk.clock.move(seconds=900)


ENDS = [
    disable, log_out, log_out_by_refresh_token, log_out_everywhere, sign_out, set_password, use_again, expire,
]  # fmt: skip
each_end = pytest.mark.parametrize("end", ENDS)


def vendor_call(desk: Desk, token: str, user: str = "anna") -> Any:
    headers = {"ftrack-user": user, "ftrack-api-key": token}
    return desk.client.post("/api", json=[{"action": "query_server_information"}], headers=headers)


@each_end
def test_requests_of_every_wire(desk: Desk, end: Callable[[Desk, dict[str, Any]], None]) -> None:
    """Native requests, native events, the vendor's requests and its event server: accepted, and then refused."""
    tokens = desk.tokens()
    token = tokens["access_token"]
    vendor = {"ftrack-user": "anna", "ftrack-api-key": token}
    ways: list[Callable[[], Any]] = [
        lambda: desk.me(token),
        lambda: desk.client.get("/v1/description", headers={"authorization": f"Bearer {token}"}),
        lambda: desk.post("/v1/call/commits", {}, token),
        lambda: vendor_call(desk, token),
        lambda: desk.client.get("/socket.io/1/", headers=vendor),
    ]
    assert [way().status_code for way in ways] == [200] * len(ways)
    assert "exception" not in vendor_call(desk, token).text
    end(desk, tokens)
    answers = [way() for way in ways]
    assert [answer.status_code for answer in answers if "/api" not in str(answer.url)] == [401] * 4
    assert "exception" in answers[3].text


@each_end
def test_an_open_stream_ends(desk: Desk, end: Callable[[Desk, dict[str, Any]], None]) -> None:
    """A reader gets nothing that happens after its login, its account or its token ended."""
    studio = Studio(desk.service)
    tokens = desk.tokens()

    async def test(house: House) -> None:
        anna = house.reader(key=tokens["access_token"])
        await anna.until(lambda: bool(anna.text))
        await house.do(lambda: studio.commit(project("p")))
        await anna.until(lambda: len(anna.events()) == 1)
        end(desk, tokens)
        await house.do(lambda: studio.commit(task("a", Identity("Project", "p"))))
        await anna.until(lambda: anna.over)
        assert len(anna.events()) == 1

    running(test, studio)


@each_end
def test_an_open_socket_ends(
    desk: Desk, end: Callable[[Desk, dict[str, Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for a hub of the vendor's."""
    monkeypatch.setattr(sockets, "HEARTBEAT", 0.05)
    tokens = desk.tokens()
    session = handshake(desk.client, "anna", tokens["access_token"])
    with desk.client.websocket_connect(f"/socket.io/1/websocket/{session}") as socket:
        hub = Hub(socket)
        hub.subscribe("topic=ftrack.update or topic=end")
        end(desk, tokens)
        Studio(desk.service).commit(project("p"))
        desk.service.backend("admin").publish(Event("end"))
        with suppress(WebSocketDisconnect):
            pytest.fail(f"the hub got {hub.event()['topic']}")


def test_files(tmp_path: Any) -> None:
    """Uploaded and read with a token; an address signed for it reads the file, too."""
    with open_desk(f"sqlite:///{tmp_path}/files.db", "production") as desk:
        token = desk.tokens()["access_token"]
        bearer = {"authorization": f"Bearer {token}"}
        operations = (
            Create(Identity("Project", "p"), {"name": "p"}),
            Create(Identity("Asset", "a"), {"name": "a", "parent": Identity("Project", "p")}),
            Create(Identity("AssetVersion", "v"), {"asset": Identity("Asset", "a")}),
            Create(Identity("FileComponent", "c"), {"name": "m", "version": Identity("AssetVersion", "v")}),
        )
        desk.service.backend("anna").commit(ChangeSet("files", operations))
        digest = hashlib.sha256(CONTENT).hexdigest()
        put = desk.client.put(
            "/v1/files/c/data",
            params={"offset": 0, "checksum": digest},
            content=CONTENT,
            headers={**bearer, "content-type": "application/octet-stream"},
        )
        assert put.status_code == 200, put.text
        finish = desk.post("/v1/files/c/finish", {"size": len(CONTENT), "checksum": digest}, token)
        assert finish.status_code == 200, finish.text
        read = desk.client.get("/v1/files/c/data", params={"offset": 0, "size": 100}, headers=bearer)
        assert read.content == CONTENT
        vendor = {"ftrack-user": "anna", "ftrack-api-key": token}
        assert desk.client.get("/component/get", params={"id": "c"}, headers=vendor).content == CONTENT
        log_out(desk, {"access_token": token})
        assert desk.client.get("/v1/files/c/data", headers=bearer).status_code == 401
        assert desk.client.get("/component/get", params={"id": "c"}, headers=vendor).status_code == 401


def test_a_token_is_of_its_account(desk: Desk) -> None:
    """A name that is sent with it must be its own."""
    token = desk.tokens()["access_token"]
    assert "exception" in vendor_call(desk, token, "ben").text
    named = {"authorization": f"Bearer {token}", "x-callsheet-user": "ben"}
    assert desk.client.get("/v1/me", headers=named).status_code == 401
    assert desk.client.get("/v1/me", headers={**named, "x-callsheet-user": "anna"}).status_code == 200


def test_rights_count_at_once(desk: Desk) -> None:
    """A token carries none: what an administrator takes away is gone from the next request on."""
    token = desk.tokens()["access_token"]
    desk.service.accounts.set_role("anna", "admin")
    assert desk.post("/v1/call/users.list", {}, token).status_code == 200
    desk.service.accounts.set_role("anna", "reader")
    assert desk.post("/v1/call/users.list", {}, token).status_code == 403
    assert desk.me(token).json()["roles"] == ["reader"]


def test_a_token_costs_no_more_reads_than_a_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are looked up once in a second, by one read."""
    token, store, count = desk.tokens()["access_token"], desk.service.store, [0]
    reading = store.reading

    def counted() -> Any:
        count[0] += 1
        return reading()

    def reads(bearer: str) -> tuple[int, int]:
        """The reads of a first request, and of one that follows."""
        desk.me(bearer)
        desk.service.accounts.changed()
        counts = []
        for _ in range(2):
            count[0] = 0
            assert desk.post("/v1/call/own.user", {}, bearer).status_code == 200
            counts.append(count[0])
        return counts[0], counts[1]

    monkeypatch.setattr(store, "reading", counted)
    assert reads(token) == reads(desk.keys["anna"])
    assert reads(token)[1] == 0
