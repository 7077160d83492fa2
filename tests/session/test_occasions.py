"""A session tells of what it does, and those who listen may take part."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from callsheet import AsyncSession, Event, Session, UsageError
from callsheet.core import announcements as occasions
from callsheet.dialects.ftrack.declaration import FTRACK
from callsheet.dialects.local import LocalDialect
from callsheet.errors import Detached, StateError
from callsheet.events import topics
from callsheet.session.connection import over


def heard(session: Any, *chosen: str) -> list[Event]:
    """A list that fills with the events of these topics."""
    events: list[Event] = []
    for topic in chosen:
        session.event_hub.subscribe(f"topic={topic}", events.append)
    return events


def test_opening_and_closing_are_told(callsheet_service: Any) -> None:
    """Locations are configured first; then the session is ready; last of all it is closed."""
    session = Session(connection=over(callsheet_service.backend("admin")))
    events = heard(session, topics.READY, topics.CONFIGURE_LOCATION, topics.CLOSED)
    with session:
        assert [event.topic for event in events] == [topics.CONFIGURE_LOCATION, topics.READY]
        session.query("Project").count()
    session.close()
    assert [event.topic for event in events[2:]] == [topics.CLOSED]
    assert all(event.data["session"] is session for event in events)


def test_a_callback_may_use_the_session(show: Any) -> None:
    """It reads lazily, and what it changes is in the commit that it was told of beforehand."""
    names: list[str] = []

    def number(event: Event) -> None:
        session = event.data["session"]
        for shot in session.created:
            names.append(shot["parent"]["parent"]["name"])
            shot["description"] = "checked"

    show.event_hub.subscribe(f"topic={topics.BEFORE_COMMIT}", number)
    sequence = show.query("Sequence where name is sq1").one()
    shot = show.create("Shot", {"name": "sh19", "parent": sequence})
    show.commit()
    assert names == ["sintel"]
    assert show.fork().get("Shot", shot["id"])["description"] == "checked"


def test_a_commit_can_be_refused(show: Any) -> None:
    """By a `UsageError`; everything is still pending, and nothing was sent."""

    def refuse(event: Event) -> None:
        raise UsageError("shots need four digits")

    with show.event_hub.subscription(f"topic={topics.BEFORE_COMMIT}", refuse):
        show.create("Project", {"name": "other"})
        with pytest.raises(UsageError, match="four digits"):
            show.commit()
        assert len(show.pending) == 1
    show.commit()
    assert show.query("Project").count() == 2


def test_another_error_is_logged_and_the_commit_goes_on(show: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Before and after."""
    show.event_hub.subscribe(f"topic={topics.BEFORE_COMMIT}", lambda event: 1 / 0)
    show.event_hub.subscribe(f"topic={topics.AFTER_COMMIT}", lambda event: {}["x"])
    show.create("Project", {"name": "other"})
    with caplog.at_level(logging.ERROR, "callsheet.events"):
        assert show.commit() is not None
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError, KeyError]


def test_a_commit_within_a_commit_is_refused(show: Any) -> None:
    """What is changed beforehand goes with the commit; afterwards another is fine."""
    show.event_hub.subscribe(f"topic={topics.BEFORE_COMMIT}", lambda event: event.data["session"].commit())
    show.create("Project", {"name": "other"})
    with pytest.raises(StateError, match="goes with it"):
        show.commit()


def test_a_commit_is_told_with_what_it_did(show: Any) -> None:
    """The result and the operations; nothing is told of a commit of nothing."""
    events = heard(show, topics.AFTER_COMMIT)
    project = show.create("Project", {"name": "other"})
    result = show.commit()
    show.commit()
    (event,) = events
    assert event.data["result"] is result
    assert [operation.identity for operation in event.data["operations"]] == [project.identity]


def test_who_undoes_everything_beforehand_stops_the_commit(show: Any) -> None:
    """Nothing is left, so nothing is sent."""
    show.event_hub.subscribe(f"topic={topics.BEFORE_COMMIT}", lambda event: event.data["session"].rollback())
    show.create("Project", {"name": "other"})
    assert show.commit() is None
    assert show.query("Project").count() == 1


