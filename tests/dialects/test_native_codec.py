"""The native wire: what goes in on one side comes out on the other, and what is damaged is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from callsheet import errors
from callsheet.dialects.native.client import NativeDialect
from callsheet.dialects.native.rows import RowReader
from callsheet.dialects.native.server import handle
from callsheet.dialects.protocol import CommitResult, Description, Features, Touched
from callsheet.errors import (
    Conflict,
    Invalid,
    NotFound,
    QueryError,
    SchemaError,
    ServerError,
    TransportError,
    Unavailable,
)
from callsheet.flow import Flow, Request, Response
from callsheet.model.adjustment import Adjustment
from callsheet.model.converter import changes_from_plain, changes_to_plain
from callsheet.model.measure import TOTAL, Aggregate, Level
from callsheet.model.operation import ChangeSet, Create, Delete, Effect, Update
from callsheet.model.plain import Malformed, decode, encode
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Order, Path, Select, Step
from callsheet.model.question import Answer, Question
from callsheet.model.record import Identity, Page, Records
from callsheet.model.schema import Schema
from callsheet.model.values import pack, unpack
from callsheet.transport.drive import run

NOW = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "name": "wire",
    "types": {
        "Status": {"attributes": {"name": {"type": "string"}}},
        "Context": {
            "abstract": True,
            "attributes": {
                "name": {"type": "string"},
                "count": {"type": "integer"},
                "bid": {"type": "number"},
                "done": {"type": "boolean"},
                "due": {"type": "date"},
                "made": {"type": "datetime"},
                "level": {"type": "enum", "choices": ["low", "high"]},
                "data": {"type": "json"},
                "status": {"type": "reference", "target": "Status"},
                "parent": {"type": "reference", "target": "Context"},
                "statuses": {"type": "collection", "target": "Status"},
                "children": {"type": "collection", "target": "Context", "inverse": "parent"},
                "metadata": {"type": "mapping"},
                "custom_attributes": {"type": "mapping", "items": "custom"},
            },
            "custom": {"fps": {"type": "number"}, "wrap": {"type": "date"}, "seen": {"type": "datetime"}},
        },
        "Task": {"extends": "Context"},
    },
}
SCHEMA = Schema(DOCUMENT)


class Recorder:
    """A backend that keeps what it was asked, and answers or raises what it was given."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def _told(self, *asked: Any) -> Any:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def describe(self, known_hash: str = "") -> Description:
        return self._told("describe", known_hash)  # type: ignore[no-any-return]

    def select(self, select: Select, size: int, cursor: str | None = None) -> Page:
        return self._told("select", select, size, cursor)  # type: ignore[no-any-return]

    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        return self._told("aggregate", aggregate)  # type: ignore[no-any-return]

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        return self._told("ask", questions)  # type: ignore[no-any-return]

    def stage(self, commit_id: str, number: int, operations: Sequence[Any]) -> None:
        self._told("stage", commit_id, number, operations)

    def commit(self, changes: ChangeSet) -> CommitResult:
        return self._told("commit", changes)  # type: ignore[no-any-return]

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        return self._told("call", action, arguments)


class Wire:
    """A transport that is the server's half of the dialect."""

    def __init__(self, backend: Recorder) -> None:
        self._backend = backend

    def send(self, request: Request) -> Response:
        headers = dict(request.headers)
        return handle(self._backend, request.method, request.path, request.params, headers, request.content)

    def close(self) -> None:
        pass


def through(flow: Callable[[NativeDialect], Flow[Any]], answer: Any = None) -> tuple[Any, Any]:
    """What the backend was asked, and what the client got."""
    dialect, backend = NativeDialect(), Recorder(answer)
    dialect.learn(SCHEMA)
    got = run(flow(dialect), Wire(backend))
    (asked,) = backend.asked
    return asked, got


def exactly(value: Any) -> str:
    """Equal and of the same kind: 1 is not 1.0, True is not 1. (A fixed offset has no use for ``fold``.)"""
    return repr(value).replace(", fold=1", "")


