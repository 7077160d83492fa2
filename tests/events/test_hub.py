"""The hub tells whom it concerns, in order, and nobody else."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callsheet.errors import QueryError, UsageError
from callsheet.events.hub import Hub, target_matches
from callsheet.model.event import Event


def test_callbacks_are_called_by_priority_and_then_by_age() -> None:
    """Low priorities first; their results in that order, None included."""
    hub = Hub()
    hub.subscribe("topic=a", lambda event: "second", priority=100)
    hub.subscribe("topic=a", lambda event: None, priority=100)
    hub.subscribe("topic=*", lambda event: "fourth", priority=100)
    hub.subscribe("data.x=1", lambda event: "first", priority=1)
    hub.subscribe("topic=b", lambda event: "never")
    assert hub.dispatch(Event("a", {"x": 1})) == ["first", "second", None, "fourth"]


def test_a_stopped_event_goes_no_further() -> None:
    """Those who come later are not told."""
    hub = Hub()

    def stop(event: Event) -> str:
        event.stop()
        return "stopped"

    hub.subscribe("topic=a", lambda event: "before", priority=1)
    hub.subscribe("topic=a", stop, priority=2)
    hub.subscribe("topic=a", lambda event: "after", priority=3)
    assert hub.dispatch(Event("a")) == ["before", "stopped"]


def test_an_exception_is_logged_and_touches_no_one_else(caplog: pytest.LogCaptureFixture) -> None:
    """With the event's id and the subscriber's; the others are told, and their results are there."""
    hub = Hub()
    hub.subscribe("topic=a", lambda event: 1 / 0, {"id": "broken"})
    hub.subscribe("topic=a", lambda event: "fine")
    with caplog.at_level(logging.ERROR, "callsheet.events"):
        assert hub.dispatch(Event("a", id="e1")) == ["fine"]
    (record,) = caplog.records
    assert "broken" in record.getMessage()
    assert "e1" in record.getMessage()
    assert (record.event_id, record.subscriber_id) == ("e1", "broken")  # type: ignore[attr-defined]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_errors_that_are_asked_for_reach_the_caller() -> None:
    """And nobody further is told."""
    hub = Hub()
    told: list[str] = []

    def refuse(event: Event) -> None:
        raise UsageError("no")

    hub.subscribe("topic=a", refuse)
    hub.subscribe("topic=a", lambda event: told.append("late"))
    with pytest.raises(UsageError, match="no"):
        hub.dispatch(Event("a"), raises=(UsageError,))
    assert told == []
    assert hub.dispatch(Event("a")) == [None]


def test_identifiers_are_unique_and_end_subscriptions() -> None:
    """Given or made; unknown ones are errors."""
    hub = Hub()
    assert hub.subscribe("topic=a", print, {"id": "mine", "role": "farm"}) == "mine"
    made = hub.subscribe("topic=a", print)
    with pytest.raises(UsageError, match="`mine` already"):
        hub.subscribe("topic=b", print, {"id": "mine"})
    found = hub.get_subscriber_by_identifier("mine")
    assert found is not None
    assert found.metadata == {"id": "mine", "role": "farm"}
    hub.unsubscribe("mine")
    hub.unsubscribe(made)
    assert (hub.get_subscriber_by_identifier("mine"), hub.subscribers, hub.wants("a")) == (None, (), False)
    with pytest.raises(UsageError, match="no subscriber `mine`"):
        hub.unsubscribe("mine")


def test_what_is_wrong_is_refused_when_subscribing() -> None:
    """Expressions that cannot be read, and callbacks that are none."""
    hub = Hub()
    with pytest.raises(QueryError):
        hub.subscribe("topic=", print)
    with pytest.raises(UsageError, match="takes a callback"):
        hub.subscribe("topic=a", "print")  # type: ignore[arg-type]
    assert hub.subscribers == ()


def test_a_callback_with_yield_is_refused() -> None:
    """It would do nothing when it is called."""

    def generator(event: Event) -> Any:
        yield event

    with pytest.raises(
        UsageError, match="a callback with `yield` does nothing when it is called: it gives a generator"
    ):
        Hub().subscribe("topic=x", generator)


def test_subscriptions_that_change_meanwhile_change_nothing_under_way() -> None:
    """Who had subscribed when it began is told; who comes meanwhile is not."""
    hub = Hub()
    told: list[str] = []

    def first(event: Event) -> None:
        told.append("first")
        hub.unsubscribe("last")
        hub.subscribe("topic=a", lambda event: told.append("new"))

    hub.subscribe("topic=a", first)
    hub.subscribe("topic=a", lambda event: told.append("last"), {"id": "last"})
    hub.dispatch(Event("a"))
    assert told == ["first", "last"]


def test_an_alias_is_the_same_topic() -> None:
    """Who subscribed to either, or to both at once, is told once, with the same event."""
    hub = Hub({"vendor.ready": "ours.ready"})
    hub.subscribe("topic=vendor.ready", lambda event: ("vendor", event.topic))
    hub.subscribe("topic=ours.ready", lambda event: ("ours", event.topic))
    hub.subscribe("topic=vendor.*", lambda event: ("wild", event.topic))
    hub.subscribe("topic=vendor.ready or topic=ours.ready", lambda event: ("both", event.topic))
    told = hub.dispatch(Event("ours.ready"))
    assert told == [(name, "ours.ready") for name in ("vendor", "ours", "wild", "both")]
    assert hub.wants("ours.ready")


def test_an_event_with_a_target_is_for_those_who_fulfil_it() -> None:
    """By what is known of the subscriber; a target that cannot be read is nobody's."""
    hub = Hub()
    hub.subscribe("topic=a", lambda event: "one", {"id": "one", "role": "farm"})
    hub.subscribe("topic=a", lambda event: "two", {"id": "two"})
    assert hub.dispatch(Event("a", target="id=two")) == ["two"]
    assert hub.dispatch(Event("a", target="role=farm or id=two")) == ["one", "two"]
    assert hub.dispatch(Event("a", target="role=")) == []
    assert target_matches("", {})


