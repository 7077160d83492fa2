"""External databases that are down, slow, changed, or hold what a schema cannot say: a clear error or a value."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from databases import mariadb_database, postgres_database
from external_worlds import opened
from sqlalchemy import create_engine
from test_external_databases import WORLD, connect

from callsheet import Session
from callsheet.errors import CallsheetError, Forbidden, Invalid, NotFound, Unavailable
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.query import Select
from callsheet.server.service import Service


@contextmanager
def database(kind: str, *statements: str) -> Iterator[str]:
    """The address of a new database in which these statements were run."""
    with postgres_database() if kind == "postgresql" else mariadb_database() as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()
        yield url


@contextmanager
def odd(kind: str, *statements: str, **options: Any) -> Iterator[Session]:
    """A session with the table ``odd`` of such a database."""
    with database(kind, *statements) as url, Session("memory:") as session:
        session.add_external_table(session.connect_to_external_database(url, "far")["odd"], "Odd", **options)
        yield session


def values(session: Session, name: str) -> list[Any]:
    return [each[name] for each in session.query("Odd order by id").all()]


def test_mariadb_dates_that_are_none_are_none() -> None:
    """A date of zeros, and one that no calendar has, are None; they count as no value."""
    with odd(
        "mariadb",
        "CREATE TABLE odd (id INT PRIMARY KEY, d DATE, t DATETIME(6))",
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "INSERT INTO odd VALUES (1, '0000-00-00', '0000-00-00'), (2, '2026-02-31', '2026-02-31 10:00'), "
        "(3, '2026-02-28', '2026-02-28 10:00:00.000001'), (4, '2026-00-01', NULL)",
    ) as session:
        assert [each and each.isoformat() for each in values(session, "d")] == [None, None, "2026-02-28", None]
        assert [each and each.microsecond for each in values(session, "t")] == [None, None, 1, None]
        assert session.query("Odd where d is none").count() == 3
        (row,) = session.query("Odd").aggregate("count(d)", "max(d)")
        assert next(iter(row.values())) == 1


def test_unsigned_numbers_are_exact_or_an_error() -> None:
    """An unsigned number of 64 bits is read if it fits, and refused by its value if it does not."""
    with odd(
        "mariadb",
        "CREATE TABLE odd (id INT PRIMARY KEY, n BIGINT UNSIGNED)",
        "INSERT INTO odd VALUES (1, 9223372036854775807)",
    ) as session:
        assert values(session, "n") == [2**63 - 1]
    with (
        odd(
            "mariadb",
            "CREATE TABLE odd (id INT PRIMARY KEY, n BIGINT UNSIGNED)",
            "INSERT INTO odd VALUES (1, 18446744073709551615)",
        ) as session,
        pytest.raises(Invalid, match="18446744073709551615, which is larger than 64 bits"),
    ):
        session.query("Odd").all()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_exact_numbers_become_the_nearest_floats(kind: str) -> None:
    """Decimals with 30 digits are numbers; whole ones of up to 18 digits stay whole."""
    with odd(
        kind,
        "CREATE TABLE odd (id INT PRIMARY KEY, decimals DECIMAL(38, 10), whole DECIMAL(18, 0))",
        "INSERT INTO odd VALUES (1, 12345678901234567890.1234567891, 999999999999999999)",
    ) as session:
        assert values(session, "decimals") == [12345678901234567890.1234567891]
        assert values(session, "whole") == [999999999999999999]


def test_numbers_that_are_none_are_errors() -> None:
    """NaN and infinity are refused by name, in rows and in sums."""
    with odd(
        "postgresql",
        "CREATE TABLE odd (id INT PRIMARY KEY, x DOUBLE PRECISION)",
        "INSERT INTO odd VALUES (1, 'NaN'), (2, 1)",
    ) as session:
        with pytest.raises(Invalid, match="nan, which is no number here"):
            session.query("Odd").all()
        with pytest.raises(Invalid):
            session.query("Odd").aggregate("sum(x)")
        assert session.query("Odd where x = 1").count() == 1


def test_dates_beyond_pythons_are_errors() -> None:
    """An infinite date is refused, and does not break the rest."""
    with odd(
        "postgresql",
        "CREATE TABLE odd (id INT PRIMARY KEY, d DATE)",
        "INSERT INTO odd VALUES (1, 'infinity'), (2, '2026-01-01')",
    ) as session:
        with pytest.raises(Invalid, match="`far` holds or was asked for a value"):
            session.query("Odd").all()
        assert session.query("Odd where d < 2030-01-01").count() == 1


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_keys_are_checked_where_the_database_does_not(kind: str) -> None:
    """Rows without a key and rows with the same key are refused when the table is added; so is a table without keys."""
    with (
        database(
            kind,
            "CREATE TABLE twice (a INT, b VARCHAR(9))",
            "INSERT INTO twice VALUES (1, 'x'), (1, 'y'), (2, 'x')",
            "CREATE TABLE empty_ (a INT, b VARCHAR(9))",
            "INSERT INTO empty_ VALUES (1, NULL)",
        ) as url,
        Session("memory:") as session,
    ):
        far = session.connect_to_external_database(url, "far")
        with pytest.raises(Invalid, match="tell the rows of `twice` apart"):
            session.add_external_table(far["twice"])
        with pytest.raises(Invalid, match="several rows of `twice` have the same `a`"):
            session.add_external_table(far["twice"], keys=["a"])
        with pytest.raises(Invalid, match="no value of `a`, `b`"):
            session.add_external_table(far["empty_"], keys=["a", "b"])
        with pytest.raises(Invalid, match="has no column `c`"):
            session.add_external_table(far["twice"], keys=["c"])
        table = session.add_external_table(far["twice"], keys=["a", "b"])
        assert sorted(each["id"] for each in session.query(table.name)) == ["1,x", "1,y", "2,x"]


def test_texts_that_are_not_utf_8_are_texts(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, and values of another type than their column's, are replaced, or None."""
    path = tmp_path / "odd.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, t TEXT, n INTEGER, d DATE)")
        connection.execute(
            "INSERT INTO odd VALUES (1, CAST(x'41ff42' AS TEXT), 'many', 'now'), (2, 'b', 3, '2026-02-30')"
        )
    connection.close()
    with Session("memory:") as session:
        far = session.connect_to_external_database(f"sqlite:///{path}", "far")
        session.add_external_table(far["odd"], "Odd")
        assert values(session, "t") == ["A\ufffdB", "b"]
        assert values(session, "n") == [None, 3]
        assert values(session, "d") == [None, None]
        (row,) = session.query("Odd").aggregate("sum(n)")
        assert list(row.values()) == [3]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_changed_table_is_named(kind: str) -> None:
    """A column or a table that is gone is an error that says so; the rest of the server goes on."""
    with opened(kind, Path()) as (url, fill), Session("memory:") as session:
        fill(WORLD)
        connect(session, url)
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE shops DROP COLUMN city")
        engine.dispose()
        with pytest.raises(Invalid, match="`warehouse` no longer has what was described"):
            session.query("Shop").all()
        assert session.query("Sale").count() == 4


