"""External databases through sessions: connected, their tables queried, counted and protected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from external_worlds import World, opened

from callsheet import Session
from callsheet.errors import CallsheetError, Forbidden, Invalid
from callsheet.server.process import serve

ADMIN = "the key of the administrator"
KINDS = ("postgresql", "mariadb", "sqlite", "duckdb")


def sale(number: int, shop: str | None, item: str, amount: int) -> dict[str, Any]:
    at = datetime(2026, 1, 1, 12)
    values = {"cents": 2**53 + 1, "price": Decimal("1.25"), "weight": 2.5, "paid": True, "day": date(2026, 1, 5)}
    return {"number": number, "shop code": shop, "item": item, "amount": amount, **values, "at": at}


WORLD: World = {
    "shops": [
        {"code": "s-1", "city": "Köln", "opened": date(2026, 1, 1)},
        {"code": "S-2", "city": "Łódź", "opened": None},
    ],
    "sales": [sale(1, "s-1", "a", 3), sale(2, "s-1", "A", 4), sale(3, "S-2", "a ", 5), sale(4, None, "a", 6)],
}


@pytest.fixture(scope="module", params=KINDS)
def place(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database with two shops and four sales."""
    with opened(request.param, tmp_path_factory.mktemp("external")) as (url, fill):
        fill(WORLD)
        yield url


@pytest.fixture(scope="module")
def shops(place: str) -> Iterator[Session]:
    """A session that has the shops and the sales as external tables."""
    with Session("memory:") as session:
        connect(session, place)
        yield session


def connect(session: Session, url: str) -> None:
    warehouse = session.connect_to_external_database(url, "warehouse")
    session.add_external_table(warehouse["shops"], "Shop")
    session.add_external_table(warehouse["Daily sales"], "Sale")


def test_external_rows_are_queried_as_entities(shops: Session) -> None:
    """A foreign key is a reference; texts are compared by code points, as everywhere."""
    (first, second) = shops.query('Sale where shop.city is "Köln" order by number').all()
    assert (first["item"], first["amount"], first["price"]) == ("a", 3, 1.25)
    assert (first["shop"]["city"], first["cents"]) == ("Köln", 2**53 + 1)
    assert second["at"].isoformat() == "2026-01-01T12:00:00+00:00"
    assert [each["number"] for each in shops.query("Sale where item is 'a'")] == [1, 4]
    assert shops.get("Shop", "S-2")["city"] == "Łódź"


def test_external_tables_are_tables_with_cubes(shops: Session) -> None:
    """A table of the session counts its rows, and a cube over it sums them in the other database."""
    assert shops.tables["Sale"].row_count == 4
    cube = shops.create_cube("Sale", "Sales of shops")
    found = cube.query("Sum(amount)", levels=["Item"])
    assert [tuple(row.values()) for row in found] == [("A", 4), ("a", 9), ("a ", 5)]
    rows = shops.query("Sale").aggregate("sum(amount)", group_by="shop.city")
    assert [tuple(row.values()) for row in rows] == [(None, 6), ("Köln", 7), ("Łódź", 5)]


def test_a_cube_over_an_external_table_shows_its_sql(shops: Session) -> None:
    """The explanation has the engine, and a statement without values of the question."""
    cube = shops.create_cube("Sale", "Shown", keep=False)
    plan = cube.query("Sum(amount)", levels=["Item"], filter="shop.city is Köln", explain=True).plan
    assert plan is not None
    assert plan["engine"] in KINDS
    assert "Daily sales" in plan["sql"]
    assert "Köln" not in plan["sql"]


def test_external_tables_are_read_only(shops: Session) -> None:
    """A commit that would change rows is refused by name."""
    shops.create("Shop")
    with pytest.raises(CallsheetError, match="external database `warehouse`"):
        shops.commit()
    shops.rollback()


def test_a_question_is_about_one_database(shops: Session) -> None:
    """A condition on types of two databases is refused, with the cure."""
    with pytest.raises(CallsheetError, match=r"external database|no entity type"):
        shops.query("Project where id in (select shop_code from Sale)").all()


def test_external_tables_have_no_past(shops: Session) -> None:
    """A question of a position is refused by name."""
    shops.create("Project", {"name": f"p{shops.query('Project').count()}"})
    position = shops.commit().position
    with (
        shops.at(position) as past,
        pytest.raises(Invalid, match="no positions or scenarios"),
    ):
        past.query("Sale").all()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_served_session_asks_an_external_database(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP an administrator connects what the operator's environment names; others read it, and cannot connect."""
    with opened(kind, tmp_path) as (url, fill):
        fill(WORLD)
        monkeypatch.setenv("CALLSHEET_EXTERNAL_WAREHOUSE", url)
        with serve(database=f"sqlite:///{tmp_path / 'own.db'}", admin_key=ADMIN) as server:
            with Session(server.url, api_user="admin", api_key=ADMIN) as admin:
                with pytest.raises(Forbidden, match="connects to no database at"):
                    admin.connect_to_external_database("postgresql://postgres@127.0.0.1/test")
                connect(admin, "env:CALLSHEET_EXTERNAL_WAREHOUSE")
                key = admin.call("users.add", name="ann", role="reader")["key"]
            with Session(server.url, api_user="ann", api_key=key) as ann:
                assert [each["amount"] for each in ann.query("Sale where shop is s-1 order by number")] == [3, 4]
                assert ann.query("Sale").count() == 4
                with pytest.raises(Forbidden):
                    ann.connect_to_external_database("env:CALLSHEET_EXTERNAL_WAREHOUSE")
                with pytest.raises(Forbidden):
                    ann.external_databases()


def test_a_database_is_there_after_a_restart(tmp_path: Path) -> None:
    """The tables stay described; they are dropped, and the database is disconnected."""
    with opened("sqlite", tmp_path) as (url, fill):
        fill(WORLD)
        own = f"sqlite:///{tmp_path / 'own.db'}"
        with Session(own) as session:
            connect(session, url)
        with Session(own) as session:
            assert session.query("Sale").count() == 4
            (database,) = session.external_databases()
            assert (database.name, database.types) == ("warehouse", ("Shop", "Sale"))
            session.drop_external_table("Shop")
            assert "shop" not in session.schema.types["Sale"].attributes
            session.disconnect_external_database("warehouse")
            assert "Sale" not in session.schema.types