def test_an_async_callback_needs_a_session_that_awaits(caplog: pytest.LogCaptureFixture) -> None:
    """It is reported, and its coroutine is closed."""
    hub = Hub()

    async def callback(event: Event) -> None: ...

    hub.subscribe("topic=a", callback)
    assert hub.dispatch(Event("a")) == []
    assert "needs an AsyncSession" in caplog.text


def test_an_event_costs_what_the_subscriptions_of_its_topic_cost() -> None:
    """With a thousand others, no more calls are made than with none."""

    def calls(others: int) -> int:
        hub = Hub()
        for number in range(others):
            hub.subscribe(f"topic=studio.t{number} and data.entity_type=Task", lambda event: None)
        hub.subscribe("topic=studio.mine and data.entity_type=Task", lambda event: None)
        event = Event("studio.mine", {"entity_type": "Task"})
        hub.dispatch(event)
        counted: Counter[str] = Counter()
        sys.setprofile(lambda frame, kind, argument: counted.update([kind]))
        try:
            assert hub.dispatch(event) == [None]
        finally:
            sys.setprofile(None)
        return counted["call"] + counted["c_call"]

    assert calls(1_000) == calls(0)
    assert calls(0) < 100


class HubMachine(RuleBasedStateMachine):
    """A hub, and beside it a plain list of who subscribed to what: they tell the same people in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub({"alias.a": "a"})
        self.plain: list[tuple[int, int, str, str]] = []
        self.age = 0
        self.told: list[str] = []

    @rule(topic=st.sampled_from(["a", "b", "*", "alias.a", "any"]), priority=st.integers(1, 3), fails=st.booleans())
    def subscribe(self, topic: str, priority: int, fails: bool) -> None:
        self.age += 1
        name = f"s{self.age}"

        def callback(event: Event) -> None:
            self.told.append(name)
            if fails:
                raise ValueError(name)

        expression = "data.x > 1" if topic == "any" else f"topic={topic}"
        assert self.hub.subscribe(expression, callback, {"id": name}, priority) == name
        self.plain.append((priority, self.age, name, topic))

    @precondition(lambda self: self.plain)
    @rule(data=st.data())
    def unsubscribe(self, data: Any) -> None:
        gone = data.draw(st.sampled_from(self.plain))
        self.plain.remove(gone)
        self.hub.unsubscribe(gone[2])

    @rule(topic=st.sampled_from(["a", "b", "c"]), number=st.integers(0, 3), aim=st.sampled_from(["", "s1", "s2"]))
    def publish(self, topic: str, number: int, aim: str) -> None:
        self.told.clear()
        logging.disable(logging.ERROR)
        try:
            self.hub.dispatch(Event(topic, {"x": number}, target=f"id={aim}" if aim else ""))
        finally:
            logging.disable(logging.NOTSET)
        wanted = {"a": {"a", "*", "alias.a"}, "b": {"b", "*"}, "c": {"*"}}[topic] | ({"any"} if number > 1 else set())
        expected = [name for _, _, name, topic in sorted(self.plain) if topic in wanted and aim in ("", name)]
        assert self.told == expected

    @invariant()
    def the_hub_knows_its_subscribers(self) -> None:
        assert {each.id for each in self.hub.subscribers} == {name for _, _, name, _ in self.plain}
        for topic, names in {"a": {"a", "alias.a"}, "b": {"b"}}.items():
            wide = {"*", "any"}
            assert self.hub.wants(topic) == any(each[3] in names | wide for each in self.plain)


HubMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestHubMachine = HubMachine.TestCase