EMPTY = Page(())
KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.one_of(st.text("ab", max_size=2), st.integers(0, 9)), min_size=1, max_size=3).map(tuple),
)
IDENTITIES = st.builds(Identity, strategies.type_names(), KEYS)
JSON = st.recursive(
    st.one_of(strategies.literals().filter(lambda value: not isinstance(value, date)), st.just("$date")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["$date", "$object", "$x", "a"]), strategies.names()), inner, max_size=3
        ),
    ),
    max_leaves=6,
)
VALUES = st.one_of(strategies.literals(), IDENTITIES, JSON)
NAMED = st.dictionaries(strategies.names(), VALUES, max_size=3)
MEMBERS = st.dictionaries(strategies.names(), st.lists(IDENTITIES, max_size=3).map(tuple), max_size=2)
VERSIONS = st.one_of(st.none(), st.integers(0, 2**63 - 1))
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
ADJUSTMENTS = st.dictionaries(
    strategies.names(),
    st.builds(
        lambda by, empty, bounds: Adjustment(by, bounds[0], bounds[1], empty),
        NUMBERS,
        NUMBERS,
        st.sampled_from([(None, None), (1, None), (None, 2.5), (-1.5, 3)]),
    ),
    max_size=2,
)
OPERATIONS = st.one_of(
    st.builds(Create, IDENTITIES, NAMED, MEMBERS),
    st.builds(Update, IDENTITIES, NAMED, NAMED, MEMBERS, MEMBERS, VERSIONS, ADJUSTMENTS),
    st.builds(Delete, IDENTITIES, VERSIONS),
)
COMMIT_IDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)


@given(VALUES)
def test_values_survive(value: Any) -> None:
    """Every value comes back exactly, also after JSON."""
    assert exactly(unpack(msgspec.json.decode(msgspec.json.encode(pack(value))))) == exactly(value)


@given(strategies.selects(), st.integers(1, 10_000), st.one_of(st.none(), st.text("abc+/=", max_size=9)))
def test_selects_survive(select: Select, size: int, cursor: str | None) -> None:
    """A select arrives as it was sent, with size and cursor."""
    asked, _ = through(lambda dialect: dialect.select(select, size, cursor), EMPTY)
    assert exactly(asked) == exactly(("select", select, size, cursor))


@given(
    strategies.aggregates(),
    st.lists(
        st.lists(st.one_of(strategies.literals(), st.tuples(st.text("ab"), st.text("ab"))), max_size=3).map(tuple)
    ),
)
def test_aggregates_survive(aggregate: Aggregate, rows: Any) -> None:
    """An aggregate arrives as sent; its rows come back exactly, dates included, as tuples."""
    asked, got = through(lambda dialect: dialect.aggregate(aggregate), rows)
    assert exactly(asked) == exactly(("aggregate", aggregate))
    assert exactly(got) == exactly(rows)


@given(
    st.lists(
        st.builds(
            Question,
            strategies.aggregates(),
            st.none() | st.integers(0, 2**63 - 1),
            st.none() | st.text("ab ", max_size=5),
            st.booleans(),
        ),
        max_size=3,
    ),
    st.lists(st.lists(strategies.literals(), max_size=3).map(tuple), max_size=3),
    st.none() | st.integers(0, 2**63 - 1),
)
def test_questions_survive(questions: list[Question], rows: Any, number: int | None) -> None:
    """Questions arrive as sent, and each has its answer."""
    answers = [Answer(rows, number, number, {"engine": "e", "milliseconds": {"run": 0.5}}) for _ in questions]
    asked, got = through(lambda dialect: dialect.ask(questions), answers)
    assert exactly(asked) == exactly(("ask", questions))
    assert exactly(got) == exactly(answers)


