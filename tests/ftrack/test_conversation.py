"""One connection of a vendor's hub, as a machine: subscriptions, acknowledgements, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.dialects.ftrack.common.socket import read_acknowledgement
from callsheet.dialects.ftrack.server.stream.conversation import Conversation
from callsheet.events.hub import Hub
from callsheet.model.event import Event, Position


def envelope_frame(topic: str, data: Any, **more: Any) -> str:
    """An event as a frame that asks to be acknowledged."""
    envelope = {"topic": topic, "id": "e", "data": data, **more}
    return "5:4+::" + json.dumps({"name": "ftrack.event", "args": [envelope]})


def said(talk: Conversation, topic: str, data: Any = None, **more: Any) -> Any:
    """What follows from an event that asks to be acknowledged."""
    return talk.receive(envelope_frame(topic, data, **more))


def subscribed(talk: Conversation, expression: Any, **subscriber: Any) -> Any:
    """How a subscription was acknowledged."""
    (packet,) = said(talk, "ftrack.meta.subscribe", {"subscriber": subscriber, "subscription": expression}).answers
    return read_acknowledgement(packet)


@pytest.mark.parametrize(
    ("expression", "data", "told"),
    [
        ("topic=demo", {}, True),
        ("topic=dem*", {}, True),
        ("topic=other", {}, False),
        ("topic=demo and data.take > 9", {"take": 10}, True),
        ("topic=demo and data.take > 9", {"take": 8}, False),
        ("topic=demo and data.take=3", {"take": "3"}, True),
        ("topic=demo and data.take=3", {"take": 3}, True),
        ("data.a.b=x", {"a": {"b": "x"}}, True),
        ("topic=demo and not data.a=x", {"a": "y"}, True),
        ("topic=demo and (data.a=x or data.a=y)", {"a": "y"}, True),
        ("topic=demo and data.nothing=x", {}, False),
        ("topic=demo and source.user.username=anna", {}, True),
    ],
)
def test_expressions(expression: str, data: Any, told: bool) -> None:
    """A subscription is fulfilled as the vendor's language says, and numbers compare as numbers."""
    talk = Conversation(Hub())
    assert subscribed(talk, expression, id="s").success
    assert talk.wants(Event("demo", data, source={"user": {"username": "anna"}})) is told


def test_targets() -> None:
    """An event with a target is for the subscribers whose data fulfil it."""
    talk = Conversation(Hub())
    assert subscribed(talk, "topic=demo", id="s", role="farm-1", slots=4).success
    for target, told in (("", True), ("role=farm-1", True), ("slots > 3", True), ("role=desk", False), ("id=s", True)):
        assert talk.wants(Event("demo", target=target)) is told


def test_replies_go_by_the_vendors_name() -> None:
    """A reply of ours is one of the vendor's, for the hub that it answers."""
    talk = Conversation(Hub())
    assert subscribed(talk, "topic=ftrack.meta.reply", id="hub").success
    assert talk.wants(Event("callsheet.reply", target='id="hub"'))
    assert not talk.wants(Event("callsheet.reply", target='id="other"'))
    assert said(talk, "ftrack.meta.reply", {}, inReplyToEvent="q").publish.topic == "callsheet.reply"


@pytest.mark.parametrize(
    ("expression", "subscriber"),
    [
        ("topic=(", {"id": "s"}),
        ("", {"id": "s"}),
        (None, {"id": "s"}),
        ("topic=a", {}),
        ("topic=a", {"id": 7}),
        ("topic=a", {"id": "x" * 256}),
        ("topic=a and " * 10_000 + "topic=a", {"id": "s"}),
    ],
)
def test_what_is_no_subscription_is_refused(expression: Any, subscriber: Any) -> None:
    """The acknowledgement says that it failed, and why; nothing is subscribed."""
    talk = Conversation(Hub())
    told = subscribed(talk, expression, **subscriber)
    assert not told.success
    assert told.message
    assert not talk.hub.subscribers


def test_subscriptions_are_bounded() -> None:
    """A connection has at most a thousand."""
    talk = Conversation(Hub())
    assert all(subscribed(talk, "topic=a", id=str(number)).success for number in range(1000))
    assert "1,000" in subscribed(talk, "topic=a", id="more").message
    assert not subscribed(talk, "topic=a", id="1").success


