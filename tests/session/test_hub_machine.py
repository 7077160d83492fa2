"""A state machine of a session's hub and its server: each event once, in order, none missing while subscribed.

The model is a list: what happened since a subscription was made, as long as the hub was connected or came back to
where it had been. Connections break under the hub, at any moment, and it connects again by itself.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callsheet import Event, Session
from callsheet.server.service import Service
from callsheet.session.connection import over
from callsheet.transport import pumps
from callsheet.transport.listen import Listener, Listening
from callsheet.transport.local import LocalTransport
from callsheet.transport.retry import RetryPolicy
from strategies import EXAMPLES

DOCUMENT = {"name": "machine", "types": {"Shot": {"attributes": {"name": {"type": "string"}}}}}
TOPICS = ("studio.a", "studio.b")
EXPRESSIONS = {"callsheet.update": "topic=callsheet.update", "studio.a": "topic=studio.a", "all": "topic=*"}


class Hasty(LocalTransport):
    """Connects again at once."""

    def listen(self, open_stream: Any, deliver: Any, on_state: Any, after: Any = None) -> Listener:
        policy = RetryPolicy(first=0.001, longest=0.01)
        return Listener(Listening(open_stream, after=after, policy=policy), deliver, on_state)


class HubMachine(RuleBasedStateMachine):
    """One hub that listens, one session that works, and what the hub must have heard."""

    def __init__(self) -> None:
        super().__init__()
        # A broken connection is noticed when the call under way returns.
        self.look, pumps.READ_SECONDS = pumps.READ_SECONDS, 0.002
        self.service = Service.open("memory:", DOCUMENT)
        connection = evolve(over(self.service.backend("admin")), transport=Hasty())
        self.listening = Session(connection=connection, plugin_paths=False)
        self.working = Session(connection=over(self.service.backend("admin")), plugin_paths=False)
        self.listening.open()
        self.working.open()
        self.hub = self.listening.event_hub
        self.heard: dict[str, list[str]] = {}
        self.expected: dict[str, list[str]] = {}
        self.kinds: dict[str, str] = {}
        self.count = 0
        self.begun = False
        # One hears everything and stays, so that when it has heard all, there is nothing older for those to come.
        self.subscribe("all")
        self.first = next(iter(self.kinds))

    def teardown(self) -> None:
        pumps.READ_SECONDS = self.look
        self.settle()
        self.listening.close()
        self.working.close()
        self.service.close()

    def _happened(self, topic: str, key: str) -> None:
        # Before the first connection nothing is heard; later ones go on from where the hub was.
        if self.begun:
            for identifier, kind in self.kinds.items():
                if kind in ("all", topic):
                    self.expected[identifier].append(key)

    # Away, a hub has a backlog, which whoever subscribes then hears, and whoever leaves does not.
    @precondition(lambda self: self.hub.listening or not self.begun)
    @rule(kind=st.sampled_from(sorted(EXPRESSIONS)))
    def subscribe(self, kind: str) -> None:
        """From now on: what came before and was not dispatched yet is not for this one."""
        self.settle()
        told: list[str] = []

        def hear(event: Event) -> None:
            # What the hub tells of its own connection has no place in the log.
            if event.position is not None:
                told.append(event.id)

        identifier = self.hub.subscribe(EXPRESSIONS[kind], hear)
        self.heard[identifier], self.expected[identifier], self.kinds[identifier] = told, [], kind

    @precondition(lambda self: len(self.kinds) > 1 and (self.hub.listening or not self.begun))
    @rule(data=st.data())
    def unsubscribe(self, data: Any) -> None:
        """Nothing more is told, and nothing that was told is taken back."""
        self.settle()
        identifier = data.draw(st.sampled_from(sorted(self.kinds.keys() - {self.first})))
        self.hub.unsubscribe(identifier)
        del self.kinds[identifier]

    @rule(size=st.integers(1, 3))
    def commit(self, size: int) -> None:
        for _ in range(size):
            self.working.create("Shot", {"name": "x"})
        commit_id = self.working.commit().commit_id
        for index in range(size):
            self._happened("callsheet.update", f"{commit_id}:{index}")

    @rule(topic=st.sampled_from(TOPICS))
    def publish(self, topic: str) -> None:
        event = Event(topic, {"number": self.count})
        self.count += 1
        self.working.event_hub.publish(event)
        self._happened(topic, event.id)

    @precondition(lambda self: not self.hub.listening)
    @rule()
    def connect(self) -> None:
        self.hub.connect()
        self.begun = True

    @precondition(lambda self: self.hub.listening)
    @rule()
    def disconnect(self) -> None:
        """After what came was dispatched, as a program that ends its work does."""
        self.settle()
        self.hub.disconnect()

    @precondition(lambda self: self.hub.listening)
    @rule()
    def kill_stream(self) -> None:
        """The connection breaks; the hub notices by itself."""
        connection = self.hub._listener._connection
        if connection is not None:
            connection.interrupt()

    @precondition(lambda self: self.hub.listening)
    @rule()
    def settle(self) -> None:
        """Dispatch until all is there that must be."""
        end = monotonic() + 10
        while self.hub.listening and self.heard != self.expected and monotonic() < end:
            self.hub.wait(0.005)
        assert not self.hub.listening or self.heard == self.expected

    @invariant()
    def nothing_is_doubled_or_out_of_order(self) -> None:
        for identifier, told in self.heard.items():
            assert told == self.expected[identifier][: len(told)]


TestHub = HubMachine.TestCase
TestHub.settings = settings(max_examples=12 * EXAMPLES, stateful_step_count=30)
