"""A run over real files: the tables of FoodMart (see ``foodmart/NOTICE``) go in, again, changed, and with rows gone."""

from __future__ import annotations

import csv
import gzip
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from callsheet import RowMapping, Session, rows
from callsheet.errors import StateError
from server.databases import new_database

HERE = Path(__file__).with_name("foodmart")
WHOLE = Path(__file__).parents[3] / "shared" / "data" / "foodmart" / "foodmart.tar.xz"
COUNTS = {"Region": 110, "Store": 25, "ProductClass": 110, "Product": 1_560, "Promotion": 1_864, "Day": 730}
SALE = {
    "product_id": "product.number",
    "time_id": "day.number",
    "customer_id": "customer.number",
    "store_id": "store.number",
    "unit_sales": "units",
}
KEY = ("product.number", "day.number", "customer.number")


@pytest.fixture(params=["file", "postgres"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """A session on an empty server with the schema of the shops."""
    schema = str(HERE / "schema.toml")
    with new_database(request.param, tmp_path) as url, Session(url, schema=schema) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The share of the tables that the project ships, unpacked beside the sync file."""
    for packed in HERE.glob("*.csv.gz"):
        (tmp_path / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    shutil.copy(HERE / "sync.toml", tmp_path)
    return tmp_path


def edit(path: Path, change: Callable[[dict[str, str]], None]) -> None:
    """Change each row of a table in place."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        table, columns = list(reader), list(reader.fieldnames or ())
    for row in table:
        change(row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(table)


def requests(session: Session, work: Callable[[], Any]) -> tuple[Any, int]:
    before = session.statistics.requests
    return work(), session.statistics.requests - before


def filled(session: Session, folder: Path) -> Session:
    session.plan_file(folder / "sync.toml").apply()
    return session.fork()


def test_the_tables_go_in_and_the_second_run_finds_nothing_to_do(session: Session, folder: Path) -> None:
    """All types in one commit; sales that contradict an earlier row of their key are refused, as 8 pairs do."""
    plan = session.plan_file(folder / "sync.toml")
    assert {step.entity_type: len(step.created) for step in plan.steps} == {**COUNTS, "Customer": 1_526, "Sale": 1_982}
    assert [(each.row, each.column) for each in plan.refused] == [
        *((row, "store_sales") for row in (173, 618, 1_315)),
        (1_319, "store_cost"),
        *((row, "store_sales") for row in (1_417, 1_611, 1_674, 1_821)),
    ]
    result, sent = requests(session, plan.apply)
    assert (result.created, result.changed, result.deleted, len(result.commits), sent) == (7_907, 0, 0, 1, 3)
    again, sent = requests(fresh := session.fork(), lambda: fresh.plan_file(folder / "sync.toml"))
    assert again.is_empty
    assert sent <= 22
    assert sum(len(step.unchanged) for step in again.steps) == 7_907


@pytest.mark.parametrize("session", ["file"], indirect=True)
def test_values_arrive_as_the_files_have_them(session: Session, folder: Path) -> None:
    """Dates of midnights, prices of four decimals, numbers of eleven digits, texts with signs, times in a zone."""
    fresh = filled(session, folder)
    store = fresh.query("Store where number is 1").one()
    assert (str(store["opened"]), store["square_feet"], store["region"]["city"]) == ("1982-01-09", 23_593, "Acapulco")
    product = fresh.query("Product where number is 1").one()
    assert (product["price"], product["stock_number"], product["recyclable"]) == (2.85, "90748583674", False)
    customer = fresh.query("Customer where number is 10").one()
    with gzip.open(HERE / "customer.csv.gz", "rt", newline="") as file:
        row = next(each for each in csv.DictReader(file) if each["customer_id"] == "10")
    assert (customer["account"], customer["income"]) == (int(row["account_num"]), row["yearly_income"])
    start = fresh.query("Promotion where number is 1").one()["start"]
    assert start.isoformat() == "1996-01-03T08:00:00+00:00"
    assert fresh.query("Promotion where number is 0").one()["start"] is None


@pytest.mark.parametrize("session", ["file"], indirect=True)
def test_a_changed_file_gives_exactly_its_changes(session: Session, folder: Path) -> None:
    """156 prices, 218 cards and 14 stores' managers are edited: these values change, and no other."""
    fresh = filled(session, folder)
    expected: set[tuple[Any, ...]] = set()

    def dearer(row: dict[str, str]) -> None:
        if int(row["product_id"]) % 10 == 0:
            price = float(row["SRP"])
            row["SRP"] = f"{price + 1:.4f}"
            expected.add((int(row["product_id"]), "price", price, round(price + 1, 4)))

    def golden(row: dict[str, str]) -> None:
        if int(row["customer_id"]) % 7 == 0:
            card = "Silver" if row["member_card"] == "Golden" else "Golden"
            expected.add((int(row["customer_id"]), "card", row["member_card"], card))
            row["member_card"] = card

    edit(folder / "product.csv", dearer)
    edit(folder / "customer.csv", golden)
    plan = fresh.plan_file(folder / "sync.toml")
    found = {(m.key[0], d.attribute, d.before, d.after) for m in plan.changed for d in m.differences}
    assert found == expected
    assert (len(plan.created), len(plan.deleted), len(plan.operations)) == (0, 0, len(expected))
    assert len(expected) > 300
    assert plan.apply().changed == len(expected)
    assert fresh.fork().plan_file(folder / "sync.toml").is_empty


def test_sales_that_have_no_row_go_within_the_scope_only(session: Session, folder: Path) -> None:
    """Of one shop's sales those without a row are deleted, the other shops keep theirs; a tenth is the limit."""
    fresh = filled(session, folder)
    table = [each for each in rows(folder / "sales_fact_1997.csv") if each["store_id"] == "13"]
    first = {tuple(int(row[column]) for column in list(SALE)[:3]): row for row in reversed(table)}
    assert fresh.query("Sale where store.number is 13").count() == len(first)
    gone = sorted(first)[: len(first) // 12]
    kept = [row for key, row in sorted(first.items()) if key not in gone]
    options: dict[str, Any] = {"key": KEY, "delete": "delete", "scope": "store.number is 13"}
    plan = fresh.plan("Sale", kept, mapping=RowMapping(SALE), **options)
    assert len(gone) > 10
    assert sorted(each.key for each in plan.deleted) == gone
    assert (len(plan.created), len(plan.changed), len(plan.unchanged)) == (0, 0, len(kept))
    assert plan.apply().deleted == len(gone)
    assert fresh.fork().query("Sale").count() == 1_982 - len(gone)
    with pytest.raises(StateError, match="is the source complete"):
        fresh.fork().plan("Sale", kept[: len(kept) // 2], mapping=RowMapping(SALE), **options).apply()


def test_finding_sales_reads_no_whole_table(tmp_path: Path, folder: Path) -> None:
    """SQLite begins at the indexes of what a key refers to; a thousand keys would read all sales otherwise."""
    path, sent = tmp_path / "shops.db", []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
        if statement.startswith("SELECT") and " IN (" in statement and 'FROM "Sale"' in statement:
            sent.append((statement, values))

    few = list(rows(folder / "sales_fact_1997.csv"))[:50]
    with Session(f"sqlite:///{path}", schema=str(HERE / "schema.toml")) as session:
        fresh = filled(session, folder)
        event.listen(Engine, "before_cursor_execute", note)
        try:
            assert len(fresh.plan("Sale", few, KEY, RowMapping(SALE)).unchanged) == 50
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    with closing(sqlite3.connect(path)) as database:
        steps = [
            step[3]
            for statement, values in sent
            for step in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    assert any(step.startswith("SEARCH Sale USING INDEX _index_Sale_") for step in steps)
    assert not [step for step in steps if step.startswith("SCAN Sale")]


@pytest.mark.deep
@pytest.mark.timeout(3_600)
def test_the_whole_year_goes_in_by_chunks_and_again(session: Session, folder: Path) -> None:
    """86,829 sales and all customers; the second plan is empty, by a request for each thousand keys and some a part."""
    if not WHOLE.exists():
        pytest.skip("the whole of FoodMart is not beside this project")
    with tarfile.open(WHOLE) as archive:
        for member in archive:
            if (name := Path(member.name).name) in ("customer.csv", "sales_fact_1997.csv"):
                (folder / name).write_bytes(archive.extractfile(member).read())  # type: ignore[union-attr]
    plan = session.plan_file(folder / "sync.toml")
    assert (len(plan.created), len(plan.refused)) == (101_509, 8)
    result = plan.apply(atomic=False)
    assert (result.created, len(result.commits), result.refused) == (101_509, 21, ())
    again, sent = requests(fresh := session.fork(), lambda: fresh.plan_file(folder / "sync.toml"))
    assert again.is_empty
    assert sent <= 215
    total = sum(record["units"] for record in fresh.query("select units from Sale").records())
    assert total == 266_773 - (2 + 5 + 3 + 3 + 4 + 2 + 2 + 4)