def test_reset_forgets_everything_local(show: Any) -> None:
    """Pending work and entities; those that are held are detached. The next query brings new ones."""
    events = heard(show, topics.CONFIGURE_LOCATION, topics.RESET)
    project = show.query("Project").one()
    project["full_name"] = "changed"
    show.reset()
    assert ([event.topic for event in events], show.pending) == ([topics.CONFIGURE_LOCATION, topics.RESET], ())
    with pytest.raises(Detached):
        project["full_name"]
    again = show.query("Project").one()
    assert again is not project
    assert again["full_name"] == "Sintel"


def test_a_type_can_get_behaviour_when_its_class_is_made(show: Any) -> None:
    """A class that is returned becomes a behaviour; the event names the type, once."""
    seen: list[str] = []

    class Shouting:
        __slots__ = ()

        def shout(self: Any) -> str:
            return str(self["name"]).upper()

    def construct(event: Event) -> type | None:
        seen.append(event.data["entity_type"].name)
        return Shouting if event.data["entity_type"].name == "Sequence" else None

    fresh = Session(connection=over(show._dialect._backend))
    fresh.event_hub.subscribe(f"topic={topics.CONSTRUCT_ENTITY_TYPE}", construct)
    assert fresh.query("Sequence where name is sq1").one().shout() == "SQ1"
    fresh.query("Sequence").all()
    assert seen.count("Sequence") == 1
    fresh.close()


def test_forks_share_subscriptions(show: Any) -> None:
    """What a plugin checks before commits is checked in every thread's session; the event names the fork."""
    events = heard(show, topics.BEFORE_COMMIT)
    fork = show.fork()
    fork.create("Project", {"name": "other"})
    fork.commit()
    assert [event.data["session"] for event in events] == [fork]
    assert fork.event_hub is show.event_hub


class VendorDialect(LocalDialect):
    """The embedded server, by the name of the vendor's language."""

    name = "ftrack"


def test_the_vendors_names_of_topics_are_known_under_its_dialect(callsheet_service: Any) -> None:
    """Its plugins hear the same events."""
    connection = over(callsheet_service.backend("admin"))
    connection.dialect = VendorDialect(callsheet_service.backend("admin"))
    with Session(connection=connection, plugin_paths=False) as session:
        for name, topic in FTRACK.topics.items():
            told: list[Event] = []
            with session.event_hub.subscription(f"topic={name}", told.append):
                session.event_hub.publish(Event(topic), synchronous=True)
            assert [event.topic for event in told] == [topic]


def test_nobody_makes_an_event_for_nobody(show: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit without subscribers makes none."""
    monkeypatch.setattr(occasions, "Event", None)
    show.create("Project", {"name": "other"})
    assert show.commit() is not None
    show.event_hub.subscribe("topic=studio.other", print)
    show.create("Project", {"name": "third"})
    assert show.commit() is not None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_callbacks_are_awaited(callsheet_service: Any, backend: str) -> None:
    """Under `AsyncSession`, in its own task: they may await the session, and refuse a commit."""

    async def main() -> None:
        async with AsyncSession(connection=over(callsheet_service.backend("admin"))) as session:
            counts: list[int] = []

            async def check(event: Event) -> None:
                counts.append(await event.data["session"].query("Project").count())
                if counts[-1] == 1:
                    raise UsageError("one is enough")

            session.event_hub.subscribe(f"topic={topics.BEFORE_COMMIT}", check)
            session.create("Project", {"name": "a"})
            await session.commit()
            session.create("Project", {"name": "b"})
            with pytest.raises(UsageError, match="one is enough"):
                await session.commit()
            assert counts == [0, 1]
            told = await session.event_hub.publish(Event(topics.BEFORE_COMMIT, {"session": session}), synchronous=True)
            assert told == []
            await session.reset()

    anyio.run(main, backend=backend)
