"""Server-sent events as our wire has them: whatever pieces the text comes in, the same events come out of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.dialects.native.client import NativeDialect
from callsheet.dialects.native.events import (
    EventText,
    NativeEventStream,
    event_in,
    event_out,
    message_out,
    place_out,
)
from callsheet.dialects.native.shapes import encode
from callsheet.errors import Forbidden, TransportError
from callsheet.flow import Response
from callsheet.model.event import Event, Position

MOMENTS = st.datetimes(timezones=st.just(UTC))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.dates() | MOMENTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(min_size=1, max_size=8)
EVENTS = st.builds(
    Event,
    topic=NAMES,
    data=VALUES,
    id=NAMES,
    sent=st.none() | MOMENTS,
    source=st.dictionaries(NAMES, VALUES, max_size=2),
    target=st.text(max_size=5),
    in_reply_to_event=st.none() | NAMES,
    position=st.builds(Position, st.integers(0, 2**62), st.integers(0, 2**31 - 1)),
)


def stream(after: Position | None = None, *expressions: str, **subscriber: Any) -> NativeEventStream:
    found = NativeDialect().events(after, expressions, subscriber)
    assert isinstance(found, NativeEventStream)
    return found


def pieces(text: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


@given(st.lists(EVENTS, max_size=4), st.lists(st.integers(0, 10_000), max_size=12))
def test_events_come_out_as_they_went_in(events: list[Event], cuts: list[int]) -> None:
    """With their dates and times, wherever the text is cut."""
    text = b":\n" + b"".join(message_out(event) + place_out(Position(1, 2)) + b":\n" for event in events)
    reader = stream()
    found = [event for piece in pieces(text, cuts) for event in reader.receive(piece)]
    assert [dict(event) for event in found] == [dict(event) for event in events]
    assert reader.position == (Position(1, 2) if events else None)


TEXTS = st.lists(
    st.sampled_from([b"data: x", b"data:y", b"data", b"id: 1.2", b"id", b": z", b"x: 1", b"", b"", b"\xef\xbb\xbf"]),
    max_size=12,
)


@given(TEXTS, st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=12, max_size=12), st.data())
def test_lines_may_end_in_three_ways(lines: list[bytes], ends: list[bytes], data: st.DataObject) -> None:
    """Any mixture, cut anywhere, is read as the whole; a mark at the beginning is no part of it."""
    text = b"".join(line + end for line, end in zip(lines, ends, strict=False)) + b"\n"
    cuts = data.draw(st.lists(st.integers(0, 500), max_size=8))
    reader = EventText()
    assert [told for piece in pieces(text, cuts) for told in reader.receive(piece)] == EventText().receive(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"data: a\ndata: b\n\n", [("", b"a\nb")]),
        (b"data\n\n", [("", b"")]),
        (b"id: 1\n\ndata: x\n\n", [("1", None), ("1", b"x")]),
        (b"\xef\xbb\xbfdata:x\r\n\r\n", [("", b"x")]),
        (b"event: other\nretry: 10\nnothing\n: comment\n\n", []),
        (b"data: unfinished\n", []),
        (b"id: 1\0\ndata: x\n\n", [("", b"x")]),
    ],
)
def test_the_text_is_read_as_the_standard_says(text: bytes, expected: list[Any]) -> None:
    assert EventText().receive(text) == expected


@pytest.mark.parametrize(
    "text",
    [b"id: x\ndata: {}\n\n", b"id: 1.2\ndata: {\n\n", b"id: 1.2\ndata: {}\n\n", b"data: []\n\n",
     b"id: 1.0\ndata: \xff\n\n",
     b'id: 1.0\ndata: {"topic":"x","id":"1","data":{"$date":"x"}}\n\n', b'id: 1.0\ndata: {"topic":1,"id":"1"}\n\n'],
)  # fmt: skip
def test_what_is_no_event_is_the_servers_fault(text: bytes) -> None:
    with pytest.raises(TransportError):
        stream().receive(text)


def test_what_a_later_version_adds_is_passed_over() -> None:
    (event,) = stream().receive(b'id: 1.0\nlater: yes\ndata: {"topic":"x","id":"1","later":[1]}\n\n')
    assert (event.topic, event.data, event.position) == ("x", None, Position(1, 0))


def test_an_endless_event_is_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callsheet.dialects.native.events.LONGEST", 100)
    with pytest.raises(TransportError, match="more than"):
        stream().receive(b"data: " + b"x" * 200)


def asked(reader: NativeEventStream) -> dict[str, list[str]]:
    request = reader.opening()
    address = urlsplit(request.path)
    assert (request.method, address.path, request.safe) == ("GET", "/v1/events", True)
    return parse_qs(address.query)


def test_a_stream_asks_from_where_it_is() -> None:
    """With all its expressions, and who it is for; after it has read, from there."""
    reader = stream(Position(4, 2), "topic=a b&c", "x='ü'", id="hub", since=date(2026, 5, 1))
    assert asked(reader) == {
        "after": ["4.2"],
        "filter": ["topic=a b&c", "x='ü'"],
        "subscriber": ['{"id":"hub","since":{"$date":"2026-05-01"}}'],
    }
    reader.receive(place_out(Position(9, 0)))
    assert asked(reader)["after"] == ["9.0"]
    assert asked(stream()) == {}


def test_what_is_too_long_for_an_address_is_not_sent() -> None:
    """More comes then; the hub looks at every event anyway."""
    assert asked(stream(Position(1, 0), *(["topic=" + "x" * 100] * 200), id="hub")) == {
        "after": ["1.0"],
        "subscriber": ['{"id":"hub"}'],
    }
    assert len(stream(None, "x" * 12_000, id="y" * 12_000).opening().path) < 25_000


def test_a_refusal_is_raised_as_the_server_meant_it() -> None:
    error = encode({"error": {"kind": "forbidden", "message": "not you"}})
    with pytest.raises(Forbidden, match="not you"):
        stream().opened(Response(403, error, {"content-type": "application/json"}))
    with pytest.raises(TransportError):
        stream().opened(Response(200, b"<html>", {"content-type": "text/html"}))
    stream().opened(Response(200, b"", {"content-type": "text/event-stream; charset=utf-8"}))


@given(EVENTS)
def test_publications_travel_whole(event: Event) -> None:
    """To the server, without their position, which is the server's to give."""
    assert dict(event_in(event_out(event))) == {**dict(event), "position": None}


def test_publishing_may_be_repeated() -> None:
    """The server knows the id, so the request is safe to send again."""
    flow = NativeDialect().publish(Event("studio.done", {"at": datetime(2026, 5, 1, tzinfo=UTC)}, id="1"))
    request = next(flow)
    assert (request.method, request.path, request.safe) == ("POST", "/v1/events", True)  # type: ignore[union-attr]
    assert request.content == (  # type: ignore[union-attr]
        b'{"topic":"studio.done","id":"1","data":{"at":{"$datetime":"2026-05-01T00:00:00+00:00"}}}'
    )
    flow.close()
