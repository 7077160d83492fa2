"""The store: opening, reading one state, writing all or nothing."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from databases import new_database, postgres_database
from sqlalchemy import Connection, Engine, event, func, inspect, select

from callsheet import Session
from callsheet.errors import Closed, Invalid, SchemaError, StateError, StorageError
from callsheet.server.schemas.marks import marked
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from callsheet.server.writing.overlay import Overlay
from callsheet.session.connection import over
from documents import CONFIGURATION

DOCUMENT: dict[str, Any] = {
    "name": "small",
    "types": {
        "Place": {
            "abstract": True,
            "attributes": {
                "name": {"type": "string", "indexed": True},
                "parent": {"type": "reference", "target": "Place"},
                "friends": {"type": "collection", "target": "Place", "inverse": "admirers"},
                "admirers": {"type": "collection", "target": "Place", "inverse": "friends"},
                "custom_attributes": {"type": "mapping", "items": "custom"},
            },
        },
        "Room": {"extends": "Place", "attributes": {"size": {"type": "number"}}},
        "House": {
            "extends": "Place",
            "attributes": {
                "floors": {"type": "integer"},
                "open": {"type": "boolean"},
                "built": {"type": "date"},
                "sold": {"type": "datetime"},
                "plan": {"type": "json"},
            },
        },
        "Tag": {"attributes": {"name": {"type": "string", "unique": True}}},
        "CustomAttributeConfiguration": CONFIGURATION,
    },
}


@pytest.fixture(params=["memory", "file", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A new store of each kind."""
    with new_database(request.param, tmp_path) as url, closing(Store.open(url, DOCUMENT)) as opened:
        yield opened


def add(store: Store, key: str, **values: Any) -> None:
    """Insert a tag."""
    store.write(lambda connection: insert(store, connection, key, **values))


def insert(store: Store, connection: Connection, key: str, **values: Any) -> None:
    connection.execute(store.tables["Tag"].insert(), {"id": key, "_type": "Tag", "_version": 1, **values})


def count(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(store.tables["Tag"])).scalar_one()


def test_values_come_out_as_they_went_in(store: Store) -> None:
    """Each data type keeps its Python type; datetimes come back in UTC."""
    east = timezone(timedelta(hours=5, minutes=30))
    row = {
        "id": "h",
        "_type": "House",
        "_version": 3,
        "name": "Ünïcode ☃ 🎬",
        "floors": 2**63 - 1,
        "size": 0.1,
        "open": True,
        "built": date(987, 6, 5),
        "sold": datetime(2026, 5, 1, 2, 0, 0, 123456, tzinfo=east),
        "plan": {"rooms": [1, 2.5, None, True, "x"]},
        "custom_attributes": {"fps": 24, "due": date(2026, 1, 2)},
        "parent": "p",
        "parent__type": "House",
    }
    table = store.tables["Place"]
    store.write(lambda connection: connection.execute(table.insert(), row))
    with store.reading() as connection:
        found = connection.execute(table.select()).mappings().one()
    assert found["name"] == "Ünïcode ☃ 🎬"
    assert found["floors"] == 9223372036854775807
    assert found["size"] == 0.1
    assert found["open"] is True
    assert found["built"] == date(987, 6, 5)
    assert found["sold"] == datetime(2026, 4, 30, 20, 30, 0, 123456, tzinfo=UTC)
    assert found["sold"].utcoffset() == timedelta(0)
    assert found["plan"] == {"rooms": [1, 2.5, None, True, "x"]}
    assert found["custom_attributes"] == {"fps": 24, "due": "2026-01-02"}
    assert (found["_type"], found["_version"], found["_commit"]) == ("House", 3, 0)


def test_all_nulls_come_back_as_none(store: Store) -> None:
    """An attribute without a value is None whatever its type."""
    table = store.tables["Place"]
    store.write(lambda c: c.execute(table.insert(), {"id": "r", "_type": "Room", "_version": 1}))
    with store.reading() as connection:
        found = connection.execute(table.select()).mappings().one()
    assert {name for name, value in found.items() if value is not None} == {"id", "_type", "_version", "_commit"}


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    """What a job did before it raised is undone, and its error reaches the caller."""

    def job(connection: Connection) -> None:
        insert(store, connection, "a", name="A")
        raise Invalid("no")

    with pytest.raises(Invalid, match="no"):
        store.write(job)
    assert count(store) == 0
    add(store, "b", name="B")
    assert count(store) == 1


