"""Events on the native wire: server-sent events (the HTML standard, "Server-sent events"), one for each event.

The server answers ``GET /v1/events`` with a text that does not end. Each event has its position as ``id``, and one line
of JSON as ``data``, in which ``data`` and ``source`` are packed (`callsheet.model.values`). An ``id`` without data is
the position up to which the server has read, so that a reader with few matching events need not continue from its last
one. A comment every ten seconds is a keep-alive. `EventText` parses the text in pieces of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from callsheet.dialects.native import shapes
from callsheet.errors import TransportError
from callsheet.flow import Request, Response
from callsheet.model.event import Event, Position
from callsheet.model.plain import Malformed
from callsheet.model.values import pack, unpack

__all__ = ["PATH", "EventText", "NativeEventStream", "WireEvent", "event_in", "event_out", "message_out", "place_out"]

PATH = "/v1/events"
LONGEST_PARAMETERS = 12 * 2**10
"""Longer expressions, or subscriber data, are not sent in the address: more events arrive, and the hub filters them."""
LONGEST = 64 * 2**20
_MARK = b"\xef\xbb\xbf"


class WireEvent(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """``data`` and ``source`` are packed."""

    topic: str
    id: str
    data: Any = None
    sent: datetime | None = None
    source: dict[str, Any] = {}
    target: str = ""
    in_reply_to_event: str | None = None


def event_out(event: Event) -> WireEvent:
    """An event as JSON; its position is sent separately."""
    source = pack(dict(event.source))
    return WireEvent(event.topic, event.id, pack(event.data), event.sent, source, event.target, event.in_reply_to_event)


def event_in(wire: WireEvent, position: Position | None = None) -> Event:
    """The event of its JSON. Raises `Malformed`."""
    source = unpack(wire.source)
    if not isinstance(source, dict):
        raise Malformed("the source of an event is a JSON object")
    return Event(
        wire.topic,
        unpack(wire.data),
        wire.id,
        wire.sent,
        source,
        wire.target,
        wire.in_reply_to_event,
        position,
    )


def message_out(event: Event) -> bytes:
    """One event in the text."""
    return b"id: %b\ndata: %b\n\n" % (str(event.position).encode(), shapes.encode(event_out(event)))


def place_out(position: Position) -> bytes:
    """The text that reports the position up to which the server has read the log."""
    return b"id: %b\n\n" % str(position).encode()


class EventText:
    """A parser of server-sent events in pieces: bytes in, ``(id, data)`` out; data is None for an id without data.

    >>> text = EventText()
    >>> text.receive(b": hello\\nid: 1.0\\nda"), text.receive(b'ta: {}\\n\\n')
    ([], [('1.0', b'{}')])
    """

    def __init__(self) -> None:
        self._rest = b""
        self._id = ""
        self._has_id = False
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False

    def receive(self, data: bytes) -> list[tuple[str, bytes | None]]:
        """The messages that are complete with these bytes."""
        lines = self._lines(data)
        found: list[tuple[str, bytes | None]] = []
        for line in lines:
            if line:
                self._field(line)
            elif self._data or self._has_id:
                found.append((self._id, b"\n".join(self._data) if self._data else None))
                self._data, self._size, self._has_id = [], 0, False
        return found

    def _lines(self, data: bytes) -> list[bytes]:
        """The complete lines. A carriage return at the end of the bytes may be the first half of a line break."""
        text = self._rest + data
        if not self._begun:
            if len(text) < len(_MARK) and _MARK.startswith(text):
                self._rest = text
                return []
            self._begun, text = True, text.removeprefix(_MARK)
        if b"\r" in text:
            held = text.endswith(b"\r")
            text = (text[:-1] if held else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n") + b"\r" * held
        *lines, self._rest = text.split(b"\n")
        if len(self._rest) + self._size > LONGEST:
            raise TransportError(f"the server sent an event of more than {LONGEST >> 20} MiB")
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value)
        elif name == b"id" and b"\0" not in value:
            self._id, self._has_id = value.decode("utf-8", "replace"), True


class NativeEventStream:
    """One connection for events: an `EventStream`. ``refuse`` raises the error of an answer that is not a stream."""

    kind = "sse"

    def __init__(
        self,
        after: Position | None,
        expressions: Sequence[str],
        subscriber: Mapping[str, Any],
        refuse: Callable[[Response], Any],
    ) -> None:
        self.position = after
        self._expressions, self._subscriber, self._refuse = expressions, subscriber, refuse
        self._text = EventText()

    def opening(self) -> Request:
        """The request whose response does not end."""
        subscriber = shapes.encode(pack(dict(self._subscriber))).decode()
        parameters = [
            urlencode({} if self.position is None else {"after": str(self.position)}),
            _short(urlencode([("filter", expression) for expression in self._expressions])),
            _short(urlencode({"subscriber": subscriber} if self._subscriber else {})),
        ]
        path = "?".join(filter(None, (PATH, "&".join(filter(None, parameters)))))
        return Request("GET", path, headers={"accept": "text/event-stream"}, safe=True)

    def opened(self, response: Response) -> None:
        """Raise the error if the server refused the stream."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status != 200 or kind != "text/event-stream":
            self._refuse(response)
            raise TransportError("this is not an answer of a Callsheet server")

    def receive(self, data: bytes) -> list[Event]:
        """The events that are complete with these bytes."""
        found: list[Event] = []
        for place, content in self._text.receive(data):
            try:
                self.position = Position.parse(place)
                if content is not None:
                    found.append(event_in(_WIRE.decode(content), self.position))
            except (ValueError, msgspec.MsgspecError) as error:
                raise TransportError(f"an event of the server cannot be read: {error}") from None
        return found

    def to_send(self) -> list[bytes]:
        """Nothing: the request had everything."""
        return []

    def resubscribe(self, expressions: Sequence[str], subscriber: Mapping[str, Any] | None = None) -> bool:
        """False: this stream cannot change its expressions."""
        return False


def _short(parameters: str) -> str:
    return parameters if len(parameters) <= LONGEST_PARAMETERS else ""


class _Answered(WireEvent, omit_defaults=True, forbid_unknown_fields=False):
    """An event from a server, which may have fields that this version does not know."""


_WIRE = msgspec.json.Decoder(_Answered)
