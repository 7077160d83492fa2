"""Pages and aggregates: which blocks, which values, in which order, with how many statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path as FilePath
from typing import Any

import pytest
from databases import new_database
from sqlalchemy import Connection, Engine, event

from callsheet.errors import Invalid
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse, parse_path
from callsheet.model.measure import Aggregate
from callsheet.model.query import Select
from callsheet.model.record import Page, Records
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.reading.pages import read_page
from callsheet.server.store.store import Store

DOCUMENT: dict[str, Any] = {
    "types": {
        "Context": {
            "abstract": True,
            "attributes": {
                "name": {"type": "string"},
                "parent": {"type": "reference", "target": "Context"},
                "children": {"type": "collection", "target": "Context", "inverse": "parent"},
                "metadata": {"type": "mapping"},
                "custom_attributes": {"type": "mapping", "items": "custom"},
                "link": {"type": "json", "computed": "link"},
            },
            "custom": {
                "fps": {"type": "number", "default": 24},
                "due": {"type": "date"},
                "tries": {"type": "integer"},
                "ok": {"type": "boolean"},
            },
        },
        "Project": {"extends": "Context", "label": "title", "attributes": {"title": {"type": "string"}}},
        "Shot": {"extends": "Context", "attributes": {"frames": {"type": "integer"}}},
        "Task": {
            "extends": "Context",
            "attributes": {
                "bid": {"type": "number"},
                "done": {"type": "boolean"},
                "start": {"type": "datetime"},
                "status": {"type": "reference", "target": "Status"},
                "people": {"type": "collection", "target": "User", "inverse": "tasks"},
            },
        },
        "Status": {"attributes": {"name": {"type": "string"}, "sort": {"type": "integer"}}},
        "User": {
            "attributes": {
                "name": {"type": "string"},
                "tasks": {"type": "collection", "target": "Task", "inverse": "people"},
            }
        },
    }
}

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)

CONTEXTS: list[dict[str, Any]] = [
    {"id": "p", "_type": "Project", "name": "prj", "title": "Project", "metadata": {"colour": "red"}},
    {"id": "s1", "_type": "Shot", "name": "SH1", "parent": "p", "parent__type": "Project", "frames": 10},
    {"id": "s2", "_type": "Shot", "name": "SH2", "parent": "p", "parent__type": "Project", "frames": 20},
    {"id": "t1", "_type": "Task", "name": "anim", "parent": "s1", "parent__type": "Shot", "bid": 1.5, "status": "d"},
    {"id": "t2", "_type": "Task", "name": "comp", "parent": "s1", "parent__type": "Shot", "bid": 2.5, "start": MAY},
    {
        "id": "t3",
        "_type": "Task",
        "name": "edit",
        "parent": "p",
        "parent__type": "Project",
        "done": True,
        "status": "w",
    },
]
ITEMS: dict[str, dict[str, Any]] = {
    "t1": {"fps": 25, "due": date(2026, 5, 2), "tries": 3, "ok": True},
    "t2": {"fps": 24.0, "tries": 10, "ok": False},
}


def fill(store: Store, connection: Connection) -> None:
    """The same small production in every test."""
    for values in CONTEXTS:
        row = {"_version": 1, "custom_attributes": ITEMS.get(values["id"]), **values}
        connection.execute(store.tables["Context"].insert(), row)
    statuses = [("d", "Done", 2), ("w", "Waiting", 1)]
    rows: list[dict[str, Any]] = [
        {"id": key, "_type": "Status", "_version": 4, "name": name, "sort": sort} for key, name, sort in statuses
    ]
    connection.execute(store.tables["Status"].insert(), rows)
    rows = [{"id": key, "_type": "User", "_version": 1, "name": key.upper()} for key in ("ann", "bob", "cy")]
    connection.execute(store.tables["User"].insert(), rows)
    link = store.link("User", "tasks")
    for user, task in (("ann", "t1"), ("ann", "t2"), ("bob", "t1")):
        connection.execute(link.table.insert(), {link.near.name: user, link.far.name: task})


@pytest.fixture(scope="module", params=["memory", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A filled store on each database; nothing here changes it."""
    folder = tmp_path_factory.mktemp("reading")
    with new_database(request.param, folder) as url, closing(Store.open(url, DOCUMENT)) as opened:
        opened.write(lambda connection: fill(opened, connection))
        yield opened


def select_of(store: Store, text: str) -> Select:
    return check(parse(text), store.schema, text)


def read(store: Store, text: str, size: int = 100, cursor: str | None = None) -> Page:
    with store.reading() as connection:
        return read_page(store, connection, select_of(store, text), size, cursor)


def rows(block: Records) -> list[list[Any]]:
    return [list(row) for row in block.rows]


