"""The client half: model statements become requests, answers become records or errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from attrs import evolve

from callsheet import collector
from callsheet.dialects.answers import reads_answer, reads_answers
from callsheet.dialects.native import codec, shapes
from callsheet.dialects.native.events import PATH, NativeEventStream, event_out
from callsheet.dialects.native.logins import NativeLogins
from callsheet.dialects.native.reply import answer_start
from callsheet.dialects.native.reply import read_reply as _read
from callsheet.dialects.native.reply import refuse as _refuse
from callsheet.dialects.native.rows import RowReader
from callsheet.dialects.protocol import CommitResult, Description
from callsheet.dialects.uploads import StagedUpload
from callsheet.errors import TransportError
from callsheet.flow import Flow, Request, Response
from callsheet.later import Later
from callsheet.model.cause import CellQuestion, NumberChange
from callsheet.model.converter import changes_to_plain, operations_to_plain
from callsheet.model.event import Event, Position
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.plain import Malformed
from callsheet.model.query import Select
from callsheet.model.question import Answer, Question
from callsheet.model.record import Page
from callsheet.model.schema import Schema
from callsheet.model.table_steps import ARROW
from callsheet.model.values import pack, unpack
from callsheet.model.watching import Watch

if TYPE_CHECKING:
    from callsheet.dialects.native import causes as causing
    from callsheet.dialects.native import measures
    from callsheet.dialects.native import questions as questioning
    from callsheet.dialects.native.watching import NativeWatchStream
else:
    measures = Later("callsheet.dialects.native.measures")
    causing = Later("callsheet.dialects.native.causes")
    questioning = Later("callsheet.dialects.native.questions")

__all__ = ["NativeDialect"]

READING = frozenset({"at", "commits", "counts", "history", "scenarios.diff", "scenarios.list", "scenarios.show"})
"""Actions that change nothing, and so may be sent again."""
REPEATABLE = ("handlers.", "tables.")
"""Actions that may be repeated: those of durable handlers name their leases, those of tables an id."""


class NativeDialect(NativeLogins):
    """Flows that use Callsheet's own wire.

    >>> flow = NativeDialect().describe("abc")
    >>> request = next(flow)
    >>> request.method, request.path, request.params["known"], request.safe
    ('GET', '/v1/description', 'abc', True)
    """

    name = "native"

    def __init__(self, position: int | None = None, scenario: str | None = None) -> None:
        self._rows = RowReader(None)
        self._headers = {} if position is None else {"x-callsheet-at": str(position)}
        if scenario is not None:
            self._headers[shapes.SCENARIO] = quote(scenario, safe="")

    def at(self, position: int) -> NativeDialect:
        """A dialect for the state after a commit; every request has its position in a header."""
        return NativeDialect(position)

    def scenario(self, label: str) -> NativeDialect:
        """A dialect for the present with a scenario over it; every request has its name in a header."""
        return NativeDialect(scenario=label)

    @staticmethod
    def credentials(user: str, key: str) -> dict[str, str]:
        """The headers of authentication."""
        return {"authorization": f"Bearer {key}", **({"x-callsheet-user": user} if user else {})}

    def learn(self, schema: Schema) -> None:
        """Decode rows by this schema from now on."""
        self._rows = RowReader(schema)

    @reads_answers
    def versions(self) -> Flow[tuple[int, int]]:
        """The versions of the wire that the server speaks; those before 0.3 speak the first, and do not say so."""
        response = yield Request("GET", "/versions/rest", safe=True, anonymous=True)
        if response.status == 404:
            return (1, 1)
        said = _read(response, shapes.VersionsReply)
        return (said.oldest, said.newest)

    def describe(self, known_hash: str = "") -> Flow[Description]:
        params = {"known": known_hash} if known_hash else {}
        response = yield Request(
            "GET", "/v1/description", params=params, headers={**self._headers, shapes.WHOLE_SCHEMA: "1"}, safe=True
        )
        reply = _read(response, shapes.DescriptionReply)
        schema = None if reply.schema is None else Schema(reply.schema, tolerant=True)
        return Description(
            reply.server,
            reply.version,
            reply.time,
            reply.schema_hash,
            schema,
            reply.user,
            reply.features,
            reply.workspace,
        )

    @reads_answers
    def select(self, select: Select, size: int, cursor: str | None = None) -> Flow[Page]:
        response = yield self.ask_page(select, size, cursor)
        _, read = self.open_page(response)
        return read()

    def ask_page(self, select: Select, size: int, cursor: str | None) -> Request:
        return self._post("/v1/select", shapes.SelectBody(codec.select_out(select), size, cursor))

    @reads_answer
    def open_page(self, response: Response) -> tuple[str | None, Callable[[], Page]]:
        # The rows are not decoded here, so this takes a small part of the time.
        reply = _read(response, shapes.PageReply)
        return reply.cursor, lambda: self._read_page(reply)

    @reads_answer
    def _read_page(self, reply: shapes.PageReply) -> Page:
        try:
            with collector.paused():
                records = tuple(
                    self._rows.read(block.type, tuple(block.attributes), block.rows) for block in reply.records
                )
        except Malformed as error:
            raise TransportError(f"the server's answer cannot be read: {error}") from None
        return Page(records, reply.roots, reply.order, reply.cursor)

    def ask_columns(self, select: Select, size: int, cursor: str | None) -> Request:
        request = self.ask_page(select, size, cursor)
        return evolve(request, headers={**request.headers, "accept": shapes.ARROW})

    @reads_answer
    def open_columns(self, response: Response) -> tuple[str | None, Callable[[], bytes]]:
        if response.status != 200:
            _refuse(response)
        if response.headers.get("content-type") != shapes.ARROW:
            raise TransportError(f"the server's answer is no Arrow stream: {answer_start(response)}")
        cursor = response.headers.get(shapes.CURSOR)
        return None if cursor is None else unquote(cursor), lambda: response.content

    @reads_answers
    def aggregate(self, aggregate: Aggregate) -> Flow[list[tuple[Any, ...]]]:
        response = yield self._post("/v1/aggregate", measures.aggregate_out(aggregate))
        reply = _read(response, shapes.AggregateReply)
        return measures.rows_in(_unpack(reply.rows), reply.totals)

    @reads_answers
    def ask(self, questions: Sequence[Question]) -> Flow[list[Answer]]:
        response = yield self._post("/v1/ask", questioning.questions_out(questions))
        reply = _read(response, shapes.AnswersReply)
        try:
            answers = questioning.answers_in(reply)
        except Malformed as error:
            raise TransportError(f"the server's answer cannot be read: {error}") from None
        if len(answers) != len(questions):
            raise TransportError(f"the server's answer cannot be read: {len(answers)} answers to {len(questions)}")
        return answers

    @reads_answers
    def why(self, question: CellQuestion) -> Flow[NumberChange]:
        response = yield self._post("/v1/why", causing.question_out(question))
        reply = _read(response, shapes.CellReply)
        try:
            return causing.change_in(reply)
        except Malformed as error:
            raise TransportError(f"the server's answer cannot be read: {error}") from None

    @reads_answers
    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> Flow[None]:
        path = f"/v1/commits/{quote(commit_id, safe='')}/parts/{number}"
        with collector.paused():
            request = self._post(path, shapes.PartBody(operations_to_plain(operations)))
        response = yield request
        _read(response, dict[str, Any])

    @reads_answers
    def stage_rows(self, load: str, number: int, data: bytes) -> Flow[None]:
        path = f"/v1/tables/loads/{quote(load, safe='')}/{number}"
        headers = {"content-type": ARROW, **self._headers}
        response = yield Request("PUT", path, data, headers=headers, safe=True)
        _read(response, dict[str, Any])

    @reads_answers
    def commit(self, changes: ChangeSet) -> Flow[CommitResult]:
        # Safe to retry although it writes: the server applies a commit id once.
        with collector.paused():
            request = self._post(f"/v1/commits/{quote(changes.commit_id, safe='')}", changes_to_plain(changes))
        response = yield request
        return codec.result_in(_read(response, shapes.ResultReply))

    @reads_answers
    def call(self, action: str, arguments: Mapping[str, Any]) -> Flow[Any]:
        # A scenario is committed once, by its id.
        safe = action in READING or action.startswith(REPEATABLE) or action == "scenarios.commit"
        response = yield self._post(f"/v1/call/{quote(action, safe='')}", pack(dict(arguments)), safe)
        return _unpack(_read(response, shapes.CallReply).result)

    # -- events ------------------------------------------------------------------------------------------

    @reads_answers
    def publish(self, event: Event) -> Flow[None]:
        # Safe to retry although it writes: the server stores an event's id once.
        response = yield self._post(PATH, event_out(event))
        _read(response, dict[str, Any])

    def events(
        self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any]
    ) -> NativeEventStream:
        return NativeEventStream(after, expressions, subscriber, _refuse)

    def watch(self, watches: Sequence[Watch]) -> NativeWatchStream:
        from callsheet.dialects.native.watching import NativeWatchStream

        return NativeWatchStream(watches, self._headers, _refuse)

    # -- files -------------------------------------------------------------------------------------------

    @reads_answers
    def upload(self, key: str, name: str, size: int) -> Flow[StagedUpload]:
        state = yield from self._file_state(key)
        return StagedUpload(self, key, state.received)

    @reads_answers
    def write_file(self, key: str, offset: int, data: bytes) -> Flow[int]:
        params = {"offset": str(offset), "checksum": hashlib.sha256(data).hexdigest()}
        headers = {"content-type": "application/octet-stream"}
        response = yield Request("PUT", f"{_file(key)}/data", data, params, headers, safe=True)
        return _read(response, shapes.FileReply).received

    @reads_answers
    def finish_file(self, key: str, size: int, checksum: str) -> Flow[None]:
        response = yield self._post(f"{_file(key)}/finish", shapes.FinishBody(size, checksum))
        _read(response, dict[str, Any])

    @reads_answers
    def file_size(self, key: str) -> Flow[int | None]:
        state = yield from self._file_state(key)
        return state.size

    @reads_answers
    def read_file(self, key: str, offset: int, size: int) -> Flow[bytes]:
        params = {"offset": str(offset), "size": str(size)}
        response: Response = yield Request("GET", f"{_file(key)}/data", params=params, safe=True)
        if response.status != 200 or "x-callsheet-checksum" not in response.headers:
            _refuse(response)
        if hashlib.sha256(response.content).hexdigest() != response.headers["x-callsheet-checksum"]:
            raise TransportError("a part of a file was damaged in transit; read it again")
        return response.content

    @reads_answers
    def remove_file(self, key: str) -> Flow[None]:
        response = yield Request("DELETE", _file(key), safe=True)
        _read(response, dict[str, Any])

    @reads_answers
    def file_address(self, key: str) -> Flow[str]:
        response = yield Request("GET", f"{_file(key)}/address", safe=True)
        return _read(response, shapes.AddressReply).address

    def _file_state(self, key: str) -> Flow[shapes.FileReply]:
        response = yield Request("GET", _file(key), safe=True)
        return _read(response, shapes.FileReply)

    def _post(self, path: str, body: Any, safe: bool = True) -> Request:
        headers = {"content-type": "application/json", **self._headers}
        return Request("POST", path, shapes.encode(body), headers=headers, safe=safe)


def _file(key: str) -> str:
    return f"/v1/files/{quote(key, safe='')}"


def _unpack(value: Any) -> Any:
    try:
        return unpack(value)
    except Malformed as error:
        raise TransportError(f"the server's answer cannot be read: {error}") from None