def test_functions_of_attributes_are_sent_as_by_releases_before() -> None:
    """Older servers read them: pairs of name and path, levels as paths, and no other key."""
    aggregate = Aggregate(Select("Task"), (("count", None), ("sum", Path.of("bid"))), (Level("status", name="State"),))
    sent = next(NativeDialect().aggregate(aggregate))
    assert isinstance(sent, Request)
    assert msgspec.json.decode(sent.content) == {
        "select": {"entity_type": "Task"},
        "functions": [["count", None], ["sum", ["bid"]]],
        "group": [["status"]],
    }


def test_totals_come_back_as_totals() -> None:
    """A total is no None, which is a value of its own; the values of measures are left as they are."""
    aggregate = Aggregate(Select("Task"), group=("status", "kind"), totals=True)
    rows = [("s", None, 1), ("s", TOTAL, 1), (None, None, 2), (TOTAL, TOTAL, None)]
    _, got = through(lambda dialect: dialect.aggregate(aggregate), rows)
    assert got == rows


@given(
    st.builds(
        ChangeSet,
        COMMIT_IDS,
        st.lists(OPERATIONS, max_size=3).map(tuple),
        st.integers(0, 99),
        st.sampled_from(["raise", "ours", "theirs"]),
        st.text("abc", max_size=3),
    ),
    st.builds(
        CommitResult,
        COMMIT_IDS,
        st.integers(0, 2**63 - 1),
        st.just(NOW),
        st.lists(VERSIONS, max_size=3).map(tuple),
        st.lists(st.integers(0, 9), max_size=3).map(tuple),
        st.lists(IDENTITIES, max_size=3).map(tuple),
        st.booleans(),
        st.lists(
            st.builds(Touched, IDENTITIES, st.integers(1, 99), st.lists(strategies.names(), max_size=2).map(tuple)),
            max_size=3,
        ).map(tuple),
    ),
)
def test_commits_survive(changes: ChangeSet, result: CommitResult) -> None:
    """A change set arrives as it was sent, and its result comes back as it was made."""
    asked, got = through(lambda dialect: dialect.commit(changes), result)
    assert exactly(asked) == exactly(("commit", changes))
    assert got == result


EFFECTS = st.builds(Effect, st.text("abc", max_size=3), st.integers(0, 9), st.integers(0, 9), st.text("xy", max_size=3))


@given(
    st.builds(
        ChangeSet,
        COMMIT_IDS,
        st.lists(OPERATIONS, max_size=3).map(tuple),
        st.integers(0, 99),
        st.sampled_from(["raise", "ours", "theirs"]),
        st.text("abc", max_size=3),
        st.none() | EFFECTS,
        st.sampled_from([None, False, True]),
    )
)
def test_change_sets_are_read_as_they_were_written(changes: ChangeSet) -> None:
    """What is written, both readers read alike: the strict one, of requests, and that of journals."""
    plain = encode(changes_to_plain(changes))
    for strict in (True, False):
        read = changes_from_plain(changes.commit_id, decode(plain, dict), strict)
        assert exactly(read) == exactly(changes)


@given(COMMIT_IDS, st.integers(0, 99), st.lists(OPERATIONS, max_size=3).map(tuple))
def test_parts_survive(commit_id: str, number: int, operations: Any) -> None:
    """A part arrives with its commit's id, its number and its operations."""
    asked, got = through(lambda dialect: dialect.stage(commit_id, number, operations))
    assert exactly(asked) == exactly(("stage", commit_id, number, operations))
    assert got is None


@given(COMMIT_IDS, st.dictionaries(strategies.names(), VALUES, max_size=3), VALUES)
def test_calls_survive(action: str, arguments: dict[str, Any], result: Any) -> None:
    """Arguments and result of an action pass exactly."""
    asked, got = through(lambda dialect: dialect.call(action, arguments), result)
    assert exactly(asked) == exactly(("call", action, arguments))
    assert exactly(got) == exactly(result)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
