"""All rows are copied by drivers or by the feed's own connection, with the same result, also while commits go on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve
from databases import new_database
from sqlalchemy import select

from callsheet.errors import StorageError, Unavailable
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity
from callsheet.server.mirror import rows as rows_module
from callsheet.server.mirror.feed import mirrored_tables
from callsheet.server.mirror.mirror import Mirror
from callsheet.server.mirror.rows import SqliteRows
from callsheet.server.service import Service
from callsheet.server.store.database import FileDatabase
from callsheet.server.store.store import Store

ODD: dict[str, Any] = {
    "types": {
        "Odd": {
            "attributes": {
                "text": {"type": "string"},
                "kind": {"type": "enum", "choices": ["a", "é"]},
                "whole": {"type": "integer"},
                "size": {"type": "number"},
                "flag": {"type": "boolean"},
                "day": {"type": "date"},
                "time": {"type": "datetime"},
                "data": {"type": "json"},
                "metadata": {"type": "mapping"},
                "other": {"type": "reference", "target": "Odd"},
                "friends": {"type": "collection", "target": "Odd"},
            }
        },
        "Empty": {"attributes": {"text": {"type": "string"}, "size": {"type": "number"}}},
    }
}
VALUES: dict[str, list[Any]] = {
    "text": ["", " ", "é\U0001f600", "a\nb\r\t\\N", "NULL", "'\"`;--", "\ufeff", "1", "x" * 5_000],
    "kind": ["a", "é"],
    "whole": [0, -1, 2**63 - 1, -(2**63), 2**53 + 1],
    "size": [0.0, -0.0, 5e-324, 1.7976931348623157e308, -1e-7, 1.0, 0.1 + 0.2],
    "flag": [True, False],
    "day": [date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), date(2024, 2, 29)],
    "time": [
        datetime(2, 1, 1, tzinfo=UTC),
        datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    ],
    "data": [[], {}, {"a": [1, 2.5, None, True, "é\n"]}, "text", 0, False, 1e17, [[[]]]],
}


def odd_rows() -> list[dict[str, Any]]:
    """A row with nothing, then one for each value."""
    found: list[dict[str, Any]] = [{}, *({name: value} for name, values in VALUES.items() for value in values)]
    return [
        {"id": f"o{number}", "_type": "Odd", "_version": 1, "_commit": 1, "other": f"o{number // 2}", **row}
        for number, row in enumerate(found)
    ]


def filled(store: Store) -> None:
    rows = odd_rows()
    link = store.link("Odd", "friends")
    names = [column.name for column in store.tables["Odd"].columns]
    with_all = [{name: row.get(name) for name in names} for row in rows]
    friends = [{link.near.name: "o1", link.far.name: row["id"]} for row in rows]
    store.write(lambda connection: connection.execute(store.tables["Odd"].insert(), with_all))
    store.write(lambda connection: connection.execute(link.table.insert(), friends))


def content(mirror: Mirror) -> dict[str, list[str]]:
    with mirror.reading() as state:
        tables = mirrored_tables(state.store)
        return {
            table.name: sorted(repr(tuple(row)) for row in state.connection.execute(select(*table.c)))
            for table in tables
        }


@contextmanager
def driven() -> Iterator[list[str]]:
    """A block in which a driver reads every table; the list has the kinds of what was opened."""
    opened: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "LARGE", 0)
        for kind in (rows_module.SqliteRows, rows_module.PostgresRows):
            enter: Callable[[Any], Any] = kind.__enter__

            def entered(self: Any, enter: Callable[[Any], Any] = enter) -> Any:
                opened.append(type(self).__name__)
                return enter(self)

            patch.setattr(kind, "__enter__", entered)
        yield opened


@pytest.mark.parametrize(("kind", "source"), [("file", "SqliteRows"), ("postgres", "PostgresRows")])
def test_a_driver_copies_what_the_connection_copies(kind: str, source: str, tmp_path: Path) -> None:
    """Every data type, with values at its limits, missing values, and texts that other formats would take apart."""
    with new_database(kind, tmp_path) as url, Service.open(url, ODD) as service:
        filled(service.store)
        mirror = Mirror(service.store, tmp_path / "one")
        expected = content(mirror)
        mirror.close()
        with driven() as opened:
            mirror = Mirror(service.store, tmp_path / "other")
            found = content(mirror)
            assert [set(found[name]) ^ set(expected[name]) for name in expected] == [set()] * len(expected)
            mirror.close()
        assert opened == [source]
    assert len(expected["Odd"]) == 1 + sum(map(len, VALUES.values()))
    assert len(expected["_link_Odd_friends"]) == len(expected["Odd"])
    assert expected["Empty"] == []


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_the_position_is_that_of_the_rows(kind: str, tmp_path: Path) -> None:
    """A commit that comes between the position and the rows is in both, or in neither, and then follows."""
    with new_database(kind, tmp_path) as url, Service.open(url, ODD) as service:
        service.commit(ChangeSet("a", (Create(Identity("Odd", "a"), {"text": "a"}),)), "admin")
        mirror, came = Mirror(service.store), []
        open_rows = rows_module.opened_rows

        def late(*arguments: Any) -> Any:
            if not came:
                came.append(service.commit(ChangeSet("b", (Create(Identity("Odd", "b")),)), "admin").position)
            return open_rows(*arguments)

        with driven(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("callsheet.server.mirror.turn.opened_rows", late)
            seen: dict[int, int] = {}
            for _ in range(2):
                with mirror.reading() as state:
                    seen[state.position] = len(state.connection.execute(select(state.store.tables["Odd"].c.id)).all())
        assert set(seen.items()) <= {(1, 1), (came[0], 2)}
        assert (came[0], 2) in seen.items()
        assert mirror.copies == 1
        mirror.close()


def test_a_table_that_is_copied_alone_is_of_the_moment_of_the_others(tmp_path: Path) -> None:
    """While commits go on: the other process is asked again, and at last the rows are read here."""
    with Service.open(f"sqlite:///{tmp_path / 'a.db'}", ODD) as service:
        mirror = Mirror(service.store)
        content(mirror)
        heads, number = SqliteRows.head, iter(range(100))

        def moving(self: SqliteRows) -> tuple[int, str]:
            position, commit = heads(self)
            return position + 1 + next(number), commit

        with driven() as opened, pytest.MonkeyPatch.context() as patch:
            patch.setattr(SqliteRows, "head", moving)
            tables = {**mirror._facts.tables, "Odd": "of other columns"}
            mirror._facts = evolve(mirror._facts, tables=tables)
            keys = [str(UUID(int=number)) for number in range(2)]
            created = Create(Identity("Odd", keys[0])), Create(Identity("Empty", keys[1]))
            service.commit(ChangeSet("a", created), "admin")
            found = content(mirror)
        assert len(opened) == 3
        assert len(found["Odd"]) == len(found["Empty"]) == 1
        mirror.close()


def test_a_reader_that_dies_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy fails as a whole, with an error that says so; the next question copies again."""
    with Service.open(f"sqlite:///{tmp_path / 'a.db'}", ODD) as service:
        filled(service.store)
        mirror = Mirror(service.store)
        head = SqliteRows.head

        def killed(self: SqliteRows) -> tuple[int, str]:
            assert isinstance(self._process, subprocess.Popen)
            found = head(self)
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.read()
            return found

        with driven():
            monkeypatch.setattr(SqliteRows, "head", killed)
            with pytest.raises((StorageError, Unavailable)):
                content(mirror)
            monkeypatch.setattr(SqliteRows, "head", head)
            assert len(content(mirror)["Odd"]) == len(odd_rows())
        assert mirror.copies == 1
        mirror.close()


def test_a_file_keeps_its_locks_while_it_is_copied(tmp_path: Path) -> None:
    """The copying process opens the file read only, and leaves no file of its own."""
    with Service.open(f"sqlite:///{tmp_path / 'a.db'}", ODD) as service:
        filled(service.store)
        before = {path.name for path in tmp_path.iterdir()}
        with driven():
            mirror = Mirror(service.store)
            content(mirror)
        before.add("a.db.mirror")
        assert {path.name for path in tmp_path.iterdir()} == before
        assert isinstance(service.store.database, FileDatabase)
        service.commit(ChangeSet("a", (Create(Identity("Odd", "a")),)), "admin")
        assert len(content(mirror)["Odd"]) == len(odd_rows()) + 1
        mirror.close()
