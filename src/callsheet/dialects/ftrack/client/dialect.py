"""The client's half: model statements become lists of ftrack's operations, responses become records or errors.

`FEATURES` has what the vendor lacks: versions of entities, commit ids, history. A commit is one request, done as a
whole or not at all; ``verification.py`` finds out what became of one without a response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import evolve

from callsheet.dialects.answers import reads_answers
from callsheet.dialects.ftrack.client import responses as answers
from callsheet.dialects.ftrack.client.description import description, moment_of
from callsheet.dialects.ftrack.client.expression import expression
from callsheet.dialects.ftrack.client.paging import Keyset, OffsetCursor, keyset
from callsheet.dialects.ftrack.client.records import page_in
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.codec import COMPARES, ENTITY_TYPE, key_out, value_out
from callsheet.dialects.ftrack.declaration import FTRACK
from callsheet.dialects.protocol import CommitResult, Description, Features
from callsheet.errors import Invalid, ServerError, StateError, TransportError
from callsheet.flow import Flow, Request
from callsheet.later import Later
from callsheet.model.event import Event, Position
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.plain import Malformed, encode
from callsheet.model.query import Select
from callsheet.model.record import Identity, Page
from callsheet.model.schema import Attribute, Leniency, Schema

if TYPE_CHECKING:
    from callsheet.dialects.ftrack.client import (
        aggregates,
        commit_prefetch,
        event_stream,
        payloads,
        transfer,
        verification,
    )
else:
    # A session that opens and reads needs none of these.
    aggregates = Later("callsheet.dialects.ftrack.client.aggregates")
    commit_prefetch = Later("callsheet.dialects.ftrack.client.commit_prefetch")
    event_stream = Later("callsheet.dialects.ftrack.client.event_stream")
    payloads = Later("callsheet.dialects.ftrack.client.payloads")
    transfer = Later("callsheet.dialects.ftrack.client.transfer")
    verification = Later("callsheet.dialects.ftrack.client.verification")

__all__ = ["FEATURES", "FtrackDialect"]

FEATURES = Features(
    versions=False,
    commit_ids=False,
    staging=False,
    history=False,
    operations=20_000,
    bytes=64 * 2**20,
    rows=500,
    literals=500,
    fills=True,
)
ANY = Attribute("value", data_type="json")


class FtrackDialect:
    """Flows on ftrack's wire.

    >>> request = next(FtrackDialect().describe())
    >>> request.method, request.path, request.safe
    ('POST', '/api', True)
    """

    name = "ftrack"
    declaration = FTRACK

    def __init__(self) -> None:
        self._vocabulary: Vocabulary | None = None
        self._stream: event_stream.FtrackEventStream | None = None
        #: The time on the server, as its last answer says.
        self._date = ""
        #: Whether the server compares what an update was based on, as only Callsheet's does.
        self._compares = False

    @cached_property
    def _addresses(self) -> transfer.Addresses:
        return transfer.Addresses(self)

    @cached_property
    def _waiting(self) -> event_stream.Waiting:
        return event_stream.Waiting()

    @staticmethod
    def credentials(user: str, key: str) -> dict[str, str]:
        """The headers that identify the caller; errors come with their own HTTP status."""
        return {"ftrack-user": user, "ftrack-api-key": key, "ftrack-strict-api": "true"}

    def learn(self, schema: Schema) -> None:
        """Write and read by this schema from now on."""
        self._vocabulary = Vocabulary(schema)
        schema.leniency = Leniency(self._vocabulary.rows)

    @property
    def vocabulary(self) -> Vocabulary:
        """The server's schema; `StateError` before the session is open."""
        if self._vocabulary is None:
            raise StateError("this session is not open yet")
        return self._vocabulary

    # -- the schema --------------------------------------------------------------------------------------

    @reads_answers
    def describe(self, known_hash: str = "") -> Flow[Description]:
        """What the server is: one request, or two if the known schema is outdated; see `description`."""
        found = yield from description(self.ask, known_hash, FEATURES, self._note)
        return evolve(found, time=moment_of(self._date) or found.time)

    def _note(self, information: Mapping[str, Any]) -> None:
        """Keep what a server says of itself that matters to commits."""
        self._compares = information.get(COMPARES) is True

    # -- reading -----------------------------------------------------------------------------------------

    @reads_answers
    def select(self, select: Select, size: int, cursor: str | None = None) -> Flow[Page]:
        vocabulary, place = self.vocabulary, OffsetCursor.read(cursor)
        wanted = min(size, FEATURES.rows)
        if select.limit is not None:
            wanted = min(wanted, select.limit - place.count)
        if wanted <= 0:
            return Page((), 0)
        order = keyset(select, vocabulary)
        asked = select if order is None else order.asking(select, vocabulary)
        try:
            if order is not None and place.values is not None:
                text = expression(order.after(asked, place.values), vocabulary, 0, wanted)
            else:
                text = expression(asked, vocabulary, select.offset + place.count, wanted)
            (result,) = yield from self.ask([{"action": "query", "expression": text}])
        except Invalid:
            if place.values is None:
                raise
            text = expression(select, vocabulary, select.offset + place.count, wanted)
            (result,) = yield from self.ask([{"action": "query", "expression": text}])
            order = None
        return self._page(select, place, order, result)

    def _page(self, select: Select, place: OffsetCursor, order: Keyset | None, result: Any) -> Page:
        """The page that a result holds, with the cursor of the next."""
        rows = _data(result)
        try:
            page = page_in(self.vocabulary, select.entity_type, rows)
        except Malformed as error:
            raise TransportError(f"the server's answer cannot be read: {error}") from None
        count = place.count + len(rows)
        if not rows or answers.next_offset(result) is None or (select.limit is not None and count >= select.limit):
            return page
        values = None if order is None else order.values(page, self.vocabulary)
        return evolve(page, cursor=OffsetCursor(count, values).text())

    @reads_answers
    def aggregate(self, aggregate: Aggregate) -> Flow[list[tuple[Any, ...]]]:
        numbers = aggregates.Numbers(aggregate, self.vocabulary)
        (result,) = yield from self.ask([{"action": "query", "expression": numbers.expression()}])
        return numbers.rows(_data(result))

    # -- writing -----------------------------------------------------------------------------------------

    @reads_answers
    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> Flow[None]:
        raise StateError("an ftrack server takes a commit in one request only; commit more often")
        yield  # pragma: no cover

    @reads_answers
    def commit(self, changes: ChangeSet) -> Flow[CommitResult]:
        needs = payloads.needs_of(changes, self.vocabulary)
        yield from commit_prefetch.prefetch(needs, changes, self)
        batch = payloads.Payloads(changes, self.vocabulary, needs, self._compares)
        written = batch.write()
        try:
            yield from self.ask(written, safe=False)
        except ServerError as error:
            if error.operation is not None:
                error.operation = batch.sources[error.operation]
            raise
        return _done(changes)

    @reads_answers
    def verify(self, changes: ChangeSet) -> Flow[CommitResult | None]:
        """What became of a commit without a response: its result, or None if it was not done."""
        done = yield from verification.was_done(changes, self.vocabulary, self)
        return (
            CommitResult(changes.commit_id, 0, datetime.now(UTC), _versions(changes), replayed=True) if done else None
        )

    @reads_answers
    def call(self, action: str, arguments: Mapping[str, Any]) -> Flow[Any]:
        """One action of the server by its name; the response as it is, or its ``data`` if it has such."""
        operation = {"action": action, **{name: _packed(value, self._vocabulary) for name, value in arguments.items()}}
        (result,) = yield from self.ask([operation], safe=action.startswith("query"))
        if isinstance(result, Mapping) and result.get("action") == action and "data" in result:
            return result["data"]
        return result

    @reads_answers
    def batch(self, operations: Sequence[Mapping[str, Any]]) -> Flow[list[Any]]:
        """Operations of the vendor's wire in one request; the results as they are, one for each."""
        packed = [_packed(operation, self._vocabulary) for operation in operations]
        return (yield from self.ask(packed, all(str(each.get("action")).startswith("query") for each in packed)))

    # -- files -------------------------------------------------------------------------------------------

    @reads_answers
    def upload(self, key: str, name: str, size: int) -> Flow[transfer.VendorUpload]:
        self._addresses.forget(key)
        return (yield from transfer.begin(self, key, name, size))

    @reads_answers
    def file_size(self, key: str) -> Flow[int | None]:
        return (yield from transfer.size_of(self._addresses, key))

    @reads_answers
    def read_file(self, key: str, offset: int, size: int) -> Flow[bytes]:
        return (yield from transfer.read(self._addresses, key, offset, size))

    @reads_answers
    def remove_file(self, key: str) -> Flow[None]:
        self._addresses.forget(key)
        yield from transfer.remove(key)

    @reads_answers
    def file_address(self, key: str) -> Flow[str]:
        return (yield from self._addresses.ask(key))

    # -- events ------------------------------------------------------------------------------------------

    @reads_answers
    def publish(self, event: Event) -> Flow[None]:
        """Send an event over the hub's connection; while that is being renewed, the event waits."""
        if self._stream is None:
            raise StateError(
                "ftrack takes events over the hub's connection only; call `session.event_hub.connect()` first"
            )
        if self._stream.on_queued is None:
            self._waiting.put(event)
        else:
            self._stream.publish(event)
        return
        yield  # pragma: no cover

    def events(
        self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any]
    ) -> event_stream.FtrackEventStream:
        """A connection for events from now on: ftrack keeps no log, so ``after`` is not used."""
        self._stream = event_stream.FtrackEventStream(expressions, subscriber, self.vocabulary, self._waiting)
        return self._stream

    # -- the wire ----------------------------------------------------------------------------------------

    def ask(self, operations: Sequence[Mapping[str, Any]], safe: bool = True) -> Flow[list[Any]]:
        """The results of a batch, one for each operation; raises what the server raises."""
        if not operations:
            return []
        headers = {"content-type": "application/json"}
        response = yield Request("POST", "/api", encode(list(operations)), headers=headers, safe=safe)
        self._date = response.headers.get("date", "")
        return answers.results(response, len(operations), operations)


def _data(result: Any) -> list[Any]:
    rows = result.get("data") if isinstance(result, Mapping) else None
    if not isinstance(rows, list):
        raise TransportError(f"the server's answer has no rows: {result!r:.120}")
    return rows


def _versions(changes: ChangeSet) -> list[int | None]:
    return [None] * len(changes.operations)


def _done(changes: ChangeSet) -> CommitResult:
    return CommitResult(changes.commit_id, 0, datetime.now(UTC), _versions(changes))


def _packed(value: Any, vocabulary: Vocabulary | None) -> Any:
    """Plain data for a raw call: dates are tagged, entities are references."""
    if isinstance(value, date):
        return value_out(ANY, value)
    if isinstance(value, Identity):
        names = vocabulary.schema.type(value.entity_type).key if vocabulary else ("id",)
        return {ENTITY_TYPE: value.entity_type, **dict(zip(names, key_out(value.key)))}
    if isinstance(value, Mapping):
        return {name: _packed(item, vocabulary) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_packed(item, vocabulary) for item in value]
    return value