def keys(store: Store, text: str) -> list[str]:
    """The keys of the results, in order."""
    page = read(store, text)
    found = [row[0] for block in page.records[: page.roots] for row in block.rows]
    return found if page.order is None else [found[index] for index in page.order]


def test_projections_give_rectangular_rows(store: Store) -> None:
    """Key and version first, then the attributes in the order asked for; `id` is not repeated."""
    page = read(store, "select id, name, done, start, bid from Task where id in (t1, t2, t3)")
    assert (page.roots, page.order, page.cursor, len(page.records)) == (1, None, None, 1)
    assert page.records[0].entity_type == "Task"
    assert page.records[0].attributes == ("name", "done", "start", "bid")
    assert rows(page.records[0]) == [
        ["t1", 1, "anim", None, None, 1.5],
        ["t2", 1, "comp", None, MAY, 2.5],
        ["t3", 1, "edit", True, None, None],
    ]


def test_no_projection_gives_all_but_collections(store: Store) -> None:
    """Scalars, references and mappings of the type, computed ones included."""
    page = read(store, "Task where id is t1")
    assert page.records[0].attributes == (
        "name",
        "parent",
        "metadata",
        "custom_attributes",
        "link",
        "bid",
        "done",
        "start",
        "status",
    )
    assert rows(page.records[0]) == [
        [
            "t1",
            1,
            "anim",
            ("Shot", "s1"),
            {},
            {"fps": 25, "due": date(2026, 5, 2), "tries": 3, "ok": True},
            [
                {"id": "p", "name": "Project", "type": "Project"},
                {"id": "s1", "name": "SH1", "type": "Shot"},
                {"id": "t1", "name": "anim", "type": "Task"},
            ],
            1.5,
            None,
            None,
            "d",
        ]
    ]


def test_an_empty_answer_has_an_empty_block(store: Store) -> None:
    """The attributes are told even where there are no rows; a query for several types has no block then."""
    page = read(store, "select name, status.name from Task where name is nothing")
    assert (len(page), page.records) == (0, (Records("Task", ("name", "status"), []),))
    page = read(store, "Context where name is nothing")
    assert (len(page), page.records, page.roots) == (0, (), 0)


def test_several_types_come_in_blocks_with_an_order(store: Store) -> None:
    """One block a concrete type, each with the attributes of its type; `order` tells how they go together."""
    page = read(store, "select name from Context order by name desc")
    assert [(block.entity_type, rows(block)) for block in page.records] == [
        ("Project", [["p", 1, "prj"]]),
        ("Task", [["t3", 1, "edit"], ["t2", 1, "comp"], ["t1", 1, "anim"]]),
        ("Shot", [["s2", 1, "SH2"], ["s1", 1, "SH1"]]),
    ]
    assert page.order == [0, 1, 2, 3, 4, 5]
    page = read(store, "select name from Context order by name asc, id limit 4")
    assert [(block.entity_type, len(block.rows)) for block in page.records] == [("Shot", 2), ("Task", 2)]
    mixed = read(store, "select name from Context where id in (s1, t1, s2) order by parent.id desc, id desc")
    assert [block.entity_type for block in mixed.records] == ["Task", "Shot"]
    page = read(store, "select name from Context where id in (p, t3, s1) order by custom_attributes.tries, id")
    assert [block.entity_type for block in page.records] == ["Project", "Shot", "Task"]


def test_order_puts_mixed_rows_back(store: Store) -> None:
    """Results that change type back and forth are put in blocks, and `order` finds them again."""
    page = read(store, "select name from Context where id in (s1, t1, s2) order by name")
    assert [block.entity_type for block in page.records] == ["Shot", "Task"]
    page = read(store, "select name from Context where id in (p, s1, t1, t3) order by parent.name, name desc")
    assert keys(store, "select name from Context where id in (p, s1, t1, t3) order by parent.name, name desc") == [
        "p",
        "t1",
        "t3",
        "s1",
    ]
    assert [block.entity_type for block in page.records] == ["Project", "Task", "Shot"]


def test_relations_come_as_keys_and_dotted_ones_with_blocks(store: Store) -> None:
    """A reference is a key (or type and key), a collection a complete list; what they lead to follows, each once."""
    page = read(store, "select status.name, parent.name, people.name from Task order by name desc")
    assert rows(page.records[0]) == [
        ["t3", 1, "w", ("Project", "p"), []],
        ["t2", 1, None, ("Shot", "s1"), ["ann"]],
        ["t1", 1, "d", ("Shot", "s1"), ["ann", "bob"]],
    ]
    assert [(block.entity_type, block.attributes, rows(block)) for block in page.records[1:]] == [
        ("Status", ("name",), [["d", 4, "Done"], ["w", 4, "Waiting"]]),
        ("Project", ("name",), [["p", 1, "prj"]]),
        ("Shot", ("name",), [["s1", 1, "SH1"]]),
        ("User", ("name",), [["ann", 1, "ANN"], ["bob", 1, "BOB"]]),
    ]