MOMENTS = st.datetimes(timezones=st.just(UTC))
PAIRS = st.tuples(st.just("Task"), TEXT)
ITEMS = st.fixed_dictionaries(
    {}, optional={"fps": st.floats(allow_nan=False, allow_infinity=False), "wrap": st.dates(), "seen": MOMENTS}
)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "name": TEXT,
    "count": st.integers(-(2**63), 2**63 - 1),
    "bid": st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)),
    "done": st.booleans(),
    "due": st.dates(),
    "made": MOMENTS,
    "level": st.sampled_from(["low", "high"]),
    "data": JSON,
    "status": TEXT,
    "parent": PAIRS,
    "statuses": st.lists(TEXT, max_size=2),
    "children": st.lists(PAIRS, max_size=2),
    "metadata": st.dictionaries(TEXT, TEXT, max_size=2),
    "custom_attributes": ITEMS,
    "unheard_of": TEXT,
}


@st.composite
def records(draw: st.DrawFn) -> Records:
    names = draw(st.lists(st.sampled_from(list(COLUMNS)), max_size=5, unique=True))
    columns = [st.one_of(st.none(), COLUMNS[name]) for name in names]
    row = st.tuples(TEXT, st.one_of(st.none(), st.integers(1, 2**40)), *columns)
    return Records("Task", tuple(names), draw(st.lists(row, max_size=3)))


@given(
    st.builds(
        Page,
        st.lists(records(), max_size=3).map(tuple),
        st.integers(0, 3),
        st.one_of(st.none(), st.lists(st.integers(0, 9), max_size=3)),
        st.one_of(st.none(), TEXT),
    )
)
def test_pages_survive(page: Page) -> None:
    """Records come back as Python values by the schema, rows as tuples."""
    _, got = through(lambda dialect: dialect.select(Select("Task"), 500), page)
    assert exactly(got) == exactly(page)


@given(
    st.sampled_from([errors.Unauthorised, errors.Forbidden, NotFound, Conflict, Invalid, errors.TooLarge, ServerError]),
    TEXT,
    st.one_of(st.none(), st.integers(0, 9)),
    st.one_of(st.none(), st.tuples(TEXT, KEYS)),
    st.one_of(st.none(), TEXT),
    NAMED,
)
def test_errors_survive(
    kind: type[ServerError], message: str, operation: Any, entity: Any, attribute: Any, details: Any
) -> None:
    """What the backend raises is raised again, with all it told."""
    raised = kind(message, operation=operation, entity=entity, attribute=attribute, details=details)
    with pytest.raises(ServerError) as caught:
        through(lambda dialect: dialect.select(Select("Task"), 1), raised)
    got = caught.value
    assert type(got) is kind
    assert (str(got), got.operation, got.entity, got.attribute) == (message, operation, entity, attribute)
    assert exactly(got.details) == exactly(details)


def test_description_survives() -> None:
    """The description brings the schema, or says that the known one is right."""
    features = Features(operations=7, history=False)
    told = Description("Callsheet", "1", NOW, SCHEMA.hash, SCHEMA, "ann", features)
    asked, got = through(lambda dialect: dialect.describe("old"), told)
    assert asked == ("describe", "old")
    assert (got.server, got.version, got.time, got.user, got.features) == ("Callsheet", "1", NOW, "ann", features)
    assert got.schema.document == DOCUMENT
    assert got.schema.hash == got.schema_hash == SCHEMA.hash
    _, got = through(lambda dialect: dialect.describe(SCHEMA.hash), Description("C", "1", NOW, SCHEMA.hash, None))
    assert got.schema is None


def test_usage_errors_of_the_service_are_invalid() -> None:
    """A query or schema error on the server is the client's `Invalid`, with position and hint."""
    raised = QueryError("no attribute `nmae`", 5, "did you mean `name`?")
    with pytest.raises(Invalid, match="no attribute `nmae`") as caught:
        through(lambda dialect: dialect.select(Select("Task"), 1), raised)
    assert caught.value.details == {"position": 5, "hint": "did you mean `name`?"}
    with pytest.raises(Invalid, match="no type"):
        through(lambda dialect: dialect.select(Select("Task"), 1), SchemaError("no type"))


