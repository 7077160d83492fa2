"""An account keeps no more on the server than its share, and a guest without a grant nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studio import DOCUMENT, Identity, Studio, project, update

from callsheet.dialects.routes import OverQuota
from callsheet.errors import Forbidden, NotFound, TooLarge
from callsheet.model.event import Event, Position
from callsheet.model.language.events import event_matches, parse_expression
from callsheet.model.operation import ChangeSet
from callsheet.server.backend import ServiceBackend
from callsheet.server.limits import Limits
from callsheet.server.log.filters import EventFilter, comparisons, filter_of
from callsheet.server.service import Service

PART = (update(Identity("Task", "t"), note="x" * 100),)


def opened(limits: Limits | None = None) -> Service:
    return Service.open("memory:", DOCUMENT, limits=limits)


@pytest.fixture
def service() -> Iterator[Service]:
    with opened() as held:
        yield held


DEEDS: dict[str, Callable[[ServiceBackend], Any]] = {
    "stage": lambda guest: guest.stage("c", 0, PART),
    "commit": lambda guest: guest.commit(ChangeSet("c", PART)),
    "publish": lambda guest: guest.publish(Event("studio.render", {})),
    "events": lambda guest: guest.events(Position(0, 0), (), {}, 10),
    "files": lambda guest: guest.files.write("c", 0, b"x"),
    "claim": lambda guest: guest.call(
        "handlers.claim", {"handler": "h", "expression": "topic=a", "worker": "w", "from_start": True}
    ),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_guest_without_a_grant_does_nothing(service: Service, deed: str) -> None:
    """Nothing that stays on the server, and nothing that listens; with a grant it may, as far as that goes."""
    service.accounts.add("gina", "guest")
    guest = service.backend("gina")
    with pytest.raises((Forbidden, NotFound)):
        DEEDS[deed](guest)
    assert kept(service) == (0, 0)
    service.accounts.set_role("gina", "user")
    if deed not in ("commit",):
        DEEDS[deed](service.backend("gina"))


def test_who_may_only_read_stages_nothing(service: Service) -> None:
    """There is nothing that it could commit."""
    service.accounts.add("rita", "reader")
    with pytest.raises(Forbidden, match="so it may not stage"):
        service.backend("rita").stage("c", 0, PART)
    service.backend("rita").publish(Event("studio.render", {}))


def test_a_grant_that_allows_nothing_is_none(service: Service) -> None:
    """It is what is allowed that counts, not that there is a grant."""
    Studio(service).commit(project("p"))
    service.accounts.add("ella", "guest")
    service.roles.grant("ella", "guest", "p")
    with pytest.raises(Forbidden, match="has no rights"):
        service.backend("ella").publish(Event("studio.render", {}))
    service.roles.grant("ella", "reader", "p")
    service.backend("ella").publish(Event("studio.render", {}))


def kept(service: Service) -> tuple[int, int]:
    """Parts and published events in the database."""
    with service.store.reading() as connection:
        found = [connection.execute(service.store.table(name).select()).all() for name in ("_part", "_event")]
    return len(found[0]), len(found[1])


def test_staged_parts_have_a_limit() -> None:
    """Of their bytes, for each account; a part that is staged again replaces itself, and what is gone makes room."""
    with opened(Limits(account_staged_bytes=500)) as service:
        anna, ben = service.backend("admin"), service.backend("ben")
        anna.stage("c", 0, PART)
        for _ in range(5):
            anna.stage("c", 1, PART)
        with pytest.raises(TooLarge, match="more than 500 bytes, its limit: commit what is staged"):
            anna.stage("d", 0, PART * 2)
        ben.stage("c", 0, PART)
        service.store.write(lambda connection: connection.execute(service.store.table("_part").delete()))
        anna.stage("d", 0, PART * 2)


def test_published_events_have_a_limit() -> None:
    """Of bytes in a time, for each account; what was refused is not kept."""
    with opened(Limits(account_event_bytes=10_000, event_seconds=1_000_000)) as service:
        anna = service.backend("admin")
        for number in range(3):
            anna.publish(Event("studio.render", {"text": "x" * 2_500}, id=f"e{number}"))
        with pytest.raises(OverQuota, match="published 10,000 bytes of events within 1e"):
            anna.publish(Event("studio.render", {"text": "x" * 2_500}, id="e4"))
        service.backend("ben").publish(Event("studio.render", {"text": "x" * 2_500}, id="e5"))
        assert kept(service) == (0, 4)


TOPICS = ["a", "b", "c", "a.b"]
EXPRESSIONS = [
    "topic=a", "topic=b and data.x=1", "topic=a.*", "data.x", "not topic=a", "topic=a or topic=b", "topic in (b, c)",
    "topic=a and topic=b", "data.x > 3", "topic=c and not data.x=1", "topic like \"%b\"", "not (topic=b and data.x=2)",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=6),
    st.sampled_from(TOPICS),
    st.dictionaries(st.just("x"), st.one_of(st.none(), st.integers(0, 5), st.text(max_size=2))),
)
def test_a_filter_answers_what_its_expressions_do(expressions: list[str], topic: str, data: dict[str, Any]) -> None:
    """Looking by topic leaves out nothing."""
    event = Event(topic, data)
    wanted = filter_of(expressions)
    assert wanted is not None
    assert wanted(event) is any(event_matches(parse_expression(each), event) for each in expressions)


def test_an_event_is_compared_with_the_filters_of_its_topic() -> None:
    """However many others there are: a thousand filters of other topics cost nothing."""
    wanted = EventFilter(parse_expression(f"topic=t{number}") for number in range(1_000))
    assert len(wanted.candidates("t7")) == 1
    assert len(wanted.candidates("other")) == 0


@pytest.mark.parametrize(
    ("expression", "size"),
    [
        ("topic=a", 1),
        ("topic=a and (data.x=1 or data.y)", 3),
        ("not topic=a", 1),
        ("data.x in (" + "1, " * 159 + "1)", 11),
    ],
)
def test_what_a_filter_costs(expression: str, size: int) -> None:
    """Comparisons, and more for a long list of values."""
    assert comparisons(parse_expression(expression)) == size