def test_unsubscribing() -> None:
    """Ends a subscription; there must be one."""
    talk = Conversation(Hub())
    subscribed(talk, "topic=demo", id="s")
    for success in (True, False):
        (packet,) = said(talk, "ftrack.meta.unsubscribe", {"subscriber": {"id": "s"}}).answers
        assert read_acknowledgement(packet).success is success
    assert not talk.wants(Event("demo"))


def test_what_happened_before_a_subscription_ended_is_delivered() -> None:
    """However late it is read; what comes later is not, and nothing is kept for longer than that."""
    talk = Conversation(Hub())
    subscribed(talk, "topic=demo", id="s", role="farm")
    ended = envelope_frame("ftrack.meta.unsubscribe", {"subscriber": {"id": "s"}})
    again = envelope_frame("ftrack.meta.subscribe", {"subscriber": {"id": "s"}, "subscription": "topic=other"})
    talk.receive(ended, Position(7, 0))
    talk.receive(again, Position(7, 0))
    assert talk.wants(Event("demo", target="role=farm", position=Position(7, 0)))
    assert not talk.wants(Event("demo", target="role=desk", position=Position(7, 0)))
    assert not talk.wants(Event("other", position=Position(7, 0)))
    assert talk.wants(Event("other", position=Position(8, 0)))
    assert not talk.wants(Event("demo", position=Position(8, 0)))
    assert not talk._ended


def test_a_subscription_is_for_what_comes_later() -> None:
    """Events that were there before it are not for it, however late they are read; for older subscriptions they are."""
    talk = Conversation(Hub())
    data = {"subscriber": {"id": "s"}, "subscription": "topic=demo"}
    frame = "5:::" + json.dumps({"name": "ftrack.event", "args": [{"topic": "ftrack.meta.subscribe", "data": data}]})
    talk.receive(frame, Position(7, 2**31 - 1))
    assert not talk.wants(Event("demo", position=Position(7, 0)))
    assert talk.wants(Event("demo", position=Position(8, 0)))
    assert subscribed(talk, "topic=demo", id="older").success
    assert talk.wants(Event("demo", position=Position(7, 0)))


@pytest.mark.parametrize(
    ("topic", "more"),
    [
        ("ftrack.update", {}),
        ("ftrack.meta.connected", {}),
        ("demo", {"target": "role=("}),
        ("", {}),
        ("demo", {"source": 7}),
    ],
)
def test_what_may_not_be_published(topic: str, more: dict[str, Any]) -> None:
    """The server's own topics, targets that nobody can read, and what is no event."""
    step = said(Conversation(Hub()), topic, {}, **more)
    assert step.publish is None
    assert [read_acknowledgement(packet).success for packet in step.answers] == [False]


def test_publishing() -> None:
    """An event is published as it was sent, and acknowledged when that was done."""
    step = said(Conversation(Hub()), "demo", {"take": 3}, target="role=farm")
    assert (step.publish.topic, step.publish.data, step.publish.target) == ("demo", {"take": 3}, "role=farm")
    assert step.answers == ()
    assert [str(packet) for packet in step.published(None)] == ['6:::4+[{"success":true}]']
    assert [str(packet) for packet in step.published("no")] == ['6:::4+[{"success":false,"message":"no"}]']


@given(st.text() | st.tuples(st.sampled_from(["5:1+::", "5:::", "6:::"]), st.text()).map("".join))
def test_no_frame_raises(frame: str) -> None:
    """Whatever comes, the machine goes on."""
    talk = Conversation(Hub())
    step = talk.receive(frame)
    assert step.publish is None or isinstance(step.publish, Event)
    assert subscribed(talk, "topic=demo", id="s").success


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["topic", "data", "id", "source", "target", "subscriber", "subscription", "user"]),
                inner,
            )
        ),
    ),
    st.sampled_from(["ftrack.meta.subscribe", "ftrack.meta.unsubscribe", "demo"]),
)
def test_no_envelope_raises(data: Any, topic: str) -> None:
    """Whatever an envelope holds, each event is acknowledged once, at once or when it was published."""
    step = said(Conversation(Hub()), topic, data)
    assert len(step.answers) == (0 if step.publish is not None else 1)
