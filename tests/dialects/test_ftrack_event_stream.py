"""The client's half of ftrack's events, without a wire: what is sent, and what becomes of what comes."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.dialects.ftrack.client.dialect import FtrackDialect
from callsheet.dialects.ftrack.client.event_stream import FtrackEventStream, Waiting
from callsheet.dialects.ftrack.client.subscriptions import subscribed_topics, subscriptions
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.schema import document_from_vendor
from callsheet.dialects.ftrack.common.socket import read_envelopes, read_packet
from callsheet.errors import Disconnected, Forbidden, StateError, TransportError, Unauthorised, Unavailable
from callsheet.flow import Response
from callsheet.model.event import Event
from callsheet.model.language.events import event_matches, parse_expression
from callsheet.model.schema import Schema

STATUS = {"id": "Status", "primary_key": ["id"], "properties": {"id": {"type": "string"}}}
TASK = {
    "id": "Task",
    "primary_key": ["id"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "status_id": {"type": "string", "alias_for": "statusid"},
        "status": {"$ref": "Status"},
        "start_date": {"type": "string", "format": "date-time", "alias_for": "startdate"},
    },
}
VOCABULARY = Vocabulary(Schema(document_from_vendor([STATUS, TASK])))


def stream_of(*expressions: str, **subscriber: Any) -> FtrackEventStream:
    return FtrackEventStream(expressions, {"id": "hub", **subscriber}, VOCABULARY, Waiting())


def sent(stream: FtrackEventStream) -> list[tuple[str, Any]]:
    """Topic and data of the events that a stream sends now."""
    envelopes = [each for text in stream.to_send() for each in read_envelopes(read_packet(text.decode()))]
    return [(each["topic"], each["data"]) for each in envelopes]


@pytest.mark.parametrize(
    ("expression", "topics"),
    [
        ("topic=demo", ["demo"]),
        ('topic = "demo.x" and data.name="a or topic=b"', ["demo.x"]),
        ("data.take > 2 and topic=demo", ["demo"]),
        ("topic=a or topic=b and data.x", ["a", "b"]),
        ("(topic=a)", ["a"]),
        ("topic=callsheet.update and entity.type=Task", ["ftrack.update"]),
        ("topic=callsheet.reply", ["ftrack.meta.reply"]),
        ("topic=studio.*", ["studio.*"]),
        ("topic=call*", ["*"]),
        ("topic=callsheet.*", ["*"]),
        ("topic=*.done", ["*"]),
        ("topic!=a", ["*"]),
        ("not topic=a", ["*"]),
        ("topic=a or data.x=1", ["*"]),
        ("(topic=a or topic=b) and data.x=1", ["*"]),
        ("data.text='and topic=a'", ["*"]),
        ("", ["*"]),
    ],
)
def test_the_server_is_asked_for_no_less(expression: str, topics: list[str]) -> None:
    """The topics that an expression surely names, or else all."""
    assert subscribed_topics(expression) == topics


names = st.sampled_from(["a", "b", "a.b", "studio.x"])
parts = st.one_of(
    names.map("topic={}".format),
    names.map('topic="{}"'.format),
    st.just("topic=studio.*"),
    st.just("data.x=1"),
    st.just("data.t='topic=a'"),
)
expressions = st.recursive(
    parts,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("not {}".format),
    ),
    max_leaves=5,
)  # fmt: skip


@given(expressions, names, st.sampled_from([{}, {"x": 1}, {"t": "topic=a"}]))
def test_whatever_fulfils_an_expression_was_asked_for(expression: str, topic: str, data: dict[str, Any]) -> None:
    """The topics asked for cover every event that an expression holds for."""
    event = Event(topic, data)
    if event_matches(parse_expression(expression), event):
        asked = " or ".join(f"topic={each}" for each in subscribed_topics(expression))
        assert event_matches(parse_expression(asked), event)


def test_subscriptions() -> None:
    """Replies come to the hub's own id; the rest to an id that goes with what is asked, and to each subscriber."""
    asked = subscriptions(
        ["topic=callsheet.reply", "topic=a"], {"id": "hub", "subscribers": [{"id": "s", "role": "farm"}]}
    )
    (_, (name, other), (_, own)) = asked.items()
    assert asked["hub"] == ({"id": "hub"}, "topic=ftrack.meta.reply")
    assert other == ({"id": name}, 'topic="a"')
    assert own == ({"id": "s", "role": "farm"}, 'topic="a"')
    assert subscriptions([], {"id": "hub"}) == {"hub": ({"id": "hub"}, "topic=ftrack.meta.reply")}


def test_what_is_asked_for_anew_begins_before_the_old_ends() -> None:
    """No event falls between two subscriptions."""
    stream = stream_of("topic=a")
    first = sent(stream)
    assert [topic for topic, _ in first] == ["ftrack.meta.subscribe", "ftrack.meta.subscribe"]
    woken: list[int] = []
    stream.on_queued = lambda: woken.append(1)
    assert stream.resubscribe(["topic=a", "topic=b"])
    assert woken == [1]
    begun, ended = sent(stream)
    assert begun[0] == "ftrack.meta.subscribe"
    assert begun[1]["subscription"] == 'topic="a" or topic="b"'
    assert ended == ("ftrack.meta.unsubscribe", {"subscriber": {"id": first[1][1]["subscriber"]["id"]}})
    assert stream.resubscribe(["topic=b", "topic=a", "topic=a"]) is True


