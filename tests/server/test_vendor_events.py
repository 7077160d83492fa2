"""The vendor's event server in the application: who gets in, how much, and what they are told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from callsheet.model.event import Event
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity
from callsheet.server.limits import Limits
from callsheet.server.service import Service
from callsheet.server.web import sockets
from callsheet.server.web.application import application

KEY = "the key of these tests"
SCHEMA = {
    "name": "small",
    "types": {
        "Project": {"attributes": {"name": {"type": "string"}}},
        "User": {"attributes": {"username": {"type": "string"}, "first_name": {"type": "string"}}},
        "Task": {
            "attributes": {
                "name": {"type": "string"},
                "project": {"type": "reference", "target": "Project"},
                "start": {"type": "datetime"},
            }
        },
    },
}


@pytest.fixture
def service() -> Iterator[Service]:
    with Service.open("memory:", SCHEMA, KEY) as one:
        one.accounts.add("anna", "reader", "anna's own key")
        one.roles.add("passer-by", ["read:User"])
        one.accounts.add("otto", "passer-by", "otto's own key")
        yield one


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(application(service)) as one:
        yield one


def handshake(client: TestClient, user: str = "admin", key: str = KEY) -> str:
    answer = client.get("/socket.io/1/", headers={"ftrack-user": user, "ftrack-api-key": key})
    assert answer.status_code == 200, answer.text
    session, heartbeat, close, transports = answer.text.split(":")
    assert (heartbeat, close, transports) == ("15", "25", "websocket")
    return session


def drain(socket: Any) -> None:
    """Take heartbeats until the server hangs up."""
    with pytest.raises(WebSocketDisconnect):
        beaten(socket)


def beaten(socket: Any) -> None:
    while socket.receive_text() in ("1::", "2::"):
        pass


class Hub:
    """One connection, spoken to in packets."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0
        assert socket.receive_text() == "1::"

    def send(self, topic: str, data: Any = None, **more: Any) -> dict[str, Any]:
        """Send an event; its acknowledgement."""
        self._number += 1
        envelope = {"topic": topic, "data": data or {}, **more}
        self._socket.send_text(f"5:{self._number}+::" + json.dumps({"name": "ftrack.event", "args": [envelope]}))
        return json.loads(self._next(f"6:::{self._number}+").partition("+")[2])[0]

    def subscribe(self, expression: str, **subscriber: Any) -> None:
        data = {"subscriber": {"id": "s", **subscriber}, "subscription": expression}
        assert self.send("ftrack.meta.subscribe", data) == {"success": True}

    def event(self) -> dict[str, Any]:
        """The next event."""
        return json.loads(self._next("5:::")[4:])["args"][0]

    def _next(self, start: str) -> str:
        while True:
            packet: str = self._socket.receive_text()
            if packet.startswith(start):
                return packet
            assert packet == "2::", packet


@pytest.fixture
def connect(client: TestClient) -> Iterator[Callable[..., Hub]]:
    with ExitStack() as opened:

        def one(user: str = "admin", key: str = KEY) -> Hub:
            session = handshake(client, user, key)
            return Hub(opened.enter_context(client.websocket_connect(f"/socket.io/1/websocket/{session}")))

        yield one


def refused(client: TestClient, session: str, **headers: str) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"/socket.io/1/websocket/{session}", headers=headers),
    ):
        pass


def test_the_key_is_asked_for(client: TestClient, service: Service) -> None:
    """Without a right key there is no session; with one in headers or in the address there is. Refusals are noted."""
    for params in ({}, {"api_user": "admin"}, {"api_user": "admin", "api_key": "wrong"}):
        answer = client.get("/socket.io/1/", params=params)
        assert answer.status_code == 401
        assert answer.json()["exception"] == "InvalidCredentialsError"
    assert client.get("/socket.io/1/", params={"api_user": "admin", "api_key": KEY}).status_code == 200
    assert client.get("/socket.io/1", params={"api_user": "admin", "api_key": KEY}).status_code == 200
    assert "authenticate" in str(service.backend("admin").call("audit.list", {}))