def test_unavailable_says_when() -> None:
    """`retry_after` travels as the header that proxies know too."""
    raised = Unavailable("restoring")
    raised.retry_after = 7
    with pytest.raises(Unavailable) as caught:
        through(lambda dialect: dialect.select(Select("Task"), 1), raised)
    assert caught.value.retry_after == 7.0


def test_other_errors_are_for_the_boundary() -> None:
    """A fault of the server is not dressed up as a refusal."""
    with pytest.raises(ZeroDivisionError):
        through(lambda dialect: dialect.select(Select("Task"), 1), ZeroDivisionError())


def test_the_wire_as_written() -> None:
    """The JSON of a select and of a commit, so that other clients can be written."""
    where = And((Comparison(Path((Step("due"),)), "<", date(2026, 1, 2)), Not(Any_(Path((Step("parent", "Task"),))))))
    request = next(NativeDialect().select(Select("Task", (Path((Step("name"),)),), where, (), 10), 500))
    assert isinstance(request, Request)
    assert (request.method, request.path, request.safe) == ("POST", "/v1/select", True)
    assert msgspec.json.decode(request.content) == {
        "select": {
            "entity_type": "Task",
            "projections": [["name"]],
            "where": {
                "is": "and",
                "conditions": [
                    {"is": "comparison", "path": ["due"], "operator": "<", "value": {"$date": "2026-01-02"}},
                    {"is": "not", "condition": {"is": "any", "path": [["parent", "Task"]]}},
                ],
            },
            "limit": 10,
        },
        "size": 500,
    }
    update = Update(Identity("Task", "t"), {"parent": Identity("Shot", "s")}, {"parent": None}, version=3)
    request = next(NativeDialect().commit(ChangeSet("a/b", (update, Delete(Identity("Task", "u"))))))
    assert isinstance(request, Request)
    assert (request.path, request.safe) == ("/v1/commits/a%2Fb", True)
    assert msgspec.json.decode(request.content) == {
        "operations": [
            {
                "is": "update",
                "entity": ["Task", "t"],
                "values": {"parent": {"$identity": ["Shot", "s"]}},
                "before": {"parent": None},
                "version": 3,
            },
            {"is": "delete", "entity": ["Task", "u"]},
        ]
    }


def test_only_calls_are_not_safe() -> None:
    """Everything else may be sent twice, commits included."""
    dialect = NativeDialect()
    flows: list[Flow[Any]] = [
        dialect.describe(),
        dialect.select(Select("Task"), 1),
        dialect.aggregate(Aggregate(Select("Task"))),
        dialect.ask([Question(Aggregate(Select("Task")))]),
        dialect.stage("c", 0, ()),
        dialect.commit(ChangeSet("c", ())),
        dialect.call("users.add", {}),
    ]
    assert [next(flow).safe for flow in flows] == [True, True, True, True, True, True, False]  # type: ignore[union-attr]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1: 2}, object(), "\ud800"])
def test_what_cannot_be_sent(value: Any) -> None:
    """A value that JSON would lose is refused before anything is sent."""
    with pytest.raises(SchemaError):
        through(lambda dialect: dialect.commit(ChangeSet("c", (Create(Identity("Task", "t"), {"name": value}),))))


def deep(depth: int) -> Condition:
    condition: Condition = Comparison(Path((Step("name"),)), "=", 1)
    for _ in range(depth):
        condition = Not(condition)
    return condition


