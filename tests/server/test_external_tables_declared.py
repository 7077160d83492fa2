"""External tables with a condition, and with references that are declared, on every kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from external_worlds import opened
from test_external_databases import KINDS, WORLD

from callsheet import Session
from callsheet.core.opening import open_
from callsheet.errors import CallsheetError, Invalid, NotFound, UsageError
from callsheet.server.external.addresses import address_of


@pytest.fixture(scope="module", params=KINDS)
def declared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The shops twice, the second time without a foreign key that leads to them; and those sales that are large."""
    with opened(request.param, tmp_path_factory.mktemp("declared")) as (url, fill), Session("memory:") as session:
        fill(WORLD)
        warehouse = session.connect_to_external_database(url, "warehouse")
        session.add_external_table(warehouse["shops"], "Shop")
        session.add_external_table(warehouse["Daily sales"], "Sale", where="amount > 3")
        session.add_external_table(warehouse["shops"], "Place")
        session.tables["Sale"].join("Place", columns={"shop code": "code"}, name="sold_at")
        yield session


def test_only_rows_that_fulfil_the_condition_are_there(declared: Session) -> None:
    """In queries, by key, in sums and cubes."""
    assert sorted(each["number"] for each in declared.query("Sale")) == [2, 3, 4]
    assert declared.get("Sale", "1") is None
    assert declared.query("Sale").aggregate("count", "sum(amount)") == [{"count": 3, "sum(amount)": 15}]
    assert declared.tables["Sale"].row_count == 3


def test_a_declared_reference_is_one_of_the_schema(declared: Session) -> None:
    """Paths, groups and conditions follow it, many to one: nothing is counted twice."""
    rows = declared.query("Sale").aggregate("count", "sum(amount)", group_by="sold_at.city")
    assert [tuple(row.values()) for row in rows] == [(None, 1, 6), ("Köln", 1, 4), ("Łódź", 1, 5)]
    (found,) = declared.query('Sale where sold_at.city is "Köln"').all()
    assert found["sold_at"]["code"] == "s-1"


def test_a_condition_may_be_about_what_rows_refer_to(declared: Session) -> None:
    """As conditions of queries may."""
    table = declared.call("externals.add", **_added("Local", 'shop.city is "Köln"'))
    assert table["name"] == "Local"
    declared.run(open_(declared))
    assert sorted(each["number"] for each in declared.query("Local")) == [1, 2]


def _added(name: str, where: str) -> dict[str, object]:
    return {"database": "warehouse", "table": "Daily sales", "name": name, "keys": [], "columns": [], "where": where}


@pytest.mark.parametrize(
    ("columns", "target", "error", "message"),
    [
        ({"item": "city"}, "Place", Invalid, "by the columns that tell these apart, code"),
        ({"amount": "code"}, "Place", Invalid, "never equal"),
        ({"shp code": "code"}, "Place", Invalid, "did you mean `shop code`"),
        ({"shop code": "code"}, "Plaice", NotFound, "did you mean `Place`"),
        (None, "Place", UsageError, "say which columns"),
    ],
)
def test_what_would_not_be_many_to_one_is_refused(
    declared: Session, columns: dict[str, str] | None, target: str, error: type[Exception], message: str
) -> None:
    """A reference leads to one row at most."""
    with pytest.raises(error, match=message):
        declared.tables["Sale"].join(target, columns=columns, name="other")


@pytest.mark.parametrize("where", ["amont > 3", "amount >", "created > now", "shop.name is x"])
def test_a_condition_that_the_tables_do_not_know_is_refused(declared: Session, where: str) -> None:
    """When it is declared, with what is wrong."""
    with pytest.raises(CallsheetError, match="the condition of `Wrong`"):
        declared.call("externals.add", **_added("Wrong", where))
    with pytest.raises(CallsheetError, match="Wrong"):
        declared.query("Wrong").all()


def test_kinds_that_cannot_be_asked_are_named_with_their_package() -> None:
    """What can be done instead is said; an unknown kind gets those that there are."""
    for url, package in (
        ("clickhouse://host/db", "clickhouse-sqlalchemy"),
        ("trino://host/catalog", "trino"),
        ("snowflake://account/db", "snowflake-sqlalchemy"),
        ("databricks+thrift://host/db", "databricks-sqlalchemy"),
    ):
        with pytest.raises(Invalid, match=rf"cannot be asked where they are; load their rows: .*{package}"):
            address_of(url)
    with pytest.raises(Invalid, match="not one of duckdb, mariadb, postgresql, sqlite"):
        address_of("dbase://host/db")
