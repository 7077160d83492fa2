"""Packets and envelopes of ftrack's event server: what is written is read again, and nothing else is taken for it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.dialects.ftrack.common.envelope import envelope_of, event_in
from callsheet.dialects.ftrack.common.socket import (
    Acknowledgement,
    Handshake,
    Kind,
    Packet,
    acknowledgement,
    event_packet,
    read_acknowledgement,
    read_envelopes,
    read_handshake,
    read_packet,
)
from callsheet.model.event import Event
from callsheet.model.plain import Malformed
from callsheet.model.record import Identity

numbers = st.integers(0, 10**18 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    number = draw(st.none() | numbers)
    wants = number is not None and draw(st.booleans())
    return Packet(draw(st.sampled_from(Kind)), number, wants, draw(texts).replace(":", ""), draw(texts))


@given(packets())
def test_packets_survive_the_wire(packet: Packet) -> None:
    """A packet that was written is read as it was, whatever its data hold."""
    assert read_packet(str(packet)) == packet


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("2", Packet(Kind.HEARTBEAT)),
        ("2::", Packet(Kind.HEARTBEAT)),
        ("2:::", Packet(Kind.HEARTBEAT)),
        ("1::", Packet(Kind.CONNECT)),
        ("5:12+::{}", Packet(Kind.EVENT, 12, True, "", "{}")),
        ("5:12::a:b", Packet(Kind.EVENT, 12, False, "", "a:b")),
        ("5:::{}", Packet(Kind.EVENT, None, False, "", "{}")),
    ],
)
def test_packets_as_the_clients_write_them(text: str, packet: Packet) -> None:
    """What the Python and the JavaScript client send is understood."""
    assert read_packet(text) == packet


@given(st.text() | st.from_regex(r"\d:\d{0,25}\+?:.{0,4}:.*"))
def test_any_text_is_a_packet_or_refused(text: str) -> None:
    """No text does anything but give a packet or be called malformed; what is in one too."""
    try:
        packet = read_packet(text)
        for read in (read_envelopes, read_acknowledgement):
            try:
                read(packet)
            except Malformed:
                pass
    except Malformed:
        pass


@given(numbers, texts)
def test_acknowledgements_survive_the_wire(number: int, message: str) -> None:
    """Which packet is meant, whether it went well, and why not."""
    assert read_acknowledgement(read_packet(str(acknowledgement(number)))) == Acknowledgement(number, True, "")
    refused = read_acknowledgement(read_packet(str(acknowledgement(number, message))))
    assert refused == Acknowledgement(number, False, message)


def test_handshakes() -> None:
    """An answer to a handshake is read as it was written; others are refused."""
    told = Handshake("aZ_-9", 15, 25)
    assert read_handshake(str(told)) == told
    for text in ("", "a:1:2", "a:1:2:xhr-polling", "a b:1:2:websocket", "<html>", "a/b:1:2:websocket"):
        with pytest.raises(Malformed):
            read_handshake(text)


@given(st.builds(Event, texts.filter(bool), plain.filter(lambda data: data is not None), texts.filter(bool)))
def test_events_survive_the_wire(event: Event) -> None:
    """Server to client and back an event says the same."""
    (envelope,) = read_envelopes(read_packet(str(event_packet(envelope_of(event)))))
    found = event_in(envelope)
    assert (found.topic, found.data, found.id) == (event.topic, event.data, event.id)
    assert (found.target, found.source, found.in_reply_to_event, found.sent) == ("", {}, None, None)


def test_an_envelope_has_exactly_the_keys_that_the_vendor_takes() -> None:
    """With any other its client drops the event; values are what JSON knows."""
    sent = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    data = {"at": sent, "on": date(2026, 11, 21), "who": Identity("User", "u"), "all": (1, 2)}
    event = Event("callsheet.reply", data, "1", sent, {"id": "h", "user": {"username": "anna"}}, "id=x", "0")
    assert envelope_of(event, {"anna": "k"}.get) == {
        "id": "1",
        "topic": "ftrack.meta.reply",
        "data": {
            "at": "2026-11-21T12:30:00",
            "on": "2026-11-21",
            "who": {"type": "User", "id": "u"},
            "all": [1, 2],
        },
        "sent": "2026-11-21T12:30:00",
        "source": {"id": "h", "user": {"username": "anna", "id": "k"}},
        "target": "id=x",
        "inReplyToEvent": "0",
    }


@pytest.mark.parametrize(
    "envelope",
    [
        {},
        {"topic": ""},
        {"topic": 7},
        {"topic": "a", "id": 7},
        {"topic": "a", "source": [1]},
        {"topic": "a", "target": {}},
        {"topic": "a", "inReplyToEvent": 3},
    ],
)
def test_what_is_no_event_is_refused(envelope: dict[str, Any]) -> None:
    """An envelope whose parts are of other kinds is malformed."""
    with pytest.raises(Malformed):
        event_in(envelope)


def test_a_packet_of_another_name_holds_no_event() -> None:
    """Only ``ftrack.event`` is an event; what is none in it is malformed."""
    assert read_envelopes(Packet(Kind.EVENT, data=json.dumps({"name": "other", "args": [{}]}))) == []
    for args in ([], [1], [{}, {}], {}):
        with pytest.raises(Malformed):
            read_envelopes(Packet(Kind.EVENT, data=json.dumps({"name": "ftrack.event", "args": args})))