def test_depth_is_bounded_on_both_sides() -> None:
    """Deep conditions and deep data are refused, not followed until the stack ends."""
    through(lambda dialect: dialect.select(Select("Task", where=deep(31)), 1), EMPTY)
    with pytest.raises(SchemaError, match="nested"):
        through(lambda dialect: dialect.select(Select("Task", where=deep(32)), 1), EMPTY)
    wire = b'{"is":"comparison","path":["a"],"operator":"="}'
    for depth, message in ((40, "nested more than 32"), (100_000, "nested too deep")):
        nested = b'{"is":"not","condition":' * depth + wire + b"}" * depth
        body = b'{"select":{"entity_type":"Task","where":' + nested + b'},"size":1}'
        assert message in refused("POST", "/v1/select", body)[1]
    assert "nested" in refused("POST", "/v1/call/x", b'{"a":' + b"[" * 60 + b"]" * 60 + b"}")[1]


def refused(method: str, path: str, body: bytes = b"") -> tuple[int, str]:
    response = handle(Recorder(EMPTY), method, path, {}, {}, body)
    return response.status, msgspec.json.decode(response.content)["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/", b"", 404, "nothing at '/'"),
        ("GET", "/v2/select", b"", 404, "nothing at"),
        ("POST", "/v1/commits/a/b/c", b"", 404, "nothing at"),
        ("GET", "/v1/select", b"", 405, "takes POST, not GET"),
        ("POST", "/v1/description", b"", 405, "takes GET"),
        ("POST", "/v1/select", b"", 422, "truncated"),
        ("POST", "/v1/select", b"{", 422, "truncated"),
        ("POST", "/v1/select", b"\xff", 422, "malformed"),
        ("POST", "/v1/select", b"[]", 422, "Expected `object`"),
        ("POST", "/v1/select", b'{"select":{"entity_type":"T"},"size":0}', 422, "$.size"),
        ("POST", "/v1/select", b'{"select":{"entity_type":1},"size":1}', 422, "$.select.entity_type"),
        ("POST", "/v1/select", b'{"select":{"entity_type":"T"},"size":1,"cusror":""}', 422, "cusror"),
        ("POST", "/v1/select", b'{"select":{"entity_type":"T","limit":-1},"size":1}', 422, "$.select.limit"),
        ("POST", "/v1/select", b'{"select":{"entity_type":"T","limit":9223372036854775808},"size":1}', 422, "limit"),
        ("POST", "/v1/commits/c", b'{"operations":[{"is":"upsert","entity":["T","k"]}]}', 422, "$.operations[0].is"),
        ("POST", "/v1/commits/c", b'{"operations":[{"is":"delete","entity":["T",null]}]}', 422, "entity"),
        ("POST", "/v1/commits/c", b'{"operations":[{"entity":["T","k"]}]}', 422, "$.operations[0].is"),
        ("POST", "/v1/commits/c", b'{"operations":[1]}', 422, "1 is no operation @ $.operations[0]"),
        ("POST", "/v1/commits/c", b'{"operations":{}}', 422, "no list of operations @ $.operations"),
        ("POST", "/v1/commits/c", b'{"operations":[],"polcy":"ours"}', 422, "unknown `polcy`"),
        ("POST", "/v1/commits/c", b'{"operations":[],"commit_id":"d"}', 422, "unknown `commit_id`"),
        (
            "POST",
            "/v1/commits/c",
            b'{"operations":[{"is":"delete","entity":["T","k"]},{"is":"delete","entity":["T","k"],"verson":1}]}',
            422,
            "unknown `verson` @ $.operations[1]",
        ),
        (
            "POST",
            "/v1/commits/c",
            b'{"operations":[{"is":"delete","entity":["T","k"],"version":-1}]}',
            422,
            "$.operations[0].version",
        ),
        (
            "POST",
            "/v1/commits/c",
            b'{"operations":[{"is":"update","entity":["T","k"],"adjusted":{"n":{"by":1,"empty":1,"top":2}}}]}',
            422,
            "unknown `top` in an adjustment @ $.operations[0].adjusted",
        ),
        ("POST", "/v1/commits/c", b'{"operations":[],"effect":["h",-1,0,"l"]}', 422, "-1 is no count"),
        ("POST", "/v1/commits/c", b'{"operations":[],"policy":"best"}', 422, "`best` is no policy"),
        ("POST", "/v1/commits/c/parts/0", b'{"operations":[{"is":"make"}]}', 422, "$.operations[0].is"),
        ("POST", "/v1/commits/%00", b'{"operations":[]}', 422, "commit id"),
        ("POST", "/v1/commits/" + "c" * 129, b'{"operations":[]}', 422, "commit id"),
        ("POST", "/v1/commits/c/parts/-1", b'{"operations":[]}', 422, "number of a part"),
        ("POST", "/v1/call/x", b'{"a":{"$when":1}}', 422, "unknown kind of value `$when`"),
        ("POST", "/v1/call/x", b'{"a":{"$date":"soon"}}', 422, "cannot be a `$date`"),
        ("POST", "/v1/call/x", b'{"a":{"$date":5}}', 422, "cannot be a `$date`"),
        ("POST", "/v1/call/x", b'{"a":{"$identity":["T",null]}}', 422, "primary key"),
        ("POST", "/v1/call/x", b'{"a":{"$object":5}}', 422, "cannot be a `$object`"),
        ("POST", "/v1/call/x", b'{"a":{"$date":"2026-01-01","b":1}}', 422, "among other keys"),
        ("POST", "/v1/call/x", b'{"$date":"2026-01-01"}', 422, "JSON object"),
    ],
)
def test_what_the_server_refuses(method: str, path: str, body: bytes, status: int, message: str) -> None:
    """Every malformed request is answered with what is wrong and where."""
    got_status, got_message = refused(method, path, body)
    assert got_status == status
    assert message in got_message