def test_a_database_that_does_not_answer_is_unavailable() -> None:
    """No server, a wrong password and an unknown name are errors without the address's password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Session("memory:") as session:
        for kind in ("postgresql", "mariadb"):
            with pytest.raises(Unavailable, match="`nowhere` cannot be reached") as caught:
                session.connect_to_external_database(f"{kind}://ann:sesame@127.0.0.1:{port}/nowhere")
            assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(("kind", "wait"), [("postgresql", "pg_sleep(30)::text"), ("mariadb", "SLEEP(30)")])
def test_a_slow_database_is_stopped(kind: str, wait: str) -> None:
    """A statement ends at the server's time limit."""
    view = f"CREATE VIEW odd AS SELECT 1 AS id, {wait} AS t"
    with database(kind, view) as url, Service.open("memory:", administrator=False) as service:
        service.external.allow_any_place()
        service.store.deadline = 0.3
        backend = service.backend("admin")
        backend.call("externals.connect", {"url": url, "name": "far"})
        with pytest.raises(Invalid, match="`far` takes too long"):
            backend.call("externals.add", {"database": "far", "table": "odd", "keys": ["id", "t"]})


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "no URL of a database"),
        ("dbase://h/d", "of the kind `dbase`"),
        ("postgresql://h/d?service=x", "option `service`"),
        ("mariadb://h/d?local_infile=1", "option `local_infile`"),
        ("mariadb://h/d?read_default_file=/etc/passwd", "option `read_default_file`"),
        ("sqlite://", "names no file"),
        ("env:HOME", "refers to no address"),
        ("env:CALLSHEET_EXTERNAL_HOSTS", "refers to no address"),
        ("env:CALLSHEET_EXTERNAL_NOTHING", "has no variable"),
    ],
)
def test_addresses_that_are_none_are_refused(url: str, message: str) -> None:
    """An address of an unknown kind, with an option of the driver, or of another variable is refused."""
    with Session("memory:") as session, pytest.raises(Invalid, match=message):
        session.connect_to_external_database(url)


