"""Databases of other releases and of other programs: what is opened, what is copied first, and what is refused."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

import callsheet
from callsheet.errors import StorageError
from callsheet.server.store.format import FORMAT, FORMAT_ROW
from callsheet.server.store.store import Store

SMALL = {"name": "dots", "types": {"Dot": {"attributes": {"name": {"type": "string"}}}}}


def made(path: Path) -> str:
    """A database of ours, with one entity."""
    url = f"sqlite:///{path.as_posix()}"
    with callsheet.Session(url, schema=SMALL) as session:
        session.create("Dot", {"name": "first"})
        session.commit()
    return url


def told(path: Path, value: str | None) -> None:
    """Let a database say that it has another format; None: none, as before 0.3."""
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM _meta WHERE name = ?", (FORMAT_ROW,))
        if value is not None:
            connection.execute("INSERT INTO _meta (name, value) VALUES (?, ?)", (FORMAT_ROW, value))
    connection.close()


def test_a_file_of_another_program_gets_none_of_our_tables(tmp_path: Path) -> None:
    """It is refused, named, and unchanged."""
    path = tmp_path / "cookies.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cookies (name TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="no database of Callsheet: it has the table `cookies`"):
        Store.open(f"sqlite:///{path.as_posix()}", SMALL)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    """A file that was only touched belongs to nobody."""
    (tmp_path / "new.db").touch()
    url = made(tmp_path / "new.db")
    with callsheet.Session(url) as session:
        assert session.query("Dot").one()["name"] == "first"


@pytest.mark.parametrize("value", [f"{FORMAT + 1} 0.9.0", "1000000 12.0.0 and more"])
def test_a_newer_database_is_refused_with_the_release_that_reads_it(tmp_path: Path, value: str) -> None:
    """Before anything in it is changed."""
    path = tmp_path / "show.db"
    url = made(path)
    told(path, value)
    with sqlite3.connect(path) as connection:
        before = list(connection.iterdump())
    connection.close()
    with pytest.raises(StorageError, match=f"use Callsheet {value.split(' ')[1]}"):
        Store.open(url, SMALL)
    with sqlite3.connect(path) as connection:
        assert list(connection.iterdump()) == before
    connection.close()
    assert sorted(each.name for each in tmp_path.glob("*before*")) == []


def test_an_older_file_is_copied_before_it_is_upgraded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once; the copy is as it was, and can be opened itself."""
    path, there = tmp_path / "show.db", tmp_path / "show.before-0.3.0.db"
    url = made(path)
    told(path, None)
    with caplog.at_level(logging.WARNING, "callsheet.server"), callsheet.Session(url) as session:
        session.create("Dot", {"name": "second"})
        session.commit()
    assert "its copy from before is" in caplog.text
    with sqlite3.connect(there) as connection:
        assert connection.execute("SELECT count(*) FROM _meta WHERE name = 'format'").fetchone() == (0,)
        assert connection.execute('SELECT name FROM "Dot"').fetchall() == [("first",)]
    connection.close()
    copied = there.read_bytes()
    caplog.clear()
    with callsheet.Session(url) as session:
        assert session.query("Dot").count() == 2
    assert caplog.text == ""
    assert there.read_bytes() == copied


def test_a_new_database_says_its_format(tmp_path: Path) -> None:
    """And needs no copy when it is opened again."""
    path = tmp_path / "show.db"
    url = made(path)
    with callsheet.Session(url) as session:
        session.open()
    with sqlite3.connect(path) as connection:
        (found,) = connection.execute("SELECT value FROM _meta WHERE name = 'format'").fetchone()
    connection.close()
    assert found == f"{FORMAT} 0.3.0"
    assert [each.name for each in tmp_path.glob("*before*")] == []


def test_another_schema_is_said_with_the_difference(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Which commands show and change it, too."""
    url = made(tmp_path / "show.db")
    other = {"name": "dots", "types": {"Dot": {"attributes": {"name": {"type": "string"}, "size": {"type": "number"}}}}}
    with caplog.at_level(logging.WARNING, "callsheet.server"), callsheet.Session(url, schema=other) as session:
        session.open()
    assert "`callsheet schema diff` shows all that differs (add Dot.size)" in caplog.text
