"""User tables: added, loaded, read, joined, dropped, on every kind of server."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from databases import postgres_database

from callsheet import Session
from callsheet.errors import CallsheetError, Forbidden, Invalid, SchemaError, UsageError
from callsheet.server.process import serve

TYPES = {
    "City Name": "text",
    "price": "decimal(2)",
    "n": "integer",
    "day": "date",
    "at": "datetime",
    "open": "boolean",
    "share": "number",
}
ROW = ("Paris", 12.5, 3, date(2026, 5, 1), datetime(2026, 5, 1, 12, 30, tzinfo=UTC), True, 0.25)


def test_a_row_comes_back_as_it_was_given(session: Any) -> None:
    """Values of every type, and none, are read as they were loaded."""
    table = session.create_table("Shop prices", TYPES)
    table += ROW
    table.append({"City Name": None, "open": False}, {"City Name": "Zürich 日本"})
    rows = table.query().to_rows()
    assert rows[0] == dict(zip(TYPES, ROW))
    assert rows[1] == {**dict.fromkeys(TYPES), "open": False}
    assert rows[2]["City Name"] == "Zürich 日本"
    assert table.row_count == 3
    assert table.head(1).to_rows() == rows[:1]


def test_a_user_table_is_an_entity_type(session: Any) -> None:
    """Queries, entities, aggregates and cubes read it as they read all types."""
    table = session.create_table("Shop prices", TYPES)
    table.load([ROW, ("Rome", 2.25, 4, None, None, None, None), ("Rome", 0.5, 5, None, None, None, None)])
    names = [row["City_Name"] for row in session.query('Shop_prices where City_Name is "Rome" order by price')]
    assert names == ["Rome", "Rome"]
    assert session.query("Shop_prices where price > 1 and day is 2026-05-01").one()["share"] == 0.25
    cube = session.tables["Shop prices"].cube(["City Name"], {"sum": table["price"].sum()}, order=["City Name"])
    assert cube.to_rows() == [{"City Name": "Paris", "sum": 12.5}, {"City Name": "Rome", "sum": 2.75}]
    assert table.query("City Name", "n", filter=table["n"] > 4).to_rows() == [{"City Name": "Rome", "n": 5}]


def test_rows_with_the_same_keys_replace_each_other(session: Any) -> None:
    """A keyed table holds the last row of each key, within a load and over several; an unkeyed one keeps doubles."""
    keyed = session.create_table("Keyed", {"city": "text", "day": "date", "n": "integer"}, keys=["city", "day"])
    first, second = date(2026, 1, 1), date(2026, 1, 2)
    keyed.load([("Rome", first, 1), ("Rome", second, 2), ("Rome", first, 3)])
    keyed.load([("Rome", second, 4), ("Paris", second, 5)])
    found = {(row["city"], row["day"]): row["n"] for row in keyed.query().to_rows()}
    assert found == {("Rome", first): 3, ("Rome", second): 4, ("Paris", second): 5}
    doubles = session.create_table("Unkeyed", {"n": "integer"})
    doubles.load([(1,), (1,)])
    doubles.load([(1,)])
    assert doubles.row_count == 3
    assert "keyed by city, day>" in repr(keyed).splitlines()[0]
    assert "unkeyed>" in repr(doubles).splitlines()[0]


def test_a_session_reads_what_it_loaded(session: Any) -> None:
    """Entities that were read before are not shown with their old values after a load."""
    table = session.create_table("Stock", {"part": "text", "n": "integer"}, keys=["part"])
    table += ("bolt", 1)
    bolt = session.query("Stock").one()
    assert bolt["n"] == 1
    table += ("bolt", 2)
    assert session.query("Stock").one()["n"] == 2


def test_defaults_stand_for_missing_values(session: Any) -> None:
    """A column that is not given, or has no value, gets its default; also a key."""
    types = {"city": "text", "n": "integer", "day": "date", "at": "datetime"}
    defaults = {"city": "-", "n": 7, "day": date(2026, 1, 2), "at": datetime(2026, 1, 2, tzinfo=UTC)}
    table = session.create_table("Defaults", types, keys=["city"], defaults=defaults)
    table.load([{"n": None}])
    assert table.query().to_rows() == [defaults]


def test_rows_are_dropped_by_a_condition(session: Any) -> None:
    """`drop` takes a text, a selection, or nothing; it gives how many rows went."""
    table = session.create_table("Numbers", {"n": "integer", "text": "text"})
    table.load([(n, str(n)) for n in range(10)])
    assert table.drop("n > 7") == 2
    assert table.drop((table["n"] == 1) | table["text"].contains("2")) == 2
    assert sorted(row["n"] for row in table.query("n").to_rows()) == [0, 3, 4, 5, 6, 7]
    assert table.drop() == 6
    assert table.row_count == 0


def test_a_dropped_table_is_gone(session: Any) -> None:
    """Nothing of it is left, and another one may have its name."""
    table = session.create_table("Twice", {"n": "integer"})
    table += (1,)
    session.drop_table(table)
    assert "Twice" not in session.tables
    with pytest.raises(CallsheetError, match="Twice"):
        session.query("Twice").all()
    again = session.create_table("Twice", {"other": "text"}, keys=["other"])
    assert again.query().to_rows() == []


def test_commits_do_not_write_user_tables(session: Any) -> None:
    """Their rows are written by loads alone."""
    session.create_table("Rows", {"n": "integer"})
    session.create("Rows", {})
    with pytest.raises(CallsheetError, match="`load`, `append` and `drop`"):
        session.commit()
    session.rollback()


def test_what_was_loaded_is_there_after_a_restart(tmp_path: Path) -> None:
    """Tables, rows and joins are kept in the database."""
    url = f"sqlite:///{tmp_path / 'show.db'}"
    with Session(url) as session:
        brands = session.create_table("Brands", {"brand": "text", "country": "text"}, keys=["brand"])
        sales = session.create_table("Sales", {"brand": "text", "n": "integer"})
        sales.join(brands)
        brands += ("Acme", "Italy")
        sales += ("Acme", 3)
    with Session(url) as session:
        sales = session.tables["Sales"]
        assert sales.query("Brands.country", "n").to_rows() == [{"country": "Italy", "n": 3}]
        sales += ("Acme", 4)
        assert [row["n"] for row in session.query('Sales where Brands.country is "Italy" order by n')] == [3, 4]


def test_other_processes_see_new_tables() -> None:
    """Two services on one PostgreSQL database: what one adds, loads and joins, the other reads."""
    with postgres_database() as url, Session(url) as one, Session(url) as other:
        table = one.create_table("Shared", {"n": "integer"})
        table += (1,)
        other.reload_schema()
        assert other.tables["Shared"].row_count == 1
        other.tables["Shared"].append((2,))
        assert table.row_count == 2
        one.drop_table("Shared")
        other.reload_schema()
        assert "Shared" not in other.tables


def test_a_table_has_an_owner() -> None:
    """Its owner and administrators write and drop it; others are let in by `share`, and then may write."""
    with serve() as served, Session(served.url, "admin", served.admin_key) as admin:
        keys = {name: admin.call("users.add", name=name, role=role)["key"] for name, role in PEOPLE}
        sessions = {name: Session(served.url, name, key) for name, key in keys.items()}
        anna, ben, guest = (sessions[name] for name, _ in PEOPLE)
        table = anna.create_table("Annas", {"n": "integer"})
        table += (1,)
        ben.reload_schema()
        assert ben.tables["Annas"].row_count == 1
        for refused in (
            lambda: ben.tables["Annas"].append((2,)),
            lambda: ben.tables["Annas"].drop(),
            lambda: ben.tables["Annas"].share("ben"),
            lambda: ben.drop_table("Annas"),
            lambda: guest.create_table("Guests", {"n": "integer"}),
        ):
            with pytest.raises(Forbidden):
                refused()
        table.share("ben")
        ben.tables["Annas"].append((2,))
        with pytest.raises(Forbidden, match="belongs to `anna`"):
            ben.drop_table("Annas")
        table.share("ben", writes=False)
        with pytest.raises(Forbidden):
            ben.tables["Annas"].append((3,))
        admin.reload_schema()
        admin.drop_table("Annas")
        for each in sessions.values():
            each.close()


PEOPLE = (("anna", "user"), ("ben", "user"), ("gast", "reader"))


@pytest.mark.parametrize(
    ("name", "types", "keys", "problem"),
    [
        ("Task", {"n": "integer"}, [], "is an entity type"),
        ("task", {"n": "integer"}, [], "is an entity type"),
        ("", {"n": "integer"}, [], "name of a table"),
        ("a\0b", {"n": "integer"}, [], "control characters"),
        ("x" * 300, {"n": "integer"}, [], "at most 255"),
        ("New", {}, [], "1 to 1,200 columns"),
        ("New", {"n": "integre"}, [], "did you mean `integer`"),
        ("New", {"n": complex}, [], "type"),
        ("New", {"n": "integer"}, ["m"], "is no column"),
        ("New", {"n": "number"}, ["n"], "make no key"),
        ("New", {"n": "integer"}, ["n", "n"], "named twice"),
        ("New", {"": "integer"}, [], "name of a column"),
        ("New", dict.fromkeys(map(str, range(1_300)), "integer"), [], "1 to 1,200 columns"),
    ],
)
def test_a_table_that_cannot_be_is_refused(memory: Any, name: str, types: Any, keys: Any, problem: str) -> None:
    """The error says what is wrong, and nothing is added."""
    with pytest.raises((Invalid, UsageError, SchemaError), match=problem):
        memory.create_table(name, types, keys=keys)
    assert not [each for each in memory.tables if each.is_user_table]


def test_a_name_that_is_taken_is_refused(memory: Any) -> None:
    """Also in other letters; names that differ otherwise get words that differ."""
    memory.create_table("Sales 1", {"n": "integer"})
    with pytest.raises(Invalid, match="already"):
        memory.create_table("SALES 1", {"n": "integer"})
    assert memory.create_table("Sales-1", {"n": "integer"}).name == "Sales_1_2"
    assert memory.tables["Sales-1"].name == "Sales_1_2"


def test_any_name_of_a_column_is_a_name(session: Any) -> None:
    """Quotes, blanks, reserved words, digits, other scripts, and names that are alike but for case."""
    names = [
        'a"b',
        "a'b",
        "select",
        "order",
        "id",
        "1997",
        "日付",
        "Ünï cödé",
        "_type",
        "a__b",
        "name",
        "NAME",
        "%s",
        ";--",
    ]
    table = session.create_table('The "table"; drop', dict.fromkeys(names, "integer"))
    table += tuple(range(len(names)))
    assert table.query().to_rows() == [dict(zip(names, range(len(names))))]
    for place, name in enumerate(names):
        assert table.query(name, filter=table[name] == place if name != "id" else None).to_rows() == [{name: place}]


def test_a_thousand_columns(memory: Any) -> None:
    """A wide table is added, loaded and read."""
    names = [f"column {number}" for number in range(1_000)]
    table = memory.create_table("Wide", dict.fromkeys(names, "number"))
    table += tuple(float(number) for number in range(1_000))
    assert table.query("column 17", "column 999").to_rows() == [{"column 17": 17.0, "column 999": 999.0}]


def test_entity_types_are_tables_that_record(memory: Any) -> None:
    """`append`, `load` and `drop` of an entity type are operations that the next commit sends."""
    projects = memory.tables["Project"]
    projects.append({"name": "sintel"}, {"name": "tears"})
    assert len(memory.pending) == 2
    assert projects.row_count == 0
    memory.commit()
    sintel = memory.query('Project where name is "sintel"').one()
    projects.load([{"id": sintel["id"], "name": "Sintel"}])
    memory.commit()
    assert sorted(row["name"] for row in memory.query("Project")) == ["Sintel", "tears"]
    assert projects.drop('name is "tears"') == 1
    assert projects.row_count == 2
    memory.commit()
    assert projects.count() == 1


def test_the_planner_of_sqlite_knows_user_tables(tmp_path: Path) -> None:
    """Statistics are made of them by their names in the database, also after a restart and a drop."""
    url = f"sqlite:///{tmp_path / 'show.db'}"
    with Session(url) as session:
        session.create_table("Some rows", {"n": "integer"}).load([(n,) for n in range(1_500)])
        session.create_table("Others", {"n": "integer"})
        session.drop_table("Others")
        known(session)
    with Session(url) as session:
        session.tables["Some rows"].load([(n,) for n in range(4_500)])
        known(session)


def known(session: Any) -> None:
    """The statistics that are kept after an upkeep have the table by its name in the database."""
    store = session._connection.service.store
    store.write(store.database._writer.upkeep)
    with store.reading() as connection:
        kept = connection.exec_driver_sql("SELECT value FROM _meta WHERE name = 'statistics'").scalar()
    assert '"_table_1_Some_rows"' in kept