def test_a_stream_has_begun_when_the_server_knows_what_is_asked_for() -> None:
    """With the last acknowledgement of the first subscriptions, or else with whatever shows that it lives."""
    stream, other = stream_of("topic=a"), stream_of("topic=a")
    for acknowledgement in (b'6:::1+[{"success": true}]', b'6:::2+[{"success": true}]'):
        assert not stream.begun
        stream.receive(acknowledgement)
    assert stream.begun
    other.receive(b"2::")
    assert other.begun


def test_a_heartbeat_is_answered() -> None:
    """With one of our own."""
    stream = stream_of()
    stream.to_send()
    assert stream.receive(b"2::") == []
    assert stream.to_send() == [b"2::"]


def test_the_handshake() -> None:
    """It gives where the socket is, or raises what the server refused with."""
    stream = stream_of()
    assert (stream.opening().method, stream.opening().path) == ("GET", "/socket.io/1/")
    stream.opened(Response(200, b"abc:15:25:websocket"))
    assert stream.path == "/socket.io/1/websocket/abc"
    with pytest.raises(TransportError, match="no event server"):
        stream.opened(Response(200, b"<html>hello</html>"))
    for status, kind in ((401, Unauthorised), (403, Forbidden), (502, Unavailable)):
        with pytest.raises(kind):
            stream.opened(Response(status, b"no"))


def test_updates_come_unchanged_and_as_ours() -> None:
    """An ``ftrack.update`` is told as it is, then as an update of ours for each of its entities."""
    entity = {
        "entity_type": "Task", "entityType": "task", "entityId": "t", "action": "update",
        "keys": ["statusid", "startdate", "unknown"],
        "changes": {
            "statusid": {"old": None, "new": "s"},
            "startdate": {"old": None, "new": "2026-11-21T09:00:00"},
            "unknown": {"old": 1, "new": 2},
        },
        "parents": [{"entityId": "t", "entityType": "task"}, {"entityId": "p", "entityType": "show"}],
    }  # fmt: skip
    data = {"entities": [entity, {"wild": 1}, 7], "user": {"userid": "u", "name": "Anna"}, "clientToken": "me"}
    told = {"topic": "ftrack.update", "id": "1", "data": data, "source": {"user": {"username": "anna"}}}
    frame = "5:::" + json.dumps({"name": "ftrack.event", "args": [told]})
    first, second = stream_of("topic=callsheet.update").receive(frame.encode())
    assert (first.topic, first.data) == ("ftrack.update", data)
    assert (second.topic, second.id) == ("callsheet.update", "1:0")
    assert second.data["entity"] == {"type": "Task", "id": "t", "types": ["Task"]}
    assert second.changes["status"] == {"old": None, "new": {"type": "Status", "id": "s"}}
    assert second.changes["start_date"]["new"].isoformat() == "2026-11-21T09:00:00+00:00"
    assert second.changes["unknown"] == {"old": 1, "new": 2}
    assert (second.data["user"], second.data["origin"], second.data["project_id"]) == ("anna", "me", "p")
    assert len(stream_of("topic=ftrack.update").receive(frame.encode())) == 1


@given(st.text() | st.text().map("5:::{}".format))
def test_what_cannot_be_read_is_let_go(text: str) -> None:
    """A wild frame gives no event, and raises nothing but the end of the connection."""
    stream = stream_of("topic=*")
    try:
        assert stream.receive(text.encode("utf-8", "surrogatepass")) == []
    except Disconnected:
        assert text.startswith("0")


def test_refusals_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What the server refused is named."""
    stream = stream_of()
    stream.to_send()
    stream.publish(Event("demo", id="7"))
    with caplog.at_level(logging.WARNING, "callsheet.events"):
        stream.receive(b'6:::2+[{"success": false, "message": "too large"}]')
    assert caplog.messages == ["the event server refused the event 7 of demo: too large"]


def test_events_wait_for_the_connection() -> None:
    """What is published while the connection is made again goes with the next; before there was one it is refused."""
    dialect = FtrackDialect()
    dialect.learn(VOCABULARY.schema)
    with pytest.raises(StateError, match="connect"):
        next(dialect.publish(Event("demo")))
    dialect.events(None, ["topic=a"], {"id": "hub"})
    with pytest.raises(StopIteration):
        next(dialect.publish(Event("demo", id="7")))
    stream = dialect.events(None, ["topic=a"], {"id": "hub"})
    assert "demo" not in [topic for topic, _ in sent(stream_of("topic=a"))]
    assert sorted(topic for topic, _ in sent(stream)) == ["demo", "ftrack.meta.subscribe", "ftrack.meta.subscribe"]
    for _ in range(1000):
        with pytest.raises(StopIteration):
            next(dialect.publish(Event("demo")))
    with pytest.raises(Unavailable):
        next(dialect.publish(Event("demo")))