@pytest.mark.parametrize("kind", [b"1", b"{}", b'{"is":"delete","entity":["T","k"],"' + b"x" * 1_000 + b'":1}'])
def test_many_faults_of_a_request_cost_as_much_as_one(kind: bytes) -> None:
    """Reading ends with the first operation that is wrong, and the reason stays short."""
    body = b'{"operations":[' + b",".join([kind] * 1_000) + b"]}"
    status, message = refused("POST", "/v1/commits/c", body)
    assert status == 422
    assert "operations[0]" in message
    assert "operations[1]" not in message
    assert len(message) < 1_000


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (b'{"is":"comparison","path":["a"],"operator":"~","value":1}', "`~` is not an operator"),
        (b'{"is":"comparison","path":["a"],"operator":"in","value":1}', "takes a list"),
        (b'{"is":"comparison","path":["a"],"operator":"=","value":[1]}', "takes one value"),
        (b'{"is":"comparison","path":["a"],"operator":"=","value":{"b":1}}', "cannot compare"),
        (b'{"is":"comparison","path":["a"],"operator":"in","value":[[1]]}', "cannot compare"),
        (b'{"is":"comparison","path":["a"],"operator":"=","select":{"entity_type":"T"}}', "not with a query"),
        (b'{"is":"any","path":["a"],"word":"some"}', "neither `any` nor `has`"),
    ],
)
def test_conditions_the_server_refuses(condition: bytes, message: str) -> None:
    """A condition of the right shape may still mean nothing."""
    body = b'{"select":{"entity_type":"T","where":' + condition + b'},"size":1}'
    status, got = refused("POST", "/v1/select", body)
    assert status == 422
    assert message in got


