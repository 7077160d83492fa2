"""Shops and their sales in a database that is not ours: its tables, random rows, and the same rows as entities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from databases import mariadb_database, postgres_database
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    create_engine,
)
from sqlalchemy.dialects import mysql

from callsheet.server.external.addresses import address_of
from callsheet.server.external.database import ExternalDatabase
from callsheet.server.external.definition import DescribedTable, ExternalColumn, ExternalReference
from callsheet.server.external.reflection import found_table
from callsheet.server.external.store import ExternalStore

ENGINES = ("postgresql", "mariadb", "sqlite", "duckdb")

MOMENT = DateTime().with_variant(mysql.DATETIME(fsp=6), "mariadb")
METADATA = MetaData()
SHOPS = Table(
    "shops",
    METADATA,
    Column("code", String(40), primary_key=True),
    Column("city", String(40)),
    Column("opened", Date()),
    mysql_collate="utf8mb4_general_ci",
)
SALES = Table(
    "Daily sales",
    METADATA,
    Column("number", Integer(), primary_key=True, autoincrement=False),
    Column("shop code", String(40), ForeignKey("shops.code")),
    Column("item", String(40)),
    Column("amount", Integer()),
    Column("cents", BigInteger()),
    Column("price", Numeric(20, 4)),
    Column("weight", Double()),
    Column("paid", Boolean()),
    Column("day", Date()),
    Column("at", MOMENT),
    mysql_collate="utf8mb4_general_ci",
)

TEXTS = ["", "a", "A", "ab", "é", "É", "a_b", "a%b", "axb", "\\", "a\\b", "ß", "a ", "😀", "q\"'", "k", "\u212a"]
CODES = ["s-1", "S-2", "é,", "a\\b"]
DAYS = [date(2026, 1, 1), date(2026, 1, 5), date(2025, 12, 31), date(1999, 7, 1), date(2024, 2, 29)]
TIMES = [datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 0, 0, 1), datetime(1970, 1, 2), datetime(2026, 3, 1, 23, 59)]
POOLS: dict[str, list[Any]] = {
    "item": TEXTS,
    "amount": [0, 1, -2, 3, 2_000_000_000],
    "cents": [0, 7, -7, 2**53 + 1],
    "price": [Decimal("0"), Decimal("1.5"), Decimal("-2.25"), Decimal("1234567890.1250")],
    "weight": [0.0, 1.5, -2.0, 1e300, 3.0],
    "paid": [True, False],
    "day": DAYS,
    "at": TIMES,
}
World = dict[str, list[dict[str, Any]]]


def perhaps(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to three shops and eight sales."""
    codes = draw(st.lists(st.sampled_from(CODES), unique=True, max_size=3))
    shops = [
        {"code": code, "city": draw(perhaps(st.sampled_from(TEXTS))), "opened": draw(perhaps(st.sampled_from(DAYS)))}
        for code in codes
    ]
    sales = []
    for number in draw(st.lists(st.integers(-3, 120), unique=True, max_size=8)):
        sale = {name: draw(perhaps(st.sampled_from(pool))) for name, pool in POOLS.items()}
        sales.append({"number": number, "shop code": draw(perhaps(st.sampled_from(codes))) if codes else None, **sale})
    return {"shops": shops, "sales": sales}


Fill = Callable[[World], None]


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[tuple[str, Fill]]:
    """The address of a new database with the two tables, and what puts a world into it."""
    path = folder / f"shops.{kind}"
    if kind == "duckdb":
        yield f"duckdb:///{path}", partial(_fill_duckdb, path)
        return
    with ExitStack() as stack:
        url = f"sqlite:///{path}"
        if kind != "sqlite":
            url = stack.enter_context(postgres_database() if kind == "postgresql" else mariadb_database())
        engine = create_engine(url)
        stack.callback(engine.dispose)
        METADATA.create_all(engine)
        yield url, partial(_fill, engine)


def _fill(engine: Engine, world: World) -> None:
    with engine.begin() as connection:
        connection.execute(SALES.delete())
        connection.execute(SHOPS.delete())
        for table, rows in ((SHOPS, world["shops"]), (SALES, world["sales"])):
            if rows:
                connection.execute(table.insert(), rows)


def _fill_duckdb(path: Path, world: World) -> None:
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE shops (code VARCHAR PRIMARY KEY, city VARCHAR, opened DATE)")
        connection.execute(
            'CREATE TABLE "Daily sales" (number INTEGER PRIMARY KEY, "shop code" VARCHAR REFERENCES shops (code), '
            "item VARCHAR, amount INTEGER, cents BIGINT, price DECIMAL(20, 4), weight DOUBLE, paid BOOLEAN, day DATE, "
            '"at" TIMESTAMP)'
        )
        for table, rows in (("shops", world["shops"]), ("Daily sales", world["sales"])):
            for row in rows:
                connection.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', list(row.values()))


def described(database: ExternalDatabase) -> list[DescribedTable]:
    """The two tables, as entity types ``Shop`` and ``Sale``."""
    with database.reading() as connection:
        shops, sales = (found_table(connection, None, name) for name in ("shops", "Daily sales"))
    tables = []
    for found, name, references in (
        (shops, "Shop", ()),
        (sales, "Sale", (ExternalReference("shop", ("shop code",), "Shop"),)),
    ):
        columns = tuple(
            ExternalColumn(each.name.replace(" ", "_"), each.name, str(each.data_type), str(each.form))
            for each in found.columns
        )
        tables.append(DescribedTable(database.name, name, None, found.name, found.key, columns, references))
    return tables


@contextmanager
def external_store(url: str) -> Iterator[ExternalStore]:
    database = ExternalDatabase("shops", address_of(url), 10.0)
    try:
        yield ExternalStore(database, described(database))
    finally:
        database.close()


class Row(Mapping[str, Any]):
    """One row as an entity."""

    def __init__(self, kind: str, key: str, values: dict[str, Any], related: dict[str, Any]) -> None:
        self.values_of = {"@type": kind, "id": key, **values, **related}

    def __getitem__(self, name: str) -> Any:
        return self.values_of[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of)

    def __len__(self) -> int:
        return len(self.values_of)


def entities(world: World) -> list[Row]:
    """The rows of a world as entities, with the values that a schema has for them."""
    shops = {each["code"]: Row("Shop", each["code"], each, {}) for each in world["shops"]}
    found = list(shops.values())
    for sale in world["sales"]:
        values = {name.replace(" ", "_"): _value(value) for name, value in sale.items()}
        found.append(Row("Sale", str(sale["number"]), values, {"shop": shops.get(sale["shop code"])}))
    return found


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
