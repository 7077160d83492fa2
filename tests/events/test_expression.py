"""Expressions mean what the query language means, with the liberties that are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.errors import QueryError, UsageError
from callsheet.events.predicate import predicate
from callsheet.model.event import Event
from callsheet.model.language.events import event_matches, expression_text, parse_expression, record_of, topics_of
from callsheet.model.language.matching import matches
from callsheet.model.language.parser import parse_condition
from callsheet.model.language.text import condition_text
from callsheet.model.query import Comparison, Condition, Not, Path
from strategies import conditions, literals, paths

UPDATE = Event(
    "callsheet.update",
    {
        "entity": {"type": "Task", "id": "t1", "types": ["Task", "TypedContext", "Context"]},
        "action": "update",
        "changes": {"status": {"old": None, "new": {"type": "Status", "id": "s1"}}, "bid": {"old": 1.0, "new": 2.5}},
        "user": "anna",
        "commit_id": "c1",
        "entity_type": "Task",
        "take": 3,
        "text_take": "3",
        "done": True,
        "render-farm": "a,b",
        "path": "/shows/sintel@main/sh010.####.exr",
        "empty": None,
    },
    id="1234567890e12345678901234567890a",
    sent=datetime(2026, 1, 1, tzinfo=UTC),
    source={"id": "h1", "user": {"username": "anna"}, "host": "ws12"},
)


@pytest.mark.parametrize(
    "text",
    [
        "topic=callsheet.update",
        "topic=callsheet.*",
        "topic=*.update",
        "topic=call*date",
        "topic!=studio.*",
        "not topic=studio.*",
        "topic='callsheet.update' and data.entity_type=\"Task\"",
        "topic=callsheet.update and (data.take=4 or data.take=3)",
        "changes.status",
        "data.changes.status and changes.bid",
        "not changes.name",
        "not data.empty",
        "(changes.status)",
        "entity.type=Task",
        "entity.type=Context and data.entity.type=TypedContext",
        "entity.type != Shot",
        "not entity.type != Context",
        "entity.type in (Shot, Context)",
        "entity.type not_in (Shot, Version)",
        "entity.type=*Context",
        "data.entity_type != Context",
        "action=update and user=anna and commit_id is c1",
        "data.take=3 and data.text_take=3",
        "data.take > 2 and data.take >= 3 and data.take < 3.5 and data.take <= 3",
        "data.take != 4 and not data.take != 3",
        "data.take > -1",
        "not data.text_take > 2",
        "changes.bid.new > 2 and changes.bid.old < 2",
        "data.done=True and data.done=true",
        "data.render-farm=a,b",
        "data.path=/shows/sintel@main/*.exr",
        "source.user.username=anna and source.host=ws*",
        "id=1234567890e12345678901234567890a",
        "data.unheard != x",
        "topic in (callsheet.update, studio.x)",
        'topic like "call%"',
    ],
)
def test_the_event_fulfils(text: str) -> None:
    """Each expression holds, and its complement does not; so does what it is written as."""
    condition = parse_expression(text)
    assert event_matches(condition, UPDATE) is True
    assert event_matches(Not(condition), UPDATE) is False
    assert predicate(condition)(record_of(UPDATE)) is True
    assert parse_expression(condition_text(condition)) == condition


@pytest.mark.parametrize(
    "text",
    [
        "topic=callsheet",
        "topic=allsheet.*",
        "data.take=30",
        "data.unheard=x",
        "data.unheard > 3",
        "data.unheard",
        "entity.type=Shot",
        "data.entity_type=Context",
        "data.done=1",
        "topic='callsheet.update' and changes.name",
    ],
)
def test_the_event_does_not_fulfil(text: str) -> None:
    """What is not there equals nothing and orders with nothing."""
    assert event_matches(parse_expression(text), UPDATE) is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to read"),
        ("topic", None),
        ("topic=", "expected a value, found the end"),
        ("topic=and", "expected a value"),
        ("topic==x", "write `=`"),
        ("topic=a b", "quote a value of several words"),
        ("(topic=a", "close the parenthesis"),
        ("topic=a)", "there is no `\\(` for it"),
        ("topic='a", "not closed"),
        ("topic=a and", "expected an attribute"),
        ("data..x=1", "quote a name that is not plain"),
        ("topic matches a", "did you mean `like`"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_cure(text: str, message: str | None) -> None:
    """The error names the place; a path alone is an expression."""
    if message is None:
        assert parse_expression(text) == Comparison(Path.of("topic"), "!=", None)
        return
    with pytest.raises(QueryError, match=message):
        parse_expression(text)


def test_only_texts_and_conditions_are_expressions() -> None:
    """Anything else is refused."""
    with pytest.raises(UsageError, match="a text or a condition, not int"):
        parse_expression(3)  # type: ignore[arg-type]


#: The grammar of the peer (`key op value`, `not`, `and`, `or`, parentheses; values quoted or of letters, digits
#: and ``-_,./*@+``), by what its documentation and plugins write, each with an event that fulfils it.
PEER: list[tuple[str, dict[str, Any]]] = [
    ("topic=ftrack.update", {"topic": "ftrack.update"}),
    ("topic=ftrack.*", {"topic": "ftrack.action.launch"}),
    ("topic=ftrack.action.discover and source.user.username=john", {"source": {"user": {"username": "john"}}}),
    ("topic=ftrack.action.launch and data.actionIdentifier=my.action-1", {"data": {"actionIdentifier": "my.action-1"}}),
    ('topic="ftrack.update" and source.user.username="jane doe"', {"source": {"user": {"username": "jane doe"}}}),
    ("topic=x and (data.a=1 or data.b=2)", {"data": {"a": "1"}}),
    ("not topic=y", {}),
    ("topic=x and not (data.a=1 and data.b=2)", {"data": {"a": "1", "b": "3"}}),
    ("data.count > 10", {"data": {"count": 11}}),
    ("data.count >= 10 and data.count <= 10", {"data": {"count": 10.0}}),
    ("data.count != 10", {"data": {"count": 9}}),
    ("data.path=/a/b_c.d@e+f", {"data": {"path": "/a/b_c.d@e+f"}}),
    ("data.list=a,b,c", {"data": {"list": "a,b,c"}}),
    ("id=04b1a2", {"id": "04b1a2"}),
    ("topic = 'x' AND data.a = '1'", {"data": {"a": "1"}}),
    ("data.key=in", {"data": {"key": "in"}}),
    ("data.date=2026-01-01", {"data": {"date": "2026-01-01"}}),
    ("data.date=2026-13-99", {"data": {"date": "2026-13-99"}}),
    ("source.id=h and target=id", {"source": {"id": "h"}, "target": "id"}),
]


@pytest.mark.parametrize(("text", "fields"), PEER, ids=[text for text, _ in PEER])
def test_expressions_of_the_peer_are_read(text: str, fields: dict[str, Any]) -> None:
    """What people wrote for it goes on working."""
    topic = "ftrack.action.discover" if "discover" in text else "ftrack.action.launch" if "launch" in text else "x"
    topic = "ftrack.update" if "ftrack.update" in text else topic
    assert event_matches(parse_expression(text), Event(**{"topic": topic, **fields}))


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("topic=a", {"a"}),
        ("topic=a and data.x=1", {"a"}),
        ("topic=a or topic=b", {"a", "b"}),
        ("(topic=a or topic=b) and topic=a", {"a"}),
        ("topic in (a, b) and changes.status", {"a", "b"}),
        ("topic=a or data.x=1", None),
        ("topic=a*", None),
        ("not topic=a", None),
        ("data.topic=a", None),
        ("topic=1", {"1"}),
    ],
)
def test_the_topics_an_expression_asks_for(text: str, topics: set[str] | None) -> None:
    """No event of another topic can fulfil it; None where any may."""
    assert topics_of(parse_expression(text)) == topics


_NAMES = st.sampled_from(["topic", "data.x", "data.y.z", "entity.id", "source.user", "user"])
_VALUES = st.one_of(st.integers(-3, 3), st.sampled_from(["a", "ab", "b"]), st.booleans(), st.none())
_DATA = st.fixed_dictionaries(
    {}, optional={"x": _VALUES, "y": st.fixed_dictionaries({"z": _VALUES}), "user": _VALUES, "entity": st.none()}
)


@given(conditions(_NAMES.map(Path.of), _VALUES, queries=False), st.sampled_from(["a", "ab", "c"]), _DATA)
def test_an_expression_means_what_the_same_condition_means(
    condition: Condition, topic: str, data: dict[str, Any]
) -> None:
    """Written as text and read as an expression, or read as a query's condition: the same events fulfil it."""
    event = Event(topic, data)
    expected = matches(parse_condition(condition_text(condition)), record_of(event))
    assert event_matches(parse_expression(condition_text(condition)), event) is expected
    assert event_matches(parse_expression(condition), event) is expected
    assert predicate(parse_expression(condition))(record_of(event)) is expected


