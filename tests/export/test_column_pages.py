"""A server's columns are the same table as its rows, without a Python object for each value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet import Session, serve
from callsheet.dialects.native.client import NativeDialect
from callsheet.dialects.native.columns import stream_of_page
from callsheet.dialects.protocol import ColumnPage
from callsheet.errors import TransportError
from callsheet.export.pages import ColumnPages
from callsheet.export.tables import batch_of, schema_of
from callsheet.flow import Response

QUERIES = [
    "Task",
    "TypedContext",
    "select name, bid, end_date, metadata, tags.name, status from Task order by name",
    "select name, parent.name, parent[Project].is_private, status.state.name from Task",
    "select name, parent[Shot].name, parent[Project].name from Task order by bid descending",
    'select name, custom_attributes.lens, metadata.lens from Task where name != "c"',
    "select name, date from Note limit 3 offset 2",
    "select name from Task where bid < -1",
    "select id, sequential from Task limit 0",
    "State",
    "Status",
]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serve() as served:
        yield served


@pytest.fixture(scope="module")
def remote(server: Any) -> Iterator[Session]:
    """A session over HTTP, pages of seven rows."""
    with Session(server.url, "admin", server.admin_key, page_size=7) as session:
        state = session.create("State", {"name": "Any", "short": "any"})
        done = session.create("Status", {"name": "Done ✓", "state": state})
        project = session.create("Project", {"name": "sintel"})
        tags = [session.create("Tag", {"name": name}) for name in ("t1", "t2")]
        for number in range(30):
            task = session.create("Task", {"name": f"{number:02}\n", "parent": project, "bid": number / 7})
            if number % 3:
                task["status"], task["tags"] = done, tags
                task["end_date"], task["metadata"] = date(1969, 12, number), {"lens": "35"}
            session.create("Note", {"content": "x", "parent": task, "date": datetime(1950, 1, 1, tzinfo=UTC)})
        session.commit()
        yield session.fork()


def by_rows(session: Session, text: str) -> Any:
    """The same query, read as rows and made into columns by the session."""
    pages = ColumnPages.of(session.query(text))
    schema, batches = schema_of(pages.columns), []
    while not pages.are_read:
        batches.append(batch_of(pages.columns, schema, session.run(pages.fetch())))
    return pyarrow.Table.from_batches(batches, schema)


def known(session: Session, text: str) -> str:
    """The query, if the schema has its attributes; else without those it lacks."""
    for name in (", custom_attributes.lens", ", sequential"):
        text = text.replace(name, "")
    return text.replace("select name, date from Note", "select content, date from Note")


@pytest.mark.parametrize("text", QUERIES)
def test_columns_are_the_rows(remote: Session, text: str) -> None:
    """The same names, types, values and order, over all pages."""
    text = known(remote, text)
    table, expected = remote.query(text).to_arrow(), by_rows(remote, text)
    assert table.schema == expected.schema
    assert table.to_pylist() == expected.to_pylist()


def test_columns_cost_one_request_a_page(remote: Session) -> None:
    """Thirty rows in pages of seven are five requests."""
    before = remote.statistics.requests
    table = remote.query("select name, status.name from Task").to_arrow()
    assert table.num_rows == 30
    assert remote.statistics.requests - before == 5


def test_the_past_gives_columns_too(remote: Session) -> None:
    """A session in the past reads the columns of its moment."""
    task = remote.query("Task order by name").first()
    old = remote.commits()[0].position
    task["bid"] = 99.0
    remote.commit()
    with remote.at(old) as past:
        assert max(past.query("select bid from Task").to_arrow()["bid"].to_pylist()) < 99
    assert max(remote.query("select bid from Task").to_arrow()["bid"].to_pylist()) == 99


def asked(server: Any, body: Any, accept: str = "application/vnd.apache.arrow.stream") -> tuple[int, bytes]:
    from urllib.error import HTTPError

    headers = {"authorization": f"Bearer {server.admin_key}", "content-type": "application/json", "accept": accept}
    request = Request(f"{server.url}/v1/select", json.dumps(body).encode(), headers)
    try:
        with urlopen(request) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def test_any_client_can_ask_for_columns(server: Any, remote: Session) -> None:
    """A plain request gets an Arrow stream with the names of the query."""
    status, content = asked(server, {"select": {"entity_type": "Project", "projections": [["name"]]}, "size": 10})
    assert status == 200
    assert pyarrow.ipc.open_stream(content).read_all().to_pylist() == [{"name": "sintel"}]


@pytest.mark.parametrize(
    ("select", "reason"),
    [
        ({"entity_type": "TypedContext"}, "which has types below it, need the projections named"),
        ({"entity_type": "Task", "projections": [["nam"]]}, "nam"),
        ({"entity_type": "Tusk"}, "Tusk"),
    ],
)
def test_what_has_no_columns_is_refused(server: Any, remote: Session, select: Any, reason: str) -> None:
    """As a client's error, with the reason."""
    status, content = asked(server, {"select": select, "size": 10})
    assert status == 422
    assert reason in content.decode()


