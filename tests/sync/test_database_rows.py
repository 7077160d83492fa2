"""Rows of a query over a database: as the database has them, as they come, and no word of the password."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from callsheet import RowMapping, rows
from callsheet.errors import StorageError, UsageError
from server.databases import postgres_database
from sync.databases import mariadb_database

TABLE = """
create table shots (name varchar(40), bid numeric(8, 2), due date, at timestamp null, note varchar(40))
"""
LINES = [
    {
        "name": "sh010",
        "bid": Decimal("0.50"),
        "due": date(2026, 11, 30),
        "at": datetime(2026, 11, 30, 9),
        "note": "50% : x",
    },
    {"name": "é🎬", "bid": None, "due": None, "at": None, "note": None},
]


def filled(url: str) -> str:
    """The database with the table of shots."""
    engine = create_engine(url.replace("mariadb://", "mariadb+pymysql://"))
    with engine.begin() as connection:
        connection.execute(text(TABLE + ("character set utf8mb4" if "mariadb" in url else "")))
        insert = text("insert into shots values (:name, :bid, :due, :at, :note)")
        for line in LINES:
            given = {**line, "bid": line["bid"] and float(line["bid"])} if "sqlite" in url else line
            connection.execute(insert, given)
    engine.dispose()
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database with two shots."""
    folder = tmp_path_factory.mktemp("rows")
    if request.param == "sqlite":
        yield filled(f"sqlite:///{folder / 'shots.db'}")
    elif request.param == "postgres":
        with postgres_database() as url:
            yield filled(url)
    else:
        with mariadb_database(folder) as url:
            yield filled(url)


def test_rows_are_those_of_the_query(database: str) -> None:
    """In its order and under its names; a percent sign and a colon are no parameters."""
    source = rows(database, query="select name as n, note from shots where note like '50% : %'")
    assert [(each.number, dict(each.values)) for each in source.numbered_rows()] == [
        (1, {"n": "sh010", "note": "50% : x"})
    ]
    assert list(source) == list(source)
    chosen = rows(database, query="select name from shots where name = :name", parameters={"name": "é🎬"})
    assert list(chosen) == [{"name": "é🎬"}]


def test_rows_of_a_database_go_in(callsheet_session: Any, database: str) -> None:
    """Numbers, dates and times become what the attributes hold."""
    source = rows(database, query="select name, bid, due as end_date, note as description from shots")
    callsheet_session.plan("Project", [{"name": "sintel"}], "name").apply()
    mapping = {"name": "name", "bid": "bid", "end_date": "end_date", "description": "description"}
    whole = RowMapping(mapping, constants={"parent.name": "sintel"})
    made = callsheet_session.plan("Task", source, ("parent.name", "name"), whole)
    assert not made.refused
    made.apply()
    found = callsheet_session.fork().query("select name, bid, end_date, description from Task order by bid descending")
    assert [(each["name"], each["bid"], each["end_date"], each["description"]) for each in found] == [
        ("sh010", 0.5, date(2026, 11, 30), "50% : x"),
        ("é🎬", None, None, None),
    ]
    assert callsheet_session.plan("Task", source, ("parent.name", "name"), whole).is_empty


def test_uuids_of_a_database_are_text(callsheet_session: Any) -> None:
    """As keys are."""
    with postgres_database() as url:
        query = "select '01a22c37-60a0-70e1-943e-957331e800e1'::uuid as id, timestamptz '2026-11-30 09:00+01' as at"
        assert list(rows(url, query=query)) == [
            {"id": "01a22c37-60a0-70e1-943e-957331e800e1", "at": datetime(2026, 11, 30, 8, tzinfo=UTC)}
        ]


def test_a_query_that_is_wrong_is_a_mistake_of_the_caller(database: str) -> None:
    """With what the database says of it."""
    with pytest.raises(UsageError, match=r"does not take the query: .*nix"):
        list(rows(database, query="select nix from shots"))
    with pytest.raises(UsageError, match=r"two columns called 'name': name one with `as`"):
        list(rows(database, query="select name, name from shots"))
    with pytest.raises(UsageError, match=r"the query gives no rows|does not take the query: .*update"):
        list(rows(database, query="update shots set note = 'x'"))
    assert len(list(rows(database, query="select name from shots where note = 'x'"))) == 0


def test_rows_are_not_kept(tmp_path: Path) -> None:
    """A hundred thousand rows take the memory of the thousand that are fetched at once."""
    url = f"sqlite:///{tmp_path / 'many.db'}"
    series = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)"
    source = rows(url, query=f"{series} select i, 'a text of a hundred characters' || i as t from n")
    tracemalloc.start()
    count = sum(1 for _ in source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hidden@127.0.0.1:1/show",
        "postgresql://127.0.0.1:1/show?user=me&password=hidden",
        "nix://me:hidden@127.0.0.1/show",
        "mysql+nix://me:hidden@127.0.0.1/show",
        "postgresql://me:hidden@127.0.0.1:port/show",
        "postgresql+asyncpg://me:hidden@127.0.0.1:1/show",
    ],
)
def test_a_password_is_never_printed(address: str) -> None:
    """Not in a representation, and in no error, whatever is wrong with the address."""
    source = rows(address, query="select 1")
    assert "hidden" not in repr(source)
    with pytest.raises((StorageError, UsageError)) as caught:
        list(source)
    assert "hidden" not in str(caught.value)
    with pytest.raises(UsageError, match="is an address: give the query") as caught:
        rows(address)
    assert "hidden" not in str(caught.value)


def test_what_makes_no_sense_is_refused() -> None:
    """A query of a file, a format of a query."""
    with pytest.raises(UsageError, match=r"a query goes to a database, like .*, not to 'a\.csv'"):
        rows("a.csv", query="select 1")
    with pytest.raises(UsageError, match="rows of a query have no format"):
        rows("sqlite:///a.db", "csv", query="select 1")  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="a query is a text, and its parameters are a dict"):
        rows("sqlite:///a.db", query="select 1", parameters=3)  # type: ignore[call-overload]


def test_a_sync_file_names_a_database(callsheet_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address may have variables of the environment, where a password has its place."""
    url = filled(f"sqlite:///{tmp_path / 'shots.db'}")
    monkeypatch.setenv("SHOTS", url)
    path = tmp_path / "shots.toml"
    lines = ["[[sync]]", 'type = "Project"', 'key = "name"']
    query = 'query = "select name from shots where name like :n", parameters = { n = "sh%" }'
    source = f'rows = {{ database = "${{SHOTS}}", {query} }}'
    path.write_text("\n".join([*lines, source]))
    assert [each.key for each in callsheet_session.plan_file(path).created] == [("sh010",)]
    monkeypatch.delenv("SHOTS")
    with pytest.raises(UsageError, match="rows of Project: there is no environment variable SHOTS"):
        callsheet_session.plan_file(path)
    path.write_text("\n".join([*lines, 'rows = { query = "select 1" }']))
    with pytest.raises(UsageError, match="either a `file` or a `database` with its `query` is needed"):
        callsheet_session.plan_file(path)
