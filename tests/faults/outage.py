"""The network is away for a while, for running listeners and for a session's hub: first cut, then silent.

People go on working meanwhile, over a line of their own. Afterwards every event has its effect, once, and the hub
has heard every event, once and in order. The control begins anew where it connects again, and loses.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from attrs import define, field

from callsheet.model.event import Event, Position
from callsheet.server.process import serve
from callsheet.session.blocking import Session

from .ledger import DOCUMENT
from .listener import Listeners, Run, _finish, make
from .outcome import Outcome, Scale
from .proxy import Cable
from .workplace import temporary_folder

MADE = "topic=callsheet.update and entity.type=Register and changes.name"


@define
class Heard:
    """The numbers that came, in the order in which they came."""

    numbers: list[int] = field(factory=list)

    def take(self, event: Event) -> None:
        self.numbers.append(int(event.changes["name"]["new"]))

    def missing(self, made: int) -> int:
        return len(set(range(made)) - set(self.numbers))

    def doubled(self) -> int:
        return sum(count > 1 for count in Counter(self.numbers).values())


def prove(scale: Scale, seed: int) -> Outcome:
    """Two outages of three seconds and 300 events; deep of a minute and 3,000."""
    seconds, events = scale.choose((3.0, 150), (3.0, 300), (60.0, 3_000))
    outcome = Outcome("network away", f"{events} events, 2 outages of {seconds:.0f} s")
    run, heard, careless = _away(seconds, events)
    outcome.faults, outcome.problems = run.faults, run.problems
    outcome.lost, outcome.doubled = run.lost + heard.missing(run.made), run.doubled + heard.doubled()
    if heard.numbers != sorted(heard.numbers):
        outcome.problems.append("the hub heard events out of order")
    outcome.control, outcome.caught = "beginning anew after each outage loses", careless.missing(run.made)
    return outcome


def _away(seconds: float, events: int) -> tuple[Run, Heard, Heard]:
    run, heard, careless = Run(), Heard(), Heard()
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        server = stack.enter_context(serve(DOCUMENT, f"sqlite:///{folder}/ledger.db"))
        cable = stack.enter_context(Cable(server._port))
        near, far = (server.url, "admin", server.admin_key or ""), (cable.url, "admin", server.admin_key or "")
        session = stack.enter_context(Session(*near, schema_cache=folder))
        listening = stack.enter_context(Session(*far, schema_cache=folder))
        group = stack.enter_context(Listeners(folder, far, 2))
        listening.event_hub.subscribe(MADE, heard.take)
        listening.event_hub.connect()
        listening.event_hub.start()
        stack.callback(listening.event_hub.disconnect)
        stack.callback(_forgetful(listening, careless).stop)
        group.until_known(session)
        for number, fail in enumerate((cable.cut, cable.mute)):
            make(run, session, events * (3 * number + 1) // 6)
            group.hear(5, 0.01)
            fail()
            run.faults += 1
            make(run, session, events * (3 * number + 2) // 6)
            time.sleep(seconds)
            cable.mend()
            make(run, session, events * (3 * number + 3) // 6)
        _finish(run, session)
        end = time.monotonic() + 60
        while heard.missing(run.made) and time.monotonic() < end:
            time.sleep(0.05)
    return run, heard, careless


def _forgetful(session: Session, heard: Heard) -> Any:
    """A listener that begins with what comes, whenever it connects."""

    def from_now(_: Position | None) -> Any:
        return session._dialect.events(None, [MADE], {})  # type: ignore[attr-defined]

    def deliver(events: Sequence[Event]) -> None:
        for event in events:
            heard.take(event)

    listener = session._connection.transport.listen(from_now, deliver, lambda state: None)
    listener.start()
    return listener