def test_an_answer_of_another_kind_is_an_error_of_the_transport() -> None:
    """A proxy's page is not read as columns."""
    with pytest.raises(TransportError, match="no Arrow stream"):
        NativeDialect().open_columns(Response(200, b"<html>", {"content-type": "text/html"}))


KINDS: dict[str, tuple[Any, Any]] = {
    "string": (st.text(), pyarrow.string()),
    "enum": (st.text(), pyarrow.string()),
    "integer": (st.integers(-(2**63), 2**63 - 1), pyarrow.int64()),
    "number": (st.floats(allow_nan=False), pyarrow.float64()),
    "boolean": (st.booleans(), pyarrow.bool_()),
    "date": (st.dates(), pyarrow.date32()),
    "datetime": (st.datetimes(timezones=st.just(UTC)), pyarrow.timestamp("us", "UTC")),
    "list": (st.lists(st.text(), max_size=3), pyarrow.list_(pyarrow.string())),
}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_value_arrives(data: st.DataObject) -> None:
    """Of every kind, None among them, in any number of rows."""
    kinds = data.draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
    count = data.draw(st.integers(0, 20))
    values = [data.draw(st.lists(st.none() | KINDS[kind][0], min_size=count, max_size=count)) for kind in kinds]
    names = [f"c{place}" for place in range(len(kinds))]
    table = pyarrow.ipc.open_stream(stream_of_page(ColumnPage(names, kinds, values))).read_all()
    table.validate(full=True)
    assert table.schema == pyarrow.schema([(name, KINDS[kind][1]) for name, kind in zip(names, kinds, strict=True)])
    expected = pyarrow.table({n: pyarrow.array(v, KINDS[k][1]) for n, v, k in zip(names, values, kinds, strict=True)})
    assert table.equals(expected)


def test_names_that_differ_by_a_cast_are_two_columns() -> None:
    """The second one has its place in its name."""
    page = ColumnPage(["parent.name", "parent.name"], ["string", "string"], [["a"], ["b"]])
    table = pyarrow.ipc.open_stream(stream_of_page(page)).read_all()
    assert table.to_pylist() == [{"parent.name": "a", "parent.name 1": "b"}]


def test_no_rows_have_columns() -> None:
    """An empty page has its schema and no row."""
    table = pyarrow.ipc.open_stream(stream_of_page(ColumnPage(["a"], ["date"], [[]]))).read_all()
    assert (table.num_rows, str(table.schema.types[0])) == (0, "date32[day]")


def test_days_before_1970_are_right() -> None:
    """Written out: the last day and microsecond before the epoch."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
    page = ColumnPage(["d", "t"], ["date", "datetime"], [[date(1969, 12, 31)], [moment]])
    table = pyarrow.ipc.open_stream(stream_of_page(page)).read_all()
    assert [table["d"].cast("int32").to_pylist(), table["t"].cast("int64").to_pylist()] == [[-1], [-1]]
