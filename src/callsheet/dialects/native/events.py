"""Events on the native wire: server-sent events (the HTML standard, "Server-sent events"), one for each event.

The server answers ``GET /v1/events`` with a text that does not end. Each event has its position as ``id``, and as
``data`` one line of JSON, in which ``data`` and ``source`` are packed (``values.py``). An ``id`` without data tells how
far the server has read, so that a reader who asks for little need not begin again where its last event was. A comment
every ten seconds tells that the server lives. `EventText` reads the text, whatever pieces it comes in.
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
ASKED = 12 * 2**10
"""Of expressions, or data of subscribers, that are longer than this as an address none is sent: more events come, and
who asked looks at each again anyway."""
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
    """An event as it travels; its position goes beside it."""
    source = pack(dict(event.source))
    return WireEvent(event.topic, event.id, pack(event.data), event.sent, source, event.target, event.in_reply_to_event)


def event_in(wire: WireEvent, position: Position | None = None) -> Event:
    """The event that travelled. Raises `Malformed`."""
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
    """That the server has read the log up to here."""
    return b"id: %b\n\n" % str(position).encode()


class EventText:
    """The text of server-sent events as it comes, in any pieces: bytes in, ``(id, data)`` out, data None for none.

    >>> text = EventText()
    >>> text.receive(b": hello\\nid: 1.0\\nda"), text.receive(b'ta: {}\\n\\n')
    ([], [('1.0', b'{}')])
    """

    def __init__(self) -> None:
        self._rest = b""
        self._id = ""
        self._told = False
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False

    def receive(self, data: bytes) -> list[tuple[str, bytes | None]]:
        """What is complete with these bytes."""
        lines = self._lines(data)
        found: list[tuple[str, bytes | None]] = []
        for line in lines:
            if line:
                self._field(line)
            elif self._data or self._told:
                found.append((self._id, b"\n".join(self._data) if self._data else None))
                self._data, self._size, self._told = [], 0, False
        return found

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that are complete. A carriage return at the very end may be half of a line's end."""
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
            self._id, self._told = value.decode("utf-8", "replace"), True


class NativeEventStream:
    """One connection for events: an `EventStream`. ``refuse`` raises what an answer stands for that is no stream."""

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
        """The request whose answer does not end."""
        told = shapes.encode(pack(dict(self._subscriber))).decode()
        asked = [
            urlencode({} if self.position is None else {"after": str(self.position)}),
            _short(urlencode([("filter", expression) for expression in self._expressions])),
            _short(urlencode({"subscriber": told} if self._subscriber else {})),
        ]
        path = "?".join(filter(None, (PATH, "&".join(filter(None, asked)))))
        return Request("GET", path, headers={"accept": "text/event-stream"}, safe=True)

    def opened(self, response: Response) -> None:
        """Raise what the server refused with."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status != 200 or kind != "text/event-stream":
            self._refuse(response)
            raise TransportError("this is no answer of a Callsheet server")

    def receive(self, data: bytes) -> list[Event]:
        """The events that are complete with these bytes."""
        found: list[Event] = []
        for place, told in self._text.receive(data):
            try:
                self.position = Position.parse(place)
                if told is not None:
                    found.append(event_in(_WIRE.decode(told), self.position))
            except (ValueError, msgspec.MsgspecError) as error:
                raise TransportError(f"an event of the server cannot be read: {error}") from None
        return found

    def to_send(self) -> list[bytes]:
        """Nothing: the server was told all when it was asked."""
        return []

    def resubscribe(self, expressions: Sequence[str], subscriber: Mapping[str, Any] | None = None) -> bool:
        """Whether this stream can ask for other events: it cannot."""
        return False


def _short(asked: str) -> str:
    return asked if len(asked) <= ASKED else ""


class _Answered(WireEvent, omit_defaults=True, forbid_unknown_fields=False):
    """An event from a server that may know more of events than this version."""


_WIRE = msgspec.json.Decoder(_Answered)