def test_a_session_opens_one_socket_soon(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is good once, and not for long; nothing else opens one."""
    session = handshake(client)
    with client.websocket_connect(f"/socket.io/1/websocket/{session}") as socket:
        assert socket.receive_text() == "1::"
        refused(client, session)
    refused(client, session)
    refused(client, "made-up")
    monkeypatch.setattr(sockets, "HANDSHAKE_SECONDS", -1.0)
    refused(client, handshake(client))


def test_connections_are_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account has so many sockets, and all together have."""
    with TestClient(application(service, Limits(account_streams=1))) as client:
        early, other = handshake(client), handshake(client, "anna", "anna's own key")
        with client.websocket_connect(f"/socket.io/1/websocket/{early}"):
            answer = client.get("/socket.io/1/", headers={"ftrack-user": "admin", "ftrack-api-key": KEY})
            assert answer.status_code == 429
            with client.websocket_connect(f"/socket.io/1/websocket/{other}"):
                pass
        handshake(client)
        monkeypatch.setattr(sockets, "HANDSHAKES", 2)
        first, _, third = (handshake(client) for _ in range(3))
        refused(client, first)
        with client.websocket_connect(f"/socket.io/1/websocket/{third}"):
            pass


def test_only_known_host_names_are_answered(service: Service) -> None:
    """A web page that reaches this server under a name of its own opens no socket."""
    with TestClient(application(service, Limits(hosts=frozenset({"testserver"})))) as client:
        refused(client, handshake(client), host="evil.example.org")


def test_changes_are_told(connect: Callable[..., Hub], service: Service) -> None:
    """One event a commit, with the entities it changed, those above them, and who did it."""
    service.commit(
        ChangeSet("c0", (Create(Identity("User", "u"), {"username": "admin", "first_name": "Ada"}),)), "admin"
    )
    hub = connect()
    hub.subscribe("topic=ftrack.update")
    project, task = Identity("Project", "p"), Identity("Task", "t")
    made = (Create(project, {"name": "sintel"}), Create(task, {"name": "comp", "project": project}))
    service.commit(ChangeSet("c1", made, origin="me"), "admin")
    service.commit(ChangeSet("c2", (Update(task, {"name": "anim"}),)), "anna")
    first, second = hub.event(), hub.event()
    assert first["id"] == "c1"
    assert [each["entityId"] for each in first["data"]["entities"]] == ["p", "t"]
    assert first["data"]["user"] == {"userid": "u", "name": "Ada"}
    assert first["data"]["clientToken"] == "me"
    assert first["source"]["user"] == {"username": "admin", "id": "u"}
    assert second["data"] == {
        "entities": [
            {
                "entity_type": "Task",
                "entityType": "task",
                "entityId": "t",
                "objectTypeId": None,
                "parentId": "p",
                "action": "update",
                "keys": ["name"],
                "changes": {"name": {"old": "comp", "new": "anim"}},
                "parents": [
                    {"entityId": "t", "entityType": "task", "entity_type": "Task", "parentId": "p"},
                    {"entityId": "p", "entityType": "show", "entity_type": "Project", "parentId": None},
                ],
            }
        ],
        "user": {"userid": None, "name": "anna"},
        "clientToken": None,
        "pushToken": None,
        "parents": ["t", "p"],
    }


def test_a_large_commit_is_told_in_parts(connect: Callable[..., Hub], service: Service) -> None:
    """All of it, each entity once, in events that are not too large."""
    hub = connect()
    hub.subscribe("topic=ftrack.update")
    made = tuple(Create(Identity("Task", f"t{number}"), {"name": "x"}) for number in range(2300))
    service.commit(ChangeSet("large", made), "admin")
    told: list[str] = []
    ids = []
    while len(told) < 2300:
        event = hub.event()
        ids.append(event["id"])
        told += [each["entityId"] for each in event["data"]["entities"]]
    assert told == [f"t{number}" for number in range(2300)]
    assert ids[0] == "large"
    assert len(set(ids)) == len(ids)


def test_nobody_is_told_what_they_may_not_read(connect: Callable[..., Hub], service: Service) -> None:
    """Changes of what an account may not read are as if they had not happened."""
    hub, other = connect("otto", "otto's own key"), connect()
    for one in (hub, other):
        one.subscribe("topic=ftrack.update or topic=end")
    service.commit(ChangeSet("c1", (Create(Identity("Task", "t"), {"name": "secret"}),)), "admin")
    service.backend("admin").publish(Event("end"))
    assert hub.event()["topic"] == "end"
    assert other.event()["id"] == "c1"


def test_events_go_both_ways(connect: Callable[..., Hub], service: Service) -> None:
    """What is published here is in the log, in the name of the account; what others published is told, once."""
    hub = connect("anna", "anna's own key")
    hub.subscribe("topic=demo", id="one")
    hub.subscribe("topic=demo*", id="two")
    place = service.backend("admin").events(None, (), {}, 10).place
    assert hub.send("demo", {"take": 3}, id="e1", source={"id": "h", "user": {"username": "admin"}})["success"]
    (event,) = service.backend("admin").events(place, (), {}, 10).events
    assert (event.topic, event.data, event.id) == ("demo", {"take": 3}, "e1")
    service.backend("admin").publish(Event("demo", {"take": 4}, id="e2"))
    service.backend("admin").publish(Event("ftrack.update", {"entities": []}, id="e3"))
    service.backend("admin").publish(Event("demo.end"))
    told = [hub.event() for _ in range(3)]
    assert [each["topic"] for each in told] == ["demo", "demo", "demo.end"]
    assert told[0]["source"] == {"id": "h", "user": {"username": "anna"}}
    assert told[0]["data"] == {"take": 3}


def test_what_is_refused_says_so(connect: Callable[..., Hub]) -> None:
    """The server's own topics, and data that are too large."""
    hub = connect()
    for topic, data in (("ftrack.update", {}), ("callsheet.update", {}), ("demo", {"x": "x" * 300_000})):
        told = hub.send(topic, data)
        assert told["success"] is False
        assert told["message"]
    assert hub.send("demo")["success"]


def test_a_key_that_is_taken_back_ends_the_connection(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub is not listened to, nor told anything, for longer than a heartbeat."""
    monkeypatch.setattr(sockets, "HEARTBEAT", 0.05)
    session = handshake(client, "anna", "anna's own key")
    with client.websocket_connect(f"/socket.io/1/websocket/{session}") as socket:
        assert [socket.receive_text() for _ in range(2)] == ["1::", "2::"]
        service.accounts.new_key("anna")
        drain(socket)


def test_who_says_nothing_is_gone(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that answers no heartbeat is hung up on."""
    monkeypatch.setattr(sockets, "HEARTBEAT", 0.02)
    monkeypatch.setattr(sockets, "SILENCE", 0.1)
    with client.websocket_connect(f"/socket.io/1/websocket/{handshake(client)}") as socket:
        drain(socket)


def test_the_end_of_the_service_ends_the_connections(client: TestClient, service: Service) -> None:
    """Hubs hear that it is over, and may connect elsewhere."""
    with client.websocket_connect(f"/socket.io/1/websocket/{handshake(client)}") as socket:
        assert socket.receive_text() == "1::"
        time.sleep(0.1)
        service.broker.close()
        drain(socket)


frames = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200),
    st.tuples(st.sampled_from(["5:1+::", "5:::", "5:1+:x:", "6:::", "0"]), st.text(max_size=100)).map("".join),
    st.builds(
        lambda name, argument: "5:1+::" + json.dumps({"name": name, "args": [argument]}),
        st.sampled_from(["ftrack.event", "other"]),
        st.dictionaries(
            st.sampled_from(["topic", "data", "id", "source", "target", "sent", "inReplyToEvent"]),
            st.none() | st.text(max_size=20) | st.integers() | st.just({"id": "a"}) | st.floats(allow_nan=False),
        ),
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(frames, max_size=4))
def test_wild_frames_harm_nobody_else(client: TestClient, wild: list[str | bytes]) -> None:
    """Whatever one connection sends, another that is open is told its events."""
    with (
        client.websocket_connect(f"/socket.io/1/websocket/{handshake(client)}") as good,
        client.websocket_connect(f"/socket.io/1/websocket/{handshake(client)}") as bad,
    ):
        hub = Hub(good)
        hub.subscribe("topic=still.there")
        for frame in wild:
            bad.send_bytes(frame) if isinstance(frame, bytes) else bad.send_text(frame)
        hub.send("still.there")
        assert hub.event()["topic"] == "still.there"


def test_subscriptions_are_counted_for_their_account(service: Service) -> None:
    """Over all its connections, by the comparisons they cost; what ends makes room, and others have their own."""

    def subscribe(hub: Hub, name: str) -> dict[str, Any]:
        data = {"subscriber": {"id": name}, "subscription": "topic=a and source.id=x"}
        return hub.send("ftrack.meta.subscribe", data)

    def opened(client: TestClient, stack: ExitStack, *who: str) -> Hub:
        return Hub(stack.enter_context(client.websocket_connect(f"/socket.io/1/websocket/{handshake(client, *who)}")))

    with TestClient(application(service, Limits(account_filters=4))) as client, ExitStack() as stack:
        one, two = opened(client, stack), opened(client, stack)
        assert [subscribe(one, "a"), subscribe(two, "a")] == [{"success": True}] * 2
        assert "`admin` would compare each event 4 times and more" in str(subscribe(two, "b"))
        assert subscribe(opened(client, stack, "anna", "anna's own key"), "a") == {"success": True}
        one.send("ftrack.meta.unsubscribe", {"subscriber": {"id": "a"}})
        assert subscribe(two, "b") == {"success": True}


def test_a_guest_without_a_grant_hears_nothing(client: TestClient, service: Service) -> None:
    """It gets no session, and the reason."""
    key = service.accounts.add("gina", "guest")
    answer = client.get("/socket.io/1/", headers={"ftrack-user": "gina", "ftrack-api-key": key})
    assert answer.status_code == 403
    assert "has no rights" in answer.text