def test_a_reader_cannot_write(store: Store) -> None:
    """The connection of `reading` refuses to change anything."""
    with pytest.raises(StorageError, match=r"readonly|read-only"), store.reading() as connection:
        insert(store, connection, "a")
    add(store, "b")
    assert count(store) == 1


def test_write_returns_what_the_function_returns(store: Store) -> None:
    """The result of the function is the result of the write."""
    assert store.write(lambda connection: connection.exec_driver_sql("SELECT 42").scalar_one()) == 42


def test_a_closed_store_says_so(store: Store) -> None:
    """After `close`, reading and writing raise `Closed`."""
    store.close()
    with pytest.raises(Closed):
        add(store, "a")
    with pytest.raises(Closed), store.reading():
        pass


def test_a_store_that_is_opened_again_knows_its_schema(tmp_path: Path) -> None:
    """The schema document and the rows survive; a document given then is not looked at."""
    url = f"sqlite:///{tmp_path}/store.db"
    first = Store.open(url, DOCUMENT)
    assert first.created
    add(first, "a", name="A")
    first.close()
    again = Store.open(url)
    assert not again.created
    assert again.schema.document == marked(first.schema.document)
    assert count(again) == 1
    again.close()
    third = Store.open(url, {"name": "other", "types": {}})
    assert third.schema.name == "small"
    third.close()


def test_postgres_is_opened_again() -> None:
    """The same holds on PostgreSQL."""
    with postgres_database() as url:
        first = Store.open(url, DOCUMENT)
        add(first, "a", name="A")
        first.close()
        again = Store.open(url)
        assert (again.created, again.schema.name, count(again)) == (False, "small", 1)
        again.close()


def test_indexes_that_an_earlier_version_made_otherwise_are_mended(tmp_path: Path) -> None:
    """One that is missing, and one on other columns; the others are left alone."""
    check_that_indexes_are_mended(f"sqlite:///{tmp_path}/store.db")


def test_postgres_mends_indexes_too() -> None:
    """The same on PostgreSQL."""
    with postgres_database() as url:
        check_that_indexes_are_mended(url)


def check_that_indexes_are_mended(url: str) -> None:
    first = Store.open(url, DOCUMENT)
    made = indexes(first)
    assert made["_index_Place__type"] == ["_type", "id"]
    first.write(spoil_indexes)
    assert indexes(first)["_index_Place__type"] == ["_type"]
    first.close()
    again = Store.open(url)
    assert indexes(again) == made
    again.close()


def spoil_indexes(connection: Connection) -> None:
    connection.exec_driver_sql('DROP INDEX "_index_Place__type"')
    connection.exec_driver_sql('CREATE INDEX "_index_Place__type" ON "Place" (_type)')
    connection.exec_driver_sql('DROP INDEX "_index_Place_name"')


def indexes(store: Store) -> dict[str, Any]:
    """The columns of the indexes of places, by name."""
    with store.reading() as connection:
        return {str(told["name"]): told["column_names"] for told in inspect(connection).get_indexes("Place")}


BY_NAME = ["SEARCH Place USING INDEX _index_Place_name (name=?)", "USE TEMP B-TREE FOR ORDER BY"]


def test_a_database_that_was_never_counted_is_counted_when_opened(tmp_path: Path) -> None:
    """Made by an earlier version, with many rows: a name is found by its index, not among all of a type."""
    path = tmp_path / "store.db"
    Store.open(f"sqlite:///{path}", DOCUMENT).close()
    assert fill(path, 0, 3_000) == []
    again = Store.open(f"sqlite:///{path}")
    assert plan(again, "n1") == BY_NAME
    again.close()
    assert fill(path, 3_000, 3_100) == [("_index_Place_name", "3000 1")]
    Store.open(f"sqlite:///{path}").close()
    assert fill(path, 3_100, 8_000) == [("_index_Place_name", "3000 1")]
    Store.open(f"sqlite:///{path}").close()
    assert fill(path, 0, 0) == [("_index_Place_name", "8000 1")]


def test_a_database_is_counted_while_it_grows(tmp_path: Path) -> None:
    """Readers that were there before know it, too."""
    store = Store.open(f"sqlite:///{tmp_path}/store.db", DOCUMENT)
    rows = [{"id": f"k{index}", "_type": "Room", "_version": 1, "name": f"n{index}"} for index in range(3_000)]
    assert plan(store, "n1") == ["SEARCH Place USING INDEX _index_Place__type (_type=?)"]
    store.write(lambda connection: connection.execute(store.tables["Place"].insert(), rows))
    # The writer counts between two writes, so this one comes after it.
    add(store, "last", name="last")
    assert plan(store, "n2") == BY_NAME
    store.close()