def test_a_cast_gives_the_attributes_of_that_type_only(store: Store) -> None:
    """Related entities of other types are left out of its block."""
    page = read(store, "select parent[Shot].frames from Task")
    assert [(block.entity_type, block.attributes, rows(block)) for block in page.records[1:]] == [
        ("Shot", ("frames",), [["s1", 1, 10]])
    ]


def test_both_sides_of_a_collection_can_be_read(store: Store) -> None:
    """One to many by the members' reference, many to many by links, from either side, and further on."""
    page = read(store, "select children from Context where id in (p, s1)")
    assert [rows(block) for block in page.records] == [
        [["p", 1, [("Shot", "s1"), ("Shot", "s2"), ("Task", "t3")]]],
        [["s1", 1, [("Task", "t1"), ("Task", "t2")]]],
    ]
    page = read(store, "select tasks.status.name from User where id in (ann, cy)")
    assert [(block.entity_type, rows(block)) for block in page.records] == [
        ("User", [["ann", 1, ["t1", "t2"]], ["cy", 1, []]]),
        ("Task", [["t1", 1, "d"], ["t2", 1, None]]),
        ("Status", [["d", 4, "Done"]]),
    ]


def test_a_key_of_a_relation_needs_no_block(store: Store) -> None:
    """`status.id`, and a foreign key, is the reference itself."""
    page = read(store, "select status.id, parent_id from Task where id is t1")
    assert page.records == (Records("Task", ("status", "parent"), [("t1", 1, "d", ("Shot", "s1"))]),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Task where custom_attributes.fps is 24", ["t2", "t3"]),
        ("Task where custom_attributes.fps > 24", ["t1"]),
        ("Task where custom_attributes.tries > 9", ["t2"]),
        ("Task where custom_attributes.tries is None", ["t3"]),
        ("Task where custom_attributes.ok is False", ["t2"]),
        ("Task where custom_attributes.due is '2026-05-02'", ["t1"]),
        ("Task where custom_attributes.due < '2026-05-02'", []),
        ("Task where parent.metadata.colour is red", ["t3"]),
        ("Task order by custom_attributes.tries desc", ["t2", "t1", "t3"]),
        ("Task where status.id is d", ["t1"]),
        ("Task where status is Done", ["t1"]),
        ("Task where status is None", ["t2"]),
        ("Task where status is_not Done", ["t2", "t3"]),
        ("Task where parent[Shot].frames is 10", ["t1", "t2"]),
        ("Task where not parent[Shot].frames is 10", ["t3"]),
        ("Task where parent[Shot].frames is None", ["t3"]),
        ("Shot where children any ()", ["s1"]),
        ("Shot where children any (name like 'A%')", ["s1"]),
        ("Project where children.children.name is anim", ["p"]),
        ("Project where children[Task].bid is None", ["p"]),
        ("User where tasks.name is comp", ["ann"]),
        ("User where not tasks any ()", ["cy"]),
        ("Task where people.name in (BOB)", ["t1"]),
        ("Task where id in (select tasks.id from User)", None),
        ("Task where status.id in (select id from Status where sort > 1)", ["t1"]),
        ("Task where status.id not_in (select id from Status where sort > 1)", ["t2", "t3"]),
        ("Task where status in (select id from Status order by sort limit 1)", ["t3"]),
        ("Shot where name like 'sh_'", []),
        ("Shot where name like 'sh%'", ["s1", "s2"]),
        ("Shot where frames > 10.5", ["s2"]),
        ("Shot where frames in (10, 10.5)", ["s1"]),
        ("Shot where frames is 10.5", []),
        ("Task order by bid", ["t3", "t1", "t2"]),
        ("Task order by bid desc", ["t2", "t1", "t3"]),
        ("Task order by status.sort", ["t2", "t3", "t1"]),
        ("Task order by done, start desc", ["t2", "t1", "t3"]),
        ("Context limit 2 offset 1", ["s1", "s2"]),
    ],
)
def test_queries(store: Store, text: str, expected: list[str] | None) -> None:
    """Each condition and order selects what it says, on each database."""
    if expected is None:
        with pytest.raises(Exception, match="collection"):
            keys(store, text)
    else:
        assert keys(store, text) == expected