def test_a_server_opens_no_place_that_its_operator_did_not_list(tmp_path: Path) -> None:
    """By default neither hosts nor files; the server's own database is such a file."""
    with Service.open("memory:", administrator=False) as service:
        backend = service.backend("admin")
        for url in ("postgresql://127.0.0.1/postgres", f"sqlite:///{tmp_path}/a.db", "mariadb:///x?unix_socket=/run/s"):
            with pytest.raises(Forbidden, match="this server connects to no database at"):
                backend.call("externals.connect", {"url": url})


def test_rights_on_external_tables_are_of_roles_everywhere(tmp_path: Path) -> None:
    """A role in a project gives none; a rule that names the type does."""
    with opened("sqlite", tmp_path) as (url, fill), Service.open("memory:") as service:
        fill(WORLD)
        service.external.allow_any_place()
        admin = service.backend("admin")
        admin.call("externals.connect", {"url": url, "name": "shops"})
        admin.call("externals.add", {"database": "shops", "table": "shops", "name": "Shop"})
        admin.call("externals.add", {"database": "shops", "table": "Daily sales", "name": "Sale"})
        admin.call("roles.add", {"name": "seller", "rules": ["read:Sale"]})
        for name, role in (("ann", "guest"), ("ben", "seller"), ("cy", "reader")):
            admin.call("users.add", {"name": name, "role": role})

        def counted(account: str, kind: str) -> Any:
            return service.backend(account).aggregate(Aggregate(Select(kind), (AggregateFunction("count"),)))

        assert [counted(name, "Sale") for name in ("ann", "ben", "cy")] == [[(0,)], [(4,)], [(4,)]]
        assert [counted(name, "Shop") for name in ("ann", "ben", "cy")] == [[(0,)], [(0,)], [(2,)]]
        page = service.backend("ben").select(Select("Sale"), 10)
        shops = page.records[0].attributes.index("shop") + 2
        assert {row[shops] for row in page.records[0].rows} == {None}
        with pytest.raises(Forbidden):
            service.backend("cy").call("externals.list", {})


def test_a_password_is_in_no_row_and_no_answer(tmp_path: Path) -> None:
    """The server stores an address without its password, and says after a restart that it is missing."""
    url = "postgresql://postgres:sesame@127.0.0.1:5432/test"
    with postgres_database() as _:
        own = tmp_path / "own.db"
        with Session(f"sqlite:///{own}") as session:
            found = session.connect_to_external_database(url, "far")
            assert "sesame" not in repr(found) + str(session.external_databases()) + str(session.call("audit.list"))
        assert b"sesame" not in b"".join(each.read_bytes() for each in tmp_path.glob("own.db*"))
        with Session(f"sqlite:///{own}") as session, pytest.raises(CallsheetError, match="is not kept on disk"):
            session.call("externals.tables", name="far")
        with Session("memory:") as session, pytest.raises(NotFound, match="no external database `far`"):
            session.call("externals.tables", name="far")


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_rows_are_found_by_odd_keys(kind: str) -> None:
    """Numbers at the limit, texts that differ by case or blanks, and keys that no number is."""
    collation = "" if kind == "postgresql" else " COLLATE utf8mb4_bin"
    with (
        database(
            kind,
            "CREATE TABLE odd (id BIGINT PRIMARY KEY, n INT)",
            "INSERT INTO odd VALUES (9223372036854775807, 1), (-5, 2), (7, 3)",
            f"CREATE TABLE texts (id VARCHAR(9){collation} PRIMARY KEY)",
            "INSERT INTO texts VALUES ('a'), ('A'), ('7')",
            "CREATE TABLE fixed (id CHAR(5) PRIMARY KEY)",
            "INSERT INTO fixed VALUES ('ab')",
        ) as url,
        Session("memory:") as session,
    ):
        far = session.connect_to_external_database(url, "far")
        for name in ("odd", "texts", "fixed"):
            session.add_external_table(far[name])
        keys = ["9223372036854775807", "-5", "007", "x", "1e3", "9" * 30]
        assert [each and each["n"] for each in (session.get("Odd", key) for key in keys)] == [
            1,
            2,
            None,
            None,
            None,
            None,
        ]
        assert session.query("Odd where id in ('7', 'x', '-5')").count() == 2
        assert session.query("Odd where not id is '7'").count() == 2
        assert [each["id"] for each in session.query("Texts where id in ('a', 'b', '7')")] == ["7", "a"]
        assert [each["id"] for each in session.query("Fixed where id is ab")] == ["ab"]