def test_indexes_that_are_mended_are_counted(tmp_path: Path) -> None:
    """Where there were counts, an index made anew has its own."""
    path = tmp_path / "store.db"
    Store.open(f"sqlite:///{path}", DOCUMENT).close()
    fill(path, 0, 3_000)
    first = Store.open(f"sqlite:///{path}")
    first.write(spoil_indexes)
    first.close()
    assert fill(path, 0, 0) == []
    Store.open(f"sqlite:///{path}").close()
    assert fill(path, 0, 0) == [("_index_Place_name", "3000 1")]


def test_a_count_that_fails_fails_no_write(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log tells, and the writer goes on."""
    store = Store.open(f"sqlite:///{tmp_path}/store.db", DOCUMENT)
    store.write(lambda connection: connection.exec_driver_sql("ALTER TABLE _meta RENAME COLUMN value TO worth"))
    rows = [{"id": f"k{index}", "_type": "Room", "_version": 1} for index in range(1_500)]
    store.write(lambda connection: connection.execute(store.tables["Place"].insert(), rows))
    add(store, "last")
    assert count(store) == 1
    assert "upkeep of the database failed" in caplog.text
    store.close()


def fill(path: Path, start: int, stop: int) -> list[tuple[str, str]]:
    """Add rooms past the store; what is known of the index on their names."""
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = [(f"k{index}", "Room", 1, 1, f"n{index}") for index in range(start, stop)]
        connection.executemany("INSERT INTO Place (id, _type, _version, _commit, name) VALUES (?, ?, ?, ?, ?)", rows)
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone() is None:
            return []
        wanted = "SELECT idx, stat FROM sqlite_stat1 WHERE idx = '_index_Place_name'"
        return connection.execute(wanted).fetchall()


def plan(store: Store, name: str) -> list[str]:
    """How SQLite finds a room of a name (another each time, since the driver keeps what it explained)."""
    place = f"SELECT id FROM Place WHERE _type IN ('Room') AND name = '{name}' ORDER BY id LIMIT 500"
    with store.reading() as connection:
        # EXPLAIN alone does not look whether the schema has changed, as whatever it explains would.
        connection.exec_driver_sql("SELECT count(*) FROM Place")
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {place}")]


def test_a_new_database_needs_a_document(tmp_path: Path) -> None:
    """Without a schema there is nothing to make."""
    with pytest.raises(StorageError, match="needs a schema document"):
        Store.open(f"sqlite:///{tmp_path}/store.db")
    Store.open(f"sqlite:///{tmp_path}/store.db", DOCUMENT).close()
    with pytest.raises(StorageError, match="cannot open `mysql://x`"):
        Store.open("mysql://x", DOCUMENT)
    with pytest.raises(StorageError, match="there is no folder"):
        Store.open(f"sqlite:///{tmp_path}/nowhere/store.db", DOCUMENT)


def test_a_file_is_locked_until_closed(tmp_path: Path) -> None:
    """A second store on the same file is refused with the cure."""
    url = f"sqlite:///{tmp_path}/store.db"
    first = Store.open(url, DOCUMENT)
    with pytest.raises(StorageError, match="is in use by another process; start `callsheet serve`"):
        Store.open(url)
    first.close()
    Store.open(url).close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Nothing is written into somebody else's file, and its lock is let go."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear database, " * 100)
    for _ in range(2):
        with pytest.raises(StorageError, match="file is not a database"):
            Store.open(f"sqlite:///{path}", DOCUMENT)
    assert path.read_text().startswith("Dear database, ")


def test_a_reader_sees_one_state(tmp_path: Path) -> None:
    """A commit that comes while a reader reads is not seen by it, and is by the next."""
    store = Store.open(f"sqlite:///{tmp_path}/store.db", DOCUMENT)
    add(store, "a")
    statement = select(func.count()).select_from(store.tables["Tag"])
    with store.reading() as connection:
        assert connection.execute(statement).scalar_one() == 1
        add(store, "b")
        assert connection.execute(statement).scalar_one() == 1
    assert count(store) == 2
    store.close()


def test_jobs_that_wait_share_a_commit(tmp_path: Path) -> None:
    """Jobs that queue up behind one are committed together; one that fails takes only itself along."""
    store: Any = Store.open(f"sqlite:///{tmp_path}/store.db", DOCUMENT)
    started, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        insert(store, connection, "first")
        started.set()
        assert go_on.wait(30)

    errors: list[Exception] = []

    def job(number: int) -> None:
        def work(connection: Connection) -> None:
            insert(store, connection, f"job {number}")
            if number == 3:
                raise Invalid("three fails")

        try:
            store.write(work)
        except Invalid as error:
            errors.append(error)

    threads = [threading.Thread(target=store.write, args=(slow,))]
    threads[0].start()
    assert started.wait(30)
    threads += [threading.Thread(target=job, args=(number,)) for number in range(10)]
    for thread in threads[1:]:
        thread.start()
    while store.database.waiting < 10:
        threading.Event().wait(0.001)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert store.database.commits == 2
    assert [str(error) for error in errors] == ["three fails"]
    assert count(store) == 10
    store.close()


def test_a_commit_that_fails_fails_all_its_jobs(tmp_path: Path) -> None:
    """When the database gives the transaction up, the job hears so and nothing is kept; the next one works."""
    store = Store.open(f"sqlite:///{tmp_path}/store.db", DOCUMENT)

    def job(connection: Connection) -> None:
        insert(store, connection, "a")
        connection.exec_driver_sql("ROLLBACK")
        raise Invalid("the transaction is gone")

    with pytest.raises(Invalid, match="the transaction is gone"):
        store.write(job)
    add(store, "b")
    assert count(store) == 1
    store.close()


def test_a_write_inside_a_write_is_refused(tmp_path: Path) -> None:
    """It would wait for itself."""
    store = Store.open(f"sqlite:///{tmp_path}/store.db", DOCUMENT)
    with pytest.raises(StateError, match="a write inside a write"):
        store.write(lambda _: store.write(lambda _: None))
    store.close()


def test_many_threads_write_and_read(store: Store) -> None:
    """Writers and readers of several threads do not disturb each other."""
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for index in range(10):
                add(store, f"{number}/{index}", name=f"{number}/{index}")
                assert count(store) > 0
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert count(store) == 40


def test_postgres_tries_a_deadlocked_write_again() -> None:
    """Two writers that lock in opposite order both succeed; those that read with locks first never meet."""
    with postgres_database() as url:
        store = Store.open(url, DOCUMENT)
        add(store, "a", name="a0")
        add(store, "b", name="b0")
        tags, barrier, calls = store.tables["Tag"], threading.Barrier(2, timeout=30), []

        def writer(keys: list[str]) -> None:
            def job(connection: Connection) -> None:
                calls.append(keys)
                for index, key in enumerate(keys):
                    update = tags.update().where(tags.c.id == key).values(_version=tags.c._version + 1)
                    connection.execute(update)
                    if index == 0 and len(calls) <= 2:
                        barrier.wait()

            store.write(job)

        threads = [threading.Thread(target=writer, args=(keys,)) for keys in (["a", "b"], ["b", "a"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with store.reading() as connection:
            assert connection.execute(select(tags.c._version)).scalars().all() == [3, 3]
        assert len(calls) == 3
        store.write(lambda connection: Overlay(store, connection).load([("Tag", "b"), ("Tag", "a")], lock=True))
        store.close()


def test_a_postgres_that_is_not_there_cannot_be_opened() -> None:
    """It says so, without the password."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StorageError, match="cannot open the database: the database cannot be reached") as caught:
        Store.open(f"postgresql+psycopg://anna:secret@127.0.0.1:{port}/nothing", DOCUMENT)
    assert "secret" not in str(caught.value)


def test_postgres_guards_uniqueness_at_commit() -> None:
    """Values may be swapped within a transaction; a double one is refused when it ends."""
    with postgres_database() as url:
        store = Store.open(url, DOCUMENT)
        add(store, "a", name="A")
        add(store, "b", name="B")
        tags = store.tables["Tag"]

        def swap(connection: Connection) -> None:
            for key, name in (("a", "B"), ("b", "A")):
                connection.execute(tags.update().where(tags.c.id == key).values(name=name))

        store.write(swap)
        with pytest.raises(Invalid, match="unique"):
            add(store, "c", name="A")
        store.close()


def test_both_sides_of_a_relation_share_a_table(store: Store) -> None:
    """The side that sorts first owns the table; subtypes see the same one; each side sees its own keys as near."""
    admirers, friends = store.link("Place", "admirers"), store.link("Room", "friends")
    assert admirers.table.name == friends.table.name == "_link_Place_admirers"
    assert (admirers.near.name, admirers.far.name) == ("owner", "member")
    assert (friends.near.name, friends.far.name) == ("member", "owner")
    with pytest.raises(SchemaError, match=r"Room\.name is not a many-to-many collection"):
        store.link("Room", "name")


def test_columns_and_indexes(store: Store) -> None:
    """A family has one table with all its attributes; what is looked up by has an index."""
    table = store.tables["Place"]
    assert store.column("Room", "size") is table.c.size
    assert list(table.c.keys())[:4] == ["id", "_type", "_version", "_commit"]
    indexed = sorted(column.name for index in table.indexes for column in index.columns)
    assert indexed == ["_type", "id", "name", "parent"]
    with pytest.raises(SchemaError, match=r"Room\.nmae has no column; did you mean `name`"):
        store.column("Room", "nmae")


def test_one_name_has_one_type_in_a_family() -> None:
    """Two subtypes cannot hold different types under one name, for they share a column."""
    document = {
        "types": {
            "Base": {"abstract": True, "attributes": {}},
            "One": {"extends": "Base", "attributes": {"size": {"type": "number"}}},
            "Two": {"extends": "Base", "attributes": {"size": {"type": "string"}}},
        }
    }
    with pytest.raises(SchemaError, match=r"Two\.size has another type"):
        Store.open("memory:", document)


def test_names_that_differ_by_case_only_are_refused() -> None:
    """SQLite would take them for one column."""
    document = {"types": {"One": {"attributes": {"size": {"type": "number"}, "Size": {"type": "number"}}}}}
    with pytest.raises(SchemaError, match=r"One\.Size differs from `size` by case only"):
        Store.open("memory:", document)


def test_custom_attributes_are_merged_into_the_schema(store: Store) -> None:
    """Configured items become part of the schema, subtypes included, and change its hash."""
    before = store.schema.hash
    table = store.tables["CustomAttributeConfiguration"]
    row = {
        "id": "1",
        "_type": "CustomAttributeConfiguration",
        "_version": 1,
        "key": "mood",
        "entity_type": "Place",
        "data_type": "enum",
        "choices": ["dark", "light"],
        "default": "dark",
    }
    store.write(lambda connection: connection.execute(table.insert(), row))
    with store.reading() as connection:
        assert store.reload(connection)
        assert not store.reload(connection)
    mood = store.schema.types["Room"].custom["mood"]
    assert (mood.data_type, mood.choices, mood.default) == ("enum", ("dark", "light"), "dark")
    assert store.schema.hash != before
    assert "custom" not in DOCUMENT["types"]["Place"]


def test_a_query_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """The deadline ends a statement with `Invalid`, and the connection can be used again."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    for url in ("memory:", f"sqlite:///{tmp_path}/store.db"):
        store = Store.open(url, DOCUMENT, deadline=0.05)
        with pytest.raises(Invalid, match="query takes too long"), store.reading() as connection:
            connection.exec_driver_sql(endless)
        store.deadline = 10
        assert count(store) == 0
        store.close()


def test_postgres_stops_a_query_that_takes_too_long() -> None:
    """The same on PostgreSQL."""
    with postgres_database() as url:
        Store.open(url, DOCUMENT).close()
        store = Store.open(url, deadline=0.2)
        with pytest.raises(Invalid, match="query takes too long"), store.reading() as connection:
            connection.exec_driver_sql("SELECT pg_sleep(30)")
        store.close()


def test_few_entities_of_a_type_are_found_by_their_type_and_then_put_in_order() -> None:
    """SQLite would read the names of all entities to order the few of a rare type; a plus keeps it from that."""
    asked: list[str] = []

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    with Service.open("memory:") as service, Session(connection=over(service.backend("admin"))) as session:
        project = session.create("Project", {"name": "p"})
        for number in range(250):
            session.create("Folder", {"name": f"f{number}", "parent": project})
        session.commit()
        event.listen(Engine, "before_cursor_execute", note)
        try:
            assert [each["name"] for each in session.query("Project order by name")] == ["p"]
            assert session.query("Folder order by name").first()["name"] == "f0"
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    ordered = [text.partition("ORDER BY")[2] for text in asked if '"Context"' in text and "ORDER BY" in text]
    assert ["+" in text for text in ordered] == [True, False]


def test_nothing_in_memory_is_left_open_at_the_end_of_the_program() -> None:
    """Python 3.13 and later warn of a connection that nobody closed, in every script that used ``memory:``."""
    script = """
import atexit
from callsheet import Session

@atexit.register
def look():
    from callsheet.server.store import store
    print("left open:", len(store._TEMPLATES))

with Session("memory:") as session:
    session.query("Project").all()
unclosed = Session("memory:")
unclosed.query("Project").all()
"""
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("left open: 0\n", "")