def test_a_page_continues_where_the_last_one_ended(store: Store) -> None:
    """Pages follow each other without doubles; the limit counts over all pages and the offset once."""
    text = "select name from Context order by parent.name, name desc limit 4 offset 1"
    assert keys(store, text) == ["t2", "t1", "t3", "s2"]
    found, cursor = [], None
    for number in (1, 1, 1, 1):
        page = read(store, text, number, cursor)
        found += [row[0] for block in page.records for row in block.rows]
        cursor = page.cursor
    assert (found, cursor) == (["t2", "t1", "t3", "s2"], None)


def test_rows_that_come_and_go_do_not_shift_pages() -> None:
    """A row inserted before the cursor is not told, one after it is; none is told twice."""
    store = Store.open("memory:", DOCUMENT)
    store.write(lambda connection: fill(store, connection))
    table = store.tables["Status"]
    first = read(store, "Status order by name", 1)
    assert [row[0] for row in first.records[0].rows] == ["d"]
    for key, name in (("a", "Approved"), ("x", "Hold")):
        row = {"id": key, "_type": "Status", "_version": 1, "name": name}
        store.write(lambda connection, row=row: connection.execute(table.insert(), row))
    second = read(store, "Status order by name", 5, first.cursor)
    assert [row[0] for row in second.records[0].rows] == ["x", "w"]
    store.close()


def test_a_cursor_belongs_to_its_query(store: Store) -> None:
    """Another query's cursor, or any other text, is refused."""
    cursor = read(store, "Task order by name", 1).cursor
    assert cursor is not None
    with pytest.raises(Invalid, match="belongs to another query"):
        read(store, "Task order by bid", 1, cursor)
    for text in ("", "x", "%%%", "é", "bnVsbA", cursor[:-4], cursor + "A"):
        with pytest.raises(Invalid, match="no cursor"):
            read(store, "Task order by name", 1, text)
    with pytest.raises(Invalid, match="at least one entity"):
        read(store, "Task", 0)


def aggregate(store: Store, text: str, functions: list[tuple[str, str | None]], group: list[str]) -> list[Any]:
    asked = Aggregate(
        parse(text),
        tuple((name, None if path is None else parse_path(path)) for name, path in functions),
        tuple(map(parse_path, group)),
    )
    with store.reading() as connection:
        return read_aggregate(store, connection, check_aggregate(asked, store.schema))


def test_aggregates(store: Store) -> None:
    """Counts, sums, averages and extremes, over all or by group, through references."""
    functions = [("count", None), ("count", "bid"), ("sum", "bid"), ("average", "bid"), ("maximum", "bid")]
    assert aggregate(store, "Task", [*functions], []) == [(3, 2, 4.0, 2.0, 2.5)]
    assert aggregate(store, "Task", [("count", None), ("sum", "bid")], ["parent.name"]) == [
        ("SH1", 2, 4.0),
        ("prj", 1, 0.0),
    ]
    assert aggregate(store, "Task where id is x", [*functions], []) == [(0, 0, 0.0, None, None)]
    assert aggregate(store, "Shot", [("sum", "frames"), ("minimum", "name")], []) == [(30, "SH1")]
    assert aggregate(store, "Task", [("count", None)], ["status", "done"]) == [
        (None, None, 1),
        ("d", None, 1),
        ("w", True, 1),
    ]


def test_aggregates_of_items(store: Store) -> None:
    """Items count with their default, and dates come back as dates."""
    assert aggregate(store, "Task", [("sum", "custom_attributes.fps")], []) == [(73.0,)]
    assert aggregate(store, "Task", [("maximum", "custom_attributes.due")], []) == [(date(2026, 5, 2),)]
    assert aggregate(store, "Task", [("count", None)], ["custom_attributes.fps", "custom_attributes.due"]) == [
        (24.0, None, 2),
        (25.0, date(2026, 5, 2), 1),
    ]


def test_a_page_costs_a_bounded_number_of_statements(tmp_path: FilePath) -> None:
    """One statement for the roots, one or two for each relation, whatever the number of rows."""
    store = Store.open(f"sqlite:///{tmp_path}/store.db", DOCUMENT)
    store.write(lambda connection: fill(store, connection))
    task = {"_type": "Task", "_version": 1, "parent": "s1", "parent__type": "Shot", "status": "d", "name": "more"}
    many = [{"id": f"x{number}", **task} for number in range(300)]
    store.write(lambda connection: connection.execute(store.tables["Context"].insert(), many))
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        page = read(store, "select name, status.name, parent.parent.name, people.name, link from Task", 500)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(page) == 303
    # Tasks, statuses, parents, their parents, members, people, and two levels of the link.
    assert len(sent) == 8
    store.close()


def test_many_keys_in_a_list(store: Store) -> None:
    """A list with thousands of values is taken."""
    listed = ", ".join(f"'k{number}'" for number in range(6_000))
    assert keys(store, f"Task where id in ({listed}, t1)") == ["t1"]