_NESTED = st.recursive(
    _VALUES, lambda inner: st.dictionaries(st.sampled_from("xyz"), st.one_of(inner, st.lists(inner, max_size=3)))
)


@given(
    conditions(st.sampled_from(["x", "x.y", "x.y.z", "y[T].x"]).map(Path.of), _VALUES, queries=False),
    st.dictionaries(st.sampled_from("xyz"), _NESTED),
)
def test_a_predicate_answers_what_matching_answers(condition: Condition, record: dict[str, Any]) -> None:
    """For any record: missing steps, and collections on the way."""
    assert predicate(condition)(record) is matches(condition, record)


@given(conditions(paths(plain=True), literals(), queries=False))
def test_reading_again_changes_nothing(condition: Condition) -> None:
    """An expression's condition is an expression of the same meaning, and its text too."""
    read = parse_expression(condition)
    assert parse_expression(read) == read
    assert parse_expression(expression_text(condition)) == read


@given(conditions(_NAMES.map(Path.of), _VALUES, queries=False), st.sampled_from(["a", "ab", "c", "-1", "True"]), _DATA)
def test_an_event_of_another_topic_never_fulfils(condition: Condition, topic: str, data: dict[str, Any]) -> None:
    """What the hub does not look at because of its topic would not have matched."""
    read = parse_expression(condition)
    topics = topics_of(read)
    if topics is not None and topic not in topics:
        assert not event_matches(read, Event(topic, data))
