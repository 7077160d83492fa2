"""Watches on the native wire: ``POST /v1/watch`` with questions is answered by server-sent events that do not end.

Each message is one change of one result, as a line of JSON; its ``id`` is the position that the result is as of. An
``id`` without data is a position up to which all results are known to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from callsheet.dialects.native import shapes
from callsheet.dialects.native.events import EventText
from callsheet.dialects.native.measures import aggregate_in, aggregate_out, rows_in, rows_out
from callsheet.dialects.routes import WebRequest
from callsheet.errors import Invalid, TransportError
from callsheet.flow import Request, Response
from callsheet.model.event import LAST_INDEX, Event, Position
from callsheet.model.plain import Malformed
from callsheet.model.question import Question
from callsheet.model.values import unpack
from callsheet.model.watching import WATCHED, ResultChange, Seen, Watch

__all__ = ["PATH", "NativeWatchStream", "change_in", "change_out", "message_out", "place_out", "watches_in"]

PATH = "/v1/watch"
WATCHES = 100
"""The most questions of one stream."""


def watches_out(watches: Sequence[Watch]) -> shapes.WatchBody:
    return shapes.WatchBody([_watch_out(each) for each in watches])


def _watch_out(watch: Watch) -> shapes.WireWatch:
    question, seen = watch.question, watch.since
    since = None if seen is None else shapes.WireSeen(seen.position, seen.digest)
    return shapes.WireWatch(aggregate_out(question.aggregate), since, question.at, question.scenario)


def watches_in(request: WebRequest) -> list[Watch]:
    """The watches that a request asks for. Raises `Invalid`."""
    try:
        body = shapes.decode(request.body, shapes.WatchBody)
        found = [_watch_in(each) for each in body.watches]
    except Malformed as error:
        raise Invalid(f"the request cannot be read: {error}") from None
    if not 0 < len(found) <= WATCHES:
        raise Invalid(f"one stream watches from 1 to {WATCHES} questions, not {len(found):,}")
    return found


def _watch_in(wire: shapes.WireWatch) -> Watch:
    seen = None
    if wire.since is not None:
        if not 0 <= wire.since.position < 10**18:
            raise Malformed("`position` is a position of the log")
        seen = Seen(wire.since.position, wire.since.digest)
    return Watch(Question(aggregate_in(wire.aggregate), wire.at, wire.scenario), seen)


def change_out(number: int, levels: int, change: ResultChange) -> shapes.WireChange:
    """A change as JSON; ``levels`` is the number of coordinates."""
    rows = rows_out(list(change.rows), levels)
    gone = rows_out(list(change.gone), levels)
    return shapes.WireChange(
        number,
        change.position,
        change.digest,
        rows.rows,
        rows.totals,
        change.before,
        list(change.places),
        gone.rows,
        gone.totals,
        change.truncated,
        change.reason,
    )


def change_in(wire: shapes.WireChange) -> tuple[int, ResultChange]:
    """The number of a watch, and its change. Raises `Malformed`."""
    change = ResultChange(
        wire.position,
        rows_in(_unpacked(wire.rows), wire.totals),
        wire.digest,
        wire.before,
        wire.places,
        rows_in(_unpacked(wire.gone), wire.gone_totals),
        wire.truncated,
        wire.reason,
    )
    if not change.whole and len(change.places) != len(change.rows):
        raise Malformed("each row of a change has a place")
    return wire.watch, change


def _unpacked(rows: list[list[Any]]) -> list[list[Any]]:
    found: Any = unpack(rows)
    return found  # type: ignore[no-any-return]


def message_out(number: int, levels: int, change: ResultChange) -> bytes:
    """One change in the text of the stream."""
    return b"id: %d\ndata: %b\n\n" % (change.position, shapes.encode(change_out(number, levels, change)))


def place_out(position: int) -> bytes:
    """The text that says up to which position all results are known to hold."""
    return b"id: %d\n\n" % position


class NativeWatchStream:
    """One connection that watches: an `EventStream`. ``refuse`` raises the error of an answer that is no stream."""

    kind = "sse"

    def __init__(self, watches: Sequence[Watch], headers: Mapping[str, str], refuse: Callable[[Response], Any]) -> None:
        self._watches, self._headers, self._refuse = watches, headers, refuse
        self._text = EventText()
        self.position: Position | None = None

    def opening(self) -> Request:
        """The request whose response does not end."""
        headers = {"content-type": "application/json", "accept": "text/event-stream", **self._headers}
        return Request("POST", PATH, shapes.encode(watches_out(self._watches)), headers=headers, safe=True)

    def opened(self, response: Response) -> None:
        """Raise the error if the server refused the stream."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status != 200 or kind != "text/event-stream":
            self._refuse(response)
            raise TransportError("this is not an answer of a Callsheet server")

    def receive(self, data: bytes) -> list[Event]:
        """The changes that are complete with these bytes."""
        found = []
        for place, content in self._text.receive(data):
            try:
                self.position = Position(int(place), LAST_INDEX)
                if content is not None:
                    found.append(Event(WATCHED, change_in(_WIRE.decode(content))))
            except (ValueError, msgspec.MsgspecError, Malformed) as error:
                raise TransportError(f"a change that the server sent cannot be read: {error}") from None
        return found

    def to_send(self) -> list[bytes]:
        """Nothing: the request had everything."""
        return []

    def resubscribe(self, *_: object) -> bool:
        """False: this stream cannot change its questions."""
        return False


_WIRE = msgspec.json.Decoder(shapes.WireChange)