JSON_TYPE = {"content-type": "application/json"}
HTML = Response(200, b"<html>\n <title>Sign in</title>", {"content-type": "text/html; charset=utf-8"})


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        (HTML, TransportError, "not an answer of a Callsheet server: status 200, text/html.*<html> <title>Sign in"),
        (Response(200, b'{"records":[{"ty', JSON_TYPE), TransportError, r'truncated.*\{"records":\[\{"ty'),
        (Response(200, b'{"rows":[]}', JSON_TYPE), TransportError, "missing required field"),
        (Response(200, b"", {}), TransportError, "no content type: nothing"),
        (Response(404, b"<html>", {"content-type": "text/html"}), TransportError, "status 404"),
        (Response(302, b"", {"location": "https://a.example"}), TransportError, "redirects to https://a.example"),
        (Response(500, b"<h1>oops", {"content-type": "text/html"}), Unavailable, "status 500.*<h1>oops"),
        (Response(502, b"{}", JSON_TYPE), Unavailable, "status 502"),
        (Response(503, b"", {"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}), Unavailable, "status 503"),
        (Response(401, b"", {}), errors.Unauthorised, "on the way"),
        (Response(413, b"", {}), errors.TooLarge, "on the way"),
        (Response(409, b'{"error":{"kind":"novel","message":"no"}}', JSON_TYPE), ServerError, "^no$"),
    ],
)
def test_answers_that_are_none(response: Response, kind: type[Exception], message: str) -> None:
    """What a proxy, a wrong address or a broken connection answers is named, with its beginning."""

    class Stranger:
        def send(self, request: Request) -> Response:
            return response

        def close(self) -> None:
            pass

    with pytest.raises(kind, match=message):
        run(NativeDialect().select(Select("Task"), 1), Stranger())


def test_unknown_fields_of_answers_are_ignored() -> None:
    """A newer server may tell more."""
    body = b'{"records":[],"roots":0,"news":1,"order":null,"cursor":null}'
    flow = NativeDialect().select(Select("Task"), 1)
    next(flow)
    with pytest.raises(StopIteration) as stopped:
        flow.send(Response(200, body, {"content-type": "Application/JSON; charset=utf-8"}))
    assert stopped.value.value == Page((), 0)


def test_rows_other_than_the_schema_says() -> None:
    """When the schema changed meanwhile, values that fit are converted and the others come as they are."""
    reader = RowReader(SCHEMA)
    rows = b'[["a",1,5,"2026-01-02","2026-01-02T03:04:05Z",["Task","p"],[["Task","c"]],{"wrap":"2026-01-03"}]]'
    attributes = ("name", "due", "made", "parent", "children", "custom_attributes")
    assert reader.read("Task", attributes, rows).rows == [
        (
            "a",
            1,
            5,
            date(2026, 1, 2),
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            ("Task", "p"),
            [("Task", "c")],
            {"wrap": date(2026, 1, 3)},
        )
    ]
    assert reader.read("Task", ("due",), b'[["a",1,"soon"]]').rows == [("a", 1, "soon")]
    assert reader.read("Stranger", ("x",), b'[["a",1,"2026-01-02"]]').rows == [("a", 1, "2026-01-02")]


@pytest.mark.parametrize("rows", [b'[["a",1]]', b'[["a",1,"x","y"]]', b"{}", b"[[", b"[5]", b'[[null,1,"x"]]'])
def test_rows_that_are_none(rows: bytes) -> None:
    """Rows of the wrong width or kind are named, with the type they should be of."""
    with pytest.raises(Malformed, match=r"Task|primary key"):
        RowReader(SCHEMA).read("Task", ("name",), rows)


def test_decoders_are_kept() -> None:
    """The same type and attributes are decoded by the same decoder; a new schema starts anew."""
    reader = RowReader(SCHEMA)
    assert reader._decoder("Task", ("name",)) is reader._decoder("Task", ("name",))
    assert reader._decoder("Task", ("name",)) is not reader._decoder("Task", ("due",))


def test_orders_and_casts_survive() -> None:
    """One written-out example with everything a select has."""
    path = Path((Step("parent", "Shot"), Step("metadata"), Step("frame rate")))
    select = Select("Task", (path,), Comparison(path, "in", Select("Shot")), (Order(path, True),), 3, 4)
    asked, _ = through(lambda dialect: dialect.select(select, 2, "next"), EMPTY)
    assert asked == ("select", select, 2, "next")
